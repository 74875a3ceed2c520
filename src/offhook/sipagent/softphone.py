"""The SIP user agent of a phone, done by baresip: one session for each account, and two while one follows another.

async with Softphone(Machine(program), hear) as phone:
    await phone.register(account)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from offhook.core.errors import Invalid
from offhook.core.mergeable import Document
from offhook.phone.useragent import Failed, NotRegistered, Registered, Registration
from offhook.sipagent import line as lines
from offhook.sipagent.line import Line
from offhook.sipagent.session import Heard, Machine, Over, Session


class Softphone:
    """A `UserAgent` that also calls. It raises nothing: what goes wrong is in `state`, or is what a call answers."""

    def __init__(self, machine: Machine, hear: Callable[[Heard], None]) -> None:
        self._machine, self._tell = machine, hear
        self._state: Registration = NotRegistered()
        # The newest session, and those before it that stay registered until the newest is.
        self._session: Session | None = None
        self._former: list[Session] = []
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.unregister()

    @property
    def state(self) -> Registration:
        """How things stand with the newest account."""
        return self._state

    @property
    def pid(self) -> int | None:
        """The process of the newest agent, while there is one."""
        return self._session.pid if self._session else None

    async def register(self, account: Document) -> None:
        """Register with this account from now on, in the place of an earlier one; returns without waiting for it.

        With other credentials for the same address, the earlier registration stays until this one is accepted.
        """
        try:
            wanted = lines.parse(account)
            wanted.account()
        except Invalid as error:
            await self.unregister()
            self._change(Failed(0, error.text))
            return
        if self._session is not None and self._may_stay(wanted):
            self._former.append(self._session)
        else:
            await self._stop_all()
        self._session = Session(self._machine, wanted, self._hear)
        self._change(self._session.state)

    async def unregister(self) -> None:
        """End the registration; returns when the server has answered, at most some seconds later."""
        await self._stop_all()
        self._change(NotRegistered())

    @property
    def in_call(self) -> bool:
        """Whether a call rings or goes on."""
        return any(session.calls for session in self._sessions())

    async def call(self, number: str) -> str:
        """Call somebody; why that is not possible, or nothing."""
        if self._session is None or not isinstance(self._session.state, Registered):
            return f"This phone is {self._state}."
        try:
            return await self._session.call(number)
        except Invalid as error:
            return error.text

    async def answer(self) -> str:
        """Take the call that rings; why that is not possible, or nothing."""
        for session in self._sessions():
            if session.rings:
                return await session.answer()
        return "Nobody calls."

    async def hang_up(self) -> str:
        """End the call, or turn it away; why that is not possible, or nothing."""
        for session in self._sessions():
            if session.calls:
                return await session.hang_up()
        return "There is no call that could end."

    def _may_stay(self, wanted: Line) -> bool:
        """Whether what is registered now may stay beside this: the same address, and no port that only one can have."""
        if self._session is None or self._session.line.address != wanted.address:
            return False
        return self._machine.listen is None or not self._machine.listen.port

    def _sessions(self) -> list[Session]:
        return [*self._former, *([self._session] if self._session else [])]

    def _hear(self, session: Session, news: Heard) -> None:
        if isinstance(news, Registration):
            if session is self._session:
                self._change(news)
        else:
            self._tell(news)
        if isinstance(news, Registered | Over):
            self._retire()

    def _retire(self) -> None:
        """Earlier sessions end when the newest is registered, and no call goes through them any more."""
        if self._session is not None and isinstance(self._session.state, Registered):
            for former in [one for one in self._former if not one.calls]:
                self._former.remove(former)
                self._end(former)

    def _end(self, session: Session) -> None:
        task = asyncio.ensure_future(session.stop())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _stop_all(self) -> None:
        for session in self._sessions():
            self._end(session)
        self._session, self._former = None, []
        if self._ending:
            try:
                await asyncio.wait(self._ending)
            except asyncio.CancelledError:
                for task in self._ending:
                    task.cancel()
                raise

    def _change(self, state: Registration) -> None:
        if state != self._state:
            self._state = state
            self._tell(state)
