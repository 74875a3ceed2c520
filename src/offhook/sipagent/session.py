"""One account for as long as it is wanted: an agent that is registered with it, and another one when that crashed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from offhook.phone.useragent import Failed, Registered, Registering, Registration
from offhook.sipagent import running, told, trust
from offhook.sipagent.baresip import Listen, Program
from offhook.sipagent.line import Line
from offhook.sipagent.running import Broken, Running

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0
# An agent that lived this long did not fail at once: the next failure is a first one.
STABLE_S: Final = 30.0
END_S: Final = 5.0


class Ringing(msgspec.Struct, frozen=True):
    """A call that is not answered yet; `incoming`: by the person with this phone."""

    number: str
    incoming: bool


class Answered(msgspec.Struct, frozen=True):
    """The other side is there."""

    number: str
    incoming: bool


class Over(msgspec.Struct, frozen=True):
    """A call has ended; the reason is what the other side or the server said."""

    number: str
    incoming: bool
    reason: str


Heard: TypeAlias = Registration | Ringing | Answered | Over


class Machine(msgspec.Struct, frozen=True):
    """What is the same for all accounts of a phone: the program, where it takes SIP, whom it trusts."""

    program: Program
    listen: Listen | None = None
    ca: str = ""


class Session:
    """Runs in a task of its own until it is stopped; tells `hear` what changes."""

    def __init__(self, machine: Machine, line: Line, hear: Callable[[Session, Heard], None]) -> None:
        self.machine, self.line, self._hear = machine, line, hear
        self.state: Registration = Registering()
        # Calls by their id: the number, and whether they came in.
        self.calls: dict[str, Ringing] = {}
        self._unanswered: set[str] = set()
        self._agent: Running | None = None
        self._leaving = False
        self._task = asyncio.ensure_future(self._keep())

    @property
    def pid(self) -> int | None:
        """The process of the agent, while there is one."""
        return self._agent.pid if self._agent else None

    async def call(self, number: str) -> str:
        """Call somebody; what went wrong, or nothing. Raises Invalid when the number is none."""
        uri = self.line.dialled(number)
        return await self._do("dial", uri)

    async def answer(self) -> str:
        """Take the call that rings; what went wrong, or nothing."""
        return await self._do("accept")

    async def hang_up(self) -> str:
        """End the call, or turn it away; what went wrong, or nothing."""
        return await self._do("hangup")

    @property
    def rings(self) -> bool:
        """Whether somebody calls and waits for an answer."""
        return any(self.calls[identity].incoming for identity in self._unanswered)

    async def stop(self) -> None:
        """Un-register and end; returns when the server has answered, or after a few seconds without an answer."""
        self._leaving = True
        if self._agent is None:
            self._task.cancel()
        else:
            self._agent.send("quit")
        try:
            await asyncio.wait([self._task], timeout=END_S)
        finally:
            self._task.cancel()
        await asyncio.wait([self._task])

    async def _do(self, command: str, words: str = "") -> str:
        if self._agent is None:
            return "the SIP agent is not running"
        try:
            done = await self._agent.do(command, words)
        except Broken as broken:
            return str(broken)
        return "" if done else "the SIP agent could not do that"

    async def _keep(self) -> None:
        """Keep an agent running; after a crash there is another one, later each time."""
        loop, wait_s = asyncio.get_running_loop(), FIRST_S
        while True:
            began_s = loop.time()
            try:
                reason = await self._live()
            except Broken as broken:
                reason = str(broken)
            self._forget_calls("the SIP agent ended")
            if self._leaving:
                return
            if loop.time() - began_s > STABLE_S:
                wait_s = FIRST_S
            self._tell(Failed(0, f"{reason}; tried again in {wait_s:.0f} s"))
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_S)
            self._tell(Registering())

    async def _live(self) -> str:
        """One agent from its start to its end; returns why it ended. Raises Broken."""
        if self.line.tls is not None:
            await trust.check(*self.line.tls, self.machine.ca)
        account = self.line.account()
        async with running.started(self.machine.program, self.machine.listen, self.machine.ca) as agent:
            self._agent = agent
            unfit = Failed(0, "the SIP agent cannot use this account")
            silence = asyncio.get_running_loop().call_later(running.ANSWER_S, self._tell, unfit)
            try:
                agent.register(account)
                async for news in agent.heard():
                    silence.cancel()
                    self._take(news)
            finally:
                silence.cancel()
                self._agent = None
        return "the SIP agent ended"

    def _take(self, news: told.Told) -> None:
        match news:
            case told.RegisterOk():
                self._tell(Registered(self.line.address))
            case told.RegisterFail(status=status, reason=reason):
                self._tell(Failed(status, reason))
            case told.CallRings(id=identity, peer=peer, incoming=incoming):
                if identity not in self.calls:
                    self._unanswered.add(identity)
                    self.calls[identity] = call = Ringing(self.line.named(peer), incoming)
                    self._hear(self, call)
            case told.CallStands(id=identity, peer=peer, incoming=incoming):
                self._unanswered.discard(identity)
                call = self.calls.setdefault(identity, Ringing(self.line.named(peer), incoming))
                self._hear(self, Answered(call.number, call.incoming))
            case told.CallClosed(id=identity, peer=peer, incoming=incoming, reason=reason):
                self._unanswered.discard(identity)
                call = self.calls.pop(identity, Ringing(self.line.named(peer), incoming))
                self._hear(self, Over(call.number, call.incoming, reason))
            case told.Answer() | told.Began() | told.Gone():
                pass

    def _tell(self, state: Registration) -> None:
        if state != self.state and not self._leaving:
            self.state = state
            self._hear(self, state)

    def _forget_calls(self, reason: str) -> None:
        over, self.calls = self.calls, {}
        self._unanswered.clear()
        for call in over.values():
            self._hear(self, Over(call.number, call.incoming, reason))
