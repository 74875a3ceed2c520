"""The SIP side of `offhook phone run`: which user agent there is, and what is shown and typed of calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

from offhook.cli.exits import as_misuse, plain
from offhook.core.errors import Invalid
from offhook.phone import events
from offhook.phone.events import Event
from offhook.phone.useragent import NotPossible, NoUserAgent, Registered, Registration, UserAgent
from offhook.sipagent import baresip
from offhook.sipagent.session import Answered, Heard, Machine, Over, Ringing
from offhook.sipagent.softphone import Softphone

Sip: TypeAlias = Machine | NotPossible

_NOT_WANTED: Final = NotPossible("this phone does not register, as --no-sip says")
_NOT_INSTALLED: Final = NotPossible("this phone does not register: that needs baresip, on Linux (package baresip-core)")


def choose(*, no_sip: bool, listen: str, ca: Path | None) -> Sip:
    """What this phone registers with, or why it does not. Raises Misused."""
    with as_misuse():
        address = baresip.parse_listen(listen) if listen else None
        if ca is not None and not ca.is_file():
            raise Invalid.at("--sip-ca", f"{ca} is no file")
    if no_sip:
        return _NOT_WANTED
    program = baresip.find()
    if program is None:
        return _NOT_INSTALLED
    return Machine(program, address, str(ca.resolve()) if ca else baresip.authorities())


class Calls:
    """Calls as they are typed; what cannot be done is said."""

    def __init__(self, phone: Softphone, say: Callable[[str], None]) -> None:
        self._phone, self._say = phone, say
        self._doing: set[asyncio.Task[None]] = set()

    @property
    def registered(self) -> bool:
        """Whether a call can be made."""
        return isinstance(self._phone.state, Registered)

    @property
    def in_call(self) -> bool:
        """Whether a call rings or goes on."""
        return self._phone.in_call

    def call(self, number: str) -> None:
        """Call somebody."""
        self._say(f"Calling {plain(number)}.")
        self._do(self._phone.call(number))

    def answer(self) -> None:
        """Take the call that rings."""
        self._do(self._phone.answer())

    def hang_up(self) -> None:
        """End the call, or turn it away."""
        self._do(self._phone.hang_up())

    def _do(self, what: Coroutine[None, None, str]) -> None:
        task = asyncio.ensure_future(self._report(what))
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _report(self, what: Coroutine[None, None, str]) -> None:
        if trouble := await what:
            self._say(plain(trouble))


@asynccontextmanager
async def opened(
    sip: Sip, show: Callable[[Registration], None], say: Callable[[str], None], post: Callable[[Event], None]
) -> AsyncIterator[tuple[UserAgent, Calls | None]]:
    """The user agent of a phone that runs, and its calls where it can make some; un-registered when the block ends."""
    if isinstance(sip, NotPossible):
        show(sip)
        yield NoUserAgent(sip), None
        return

    def hear(news: Heard) -> None:
        match news:
            case Ringing(number=number, incoming=incoming):
                words = f"{number} calls. Type answer, or hangup." if incoming else f"It rings at {number}."
                say(plain(words))
                post(events.CallBegan(number, incoming))
            case Answered(number=number):
                say(plain(f"The call with {number} is answered."))
            case Over(number=number, reason=reason):
                say(plain(f"The call with {number} is over: {reason}."))
                post(events.CallEnded(number))
            case state:
                show(state)

    async with Softphone(sip, hear) as phone:
        yield phone, Calls(phone, say)
