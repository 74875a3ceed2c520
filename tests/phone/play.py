"""The third driver: plays a conversation against a world in memory, and remembers what was wanted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, TypeVar

from offhook.core.diagnostics import Diagnostic
from offhook.core.login import CloudId, Login
from offhook.core.secret import Secret
from offhook.phone.commands import (
    Answer,
    Command,
    Fetch,
    FetchAll,
    Flow,
    KeepTrust,
    NoAnswer,
    Remark,
    Reply,
    Save,
    SetAside,
    Skip,
)
from offhook.phone.device import Device
from offhook.phone.flow import sign_in
from offhook.phone.handset import Handset
from offhook.phone.portal import Portal
from offhook.phone.saved import Saved
from offhook.phone.stopped import Stopped
from offhook.phone.trust import Trust
from tests.world_portal import ADDRESS, World

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
PORTAL: Final = Portal(ADDRESS)
DEVICE: Final = Device("0123456789abcdef0123456789abcdef", locale="cs-CZ")
ANN: Final = Login(CloudId.parse("DEMO"), "ann", Secret("s3cret"))

_Result = TypeVar("_Result")


class Play:
    """One conversation: every command in order; `lost` names services that give no answer; `handset` keeps things."""

    def __init__(self, world: World, lost: dict[str, NoAnswer] | None = None, handset: Handset | None = None) -> None:
        self.world, self.lost, self.handset = world, lost or {}, handset
        self.commands: list[Command] = []

    def run(self, flow: Flow[_Result]) -> _Result:
        reply: Reply = None
        while True:
            try:
                command = flow.send(reply)
            except StopIteration as end:
                result: _Result = end.value
                return result
            self.commands.append(command)
            match command:
                case Fetch():
                    reply = self._answer(command)
                case FetchAll(fetches=fetches):
                    reply = tuple(self._answer(one) for one in fetches)
                case Save() | SetAside() | KeepTrust() if self.handset:
                    reply = self.handset.act(command)
                case _:
                    reply = None

    def _answer(self, fetch: Fetch) -> Answer:
        return self.lost.get(fetch.service) or self.world.respond(fetch.request)

    @property
    def saves(self) -> list[Save]:
        return [command for command in self.commands if isinstance(command, Save)]

    @property
    def steps(self) -> list[str]:
        """What was wanted, in words."""
        return [_word(command) for command in self.commands if not isinstance(command, KeepTrust | Remark)]

    @property
    def remarks(self) -> list[Diagnostic]:
        """What was told to whoever mends it."""
        return [command.diagnostic for command in self.commands if isinstance(command, Remark)]

    def trust(self, url: str = ADDRESS) -> Trust:
        """What a device would know of a portal by now."""
        learned = Trust()
        for command in self.commands:
            if isinstance(command, KeepTrust) and command.portal == url:
                learned = learned.and_also(command.trust)
        return learned


def _word(command: Command) -> str:
    match command:
        case Fetch(service=service):
            return service
        case FetchAll(fetches=fetches):
            return " + ".join(one.service for one in fetches)
        case Skip(service=service):
            return f"no {service}"
        case Save():
            return "save"
        case _:
            return type(command).__name__


def signed_in(world: World, login: Login = ANN, earlier: Saved | None = None, pinned: str = "") -> Saved:
    """A phone that signed in."""
    return Play(world).run(sign_in(login, PORTAL, DEVICE, NOW, earlier=earlier, pinned=pinned))


def stopped(world: World, login: Login = ANN, lost: dict[str, NoAnswer] | None = None, pinned: str = "") -> Stopped:
    """A sign-in that stops, and saves nothing."""
    play = Play(world, lost)
    try:
        play.run(sign_in(login, PORTAL, DEVICE, NOW, pinned=pinned))
    except Stopped as early:
        assert not play.saves
        return early
    raise AssertionError("it did not stop")
