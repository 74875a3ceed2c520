"""A running phone in single steps: each command starts the app, lets one thing happen, and closes it again.

Whether Settings is open and which calls are in progress is remembered in between, sealed, beside the vault.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from offhook.cli import phone_view
from offhook.cli.phone_view import Steps
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid, OffhookError, Refused, TooMany, Unavailable
from offhook.phone import events
from offhook.phone.drawer import Drawer
from offhook.phone.edge import Edge
from offhook.phone.events import Event
from offhook.phone.handset import Handset
from offhook.phone.life import Life
from offhook.phone.living import Surroundings, Web, live
from offhook.phone.saved import Call, Saved
from offhook.phone.states import State
from offhook.phone.steps import Ended, Entered, Remarked, Shown, Waiting
from offhook.phone.steps import Event as Told

_KEY: Final = "presence"


class Ongoing(msgspec.Struct, frozen=True):
    """A call that one command began and another one will end; its begin is a time of the wall clock."""

    number: str
    since: float
    incoming: bool = False

    def ended(self, now: float) -> Call:
        """The call as a history has it, when it ends now."""
        began_at = datetime.fromtimestamp(self.since, UTC)
        return Call(self.number, began_at, max(round(now - self.since), 0), self.incoming)


class Presence(msgspec.Struct, frozen=True):
    """What is going on with the phone between two commands, in whose hands; `owed`: news waits for a safe moment."""

    owner: str = ""
    settings_open: bool = False
    calls: tuple[Ongoing, ...] = ()
    owed: bool = False

    def events(self, now: float) -> Iterable[Event]:
        """What to tell a life that begins now."""
        if self.settings_open:
            yield events.SettingsOpened()
        for call in self.calls:
            yield events.CallBegan(call.number, call.incoming, max(now - call.since, 0.0))


class Script:
    """Events that are known beforehand; when they have all happened and nothing is left to do, the app is closed."""

    def __init__(self, coming: Iterable[Event]) -> None:
        self._coming = deque(coming)

    async def take(self, seconds: float | None) -> Event:
        """The next event."""
        if self._coming:
            return self._coming.popleft()
        return events.TimePassed() if seconds == 0.0 else events.Quit()


class Once:
    """One step of one phone, and what came of it."""

    def __init__(self, handset: Handset, steps: Steps) -> None:
        self.handset, self.steps = handset, steps
        self.remarks: list[Diagnostic] = []
        self.message = ""
        self.state = State.SIGNED_OUT

    def happen(self, *what: Event) -> None:
        """Let this happen, and everything that it makes possible. Raises OffhookError."""
        with self.handset.alone():
            drawer = Drawer(self.handset.folder / _KEY, self.handset.vault.keystore, self.handset.files)
            now = time.time()
            life = self.handset.living(fresh=True)
            before = self._presence(_load(drawer), life.saved, now)
            if life.saved is None and not life.over and not self.handset.kept.take_reports():
                raise phone_view.nobody(self.handset.saved().left)
            script = Script([*before.events(now), *what, *_owed(before, what)])
            asyncio.run(self._live(life, script))
            self.remarks += self.handset.kept.remarks
            self.state = life.state
            _keep(drawer, _after(life, before, now))

    def _presence(self, found: Presence, saved: Saved | None, now: float) -> Presence:
        """What is going on; a call of the user before ended with that, and goes into that one's history."""
        if saved is not None and found.owner == saved.owner:
            return found
        if found.calls:
            self.handset.kept.add_calls(found.owner, tuple(call.ended(now) for call in found.calls))
        return Presence()

    async def _live(self, life: Life, script: Script) -> None:
        async with Web(self._told) as web:
            await live(life.run(), Surroundings(web, Edge(self.handset.act, self._told), script))

    def _told(self, event: Told) -> None:
        match event:
            case Remarked(diagnostic=diagnostic):
                self.remarks.append(diagnostic)
            case Shown(message=message):
                self.message = message
            case Entered() | Waiting():
                pass
            case _:
                self.steps(event)

    def report(self) -> dict[str, Any]:
        """What came of it, for a program."""
        return {
            "state": self.state.value,
            "status": {step.service: step.status for step in self.steps.done if isinstance(step, Ended)},
            "message": self.message,
            "steps": self.steps.objects(),
            "diagnostics": phone_view.remark_objects(self.remarks),
        }

    def complain(self) -> None:
        """Raise what kept a service from answering; a sign-out is an answer."""
        if self.state is State.SIGNED_OUT:
            return
        for step in self.steps.done:
            if isinstance(step, Ended) and not step.good:
                raise _named(step, self.remarks)


def _named(step: Ended, remarks: list[Diagnostic]) -> OffhookError:
    why = next((str(remark) for remark in remarks if remark.place == step.service), "")
    text = why or f"{step.service}: {step.outcome}"
    if step.status is None or step.status == 408 or step.status >= 500:
        return Unavailable(text)
    return TooMany(text, 30) if step.status == 429 else Refused(text)


def _owed(presence: Presence, what: tuple[Event, ...]) -> Iterable[Event]:
    """News that was waiting is asked for again when something has just ended; the newest wins."""
    if presence.owed and any(isinstance(event, events.SettingsClosed | events.CallEnded) for event in what):
        yield events.Button()


def _after(life: Life, before: Presence, now: float) -> Presence:
    if life.saved is None:
        return Presence()
    known = {call.number: call.since for call in before.calls}
    calls = tuple(Ongoing(call.number, known.get(call.number, now), call.incoming) for call, _ in life.calls)
    owed = life.state is State.WAITING and life.farewell is None
    return Presence(life.saved.owner, life.settings_open, calls, owed)


def _load(drawer: Drawer) -> Presence:
    sealed = drawer.sealed(_KEY)
    try:
        return msgspec.msgpack.decode(drawer.open(sealed, _KEY), type=Presence) if sealed else Presence()
    except (Invalid, msgspec.DecodeError):
        return Presence()


def _keep(drawer: Drawer, presence: Presence) -> None:
    if presence == Presence(presence.owner):
        drawer.remove(_KEY)
    else:
        drawer.put(_KEY, _KEY, msgspec.msgpack.encode(presence))
