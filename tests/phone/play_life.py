"""The fourth driver: plays a life on a virtual clock, without a socket and without sleeping."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from offhook.core.errors import OffhookError
from offhook.core.login import Login
from offhook.phone.commands import (
    Answer,
    Command,
    Draw,
    Enter,
    Fetch,
    FetchAll,
    Flow,
    Look,
    Moment,
    NoAnswer,
    Register,
    Remark,
    Reply,
    Show,
    Skip,
    Unregister,
    Wait,
)
from offhook.phone.edge import advance
from offhook.phone.events import Event, Quit, TimePassed
from offhook.phone.handset import Handset
from offhook.phone.keystore import FileKeystore
from offhook.phone.life import Life
from offhook.phone.saved import Saved
from tests.phone.lossy import LossyDisk
from tests.phone.play import ANN, DEVICE, PORTAL
from tests.phone.world_life import LivingWorld

START_S: Final = 1000.0
WALL: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)

_Result = TypeVar("_Result")


class LifePlay:
    """One phone and its world; `told` is what happened, in words, each with its second since the start."""

    def __init__(self, world: LivingWorld | None = None, disk: LossyDisk | None = None) -> None:
        self.world, self.disk = world or LivingWorld(), disk or LossyDisk()
        self.now_s, self.chance, self.wall_skew_s = START_S, 0.5, 0.0
        self.lost: dict[str, NoAnswer] = {}
        self.coming: list[tuple[float, Event | Callable[[], object]]] = []
        self.commands: list[tuple[float, Command]] = []
        self.full: tuple[type[Command], ...] = ()
        self.life: Life | None = None
        keystore = FileKeystore(Path("/phone/keystore"), self.disk)
        self.handset = Handset(Path("/phone"), keystore=keystore, disk=self.disk, clock=self.wall, device=DEVICE)

    def wall(self) -> datetime:
        return WALL + timedelta(seconds=self.now_s - START_S + self.wall_skew_s)

    def sign_in(self, login: Login = ANN) -> Saved:
        return self.run(self.handset.signing_in(login, PORTAL))

    def live(self, for_s: float, *coming: tuple[float, Event | Callable[[], object]], fresh: bool = False) -> None:
        """Start the app and use it for so long; what happens is told in seconds from now."""
        self.coming = sorted(((self.now_s + at_s, what) for at_s, what in coming), key=lambda one: one[0])
        self.coming.append((self.now_s + for_s, Quit()))
        self.life = self.handset.living(fresh=fresh)
        self.run(self.life.run())

    def run(self, flow: Flow[_Result]) -> _Result:
        reply: Reply | OffhookError = None
        while True:
            try:
                command = advance(flow, reply)
            except StopIteration as end:
                result: _Result = end.value
                return result
            if not isinstance(command, Look | Draw | Wait):
                self.commands.append((self.now_s, command))
            reply = self._do(command)

    def _do(self, command: Command) -> Reply | OffhookError:
        if self.full and isinstance(command, self.full):
            return OffhookError("The disk is full.")
        match command:
            case Fetch():
                return self._answer(command)
            case FetchAll(fetches=fetches):
                return tuple(self._answer(one) for one in fetches)
            case Wait(until_s=until_s):
                return self._wait(until_s)
            case Look():
                return Moment(self.now_s, self.wall())
            case Draw():
                return self.chance
            case Register() | Unregister() | Enter() | Show() | Skip() | Remark():
                return None
            case _:
                try:
                    return self.handset.act(command)
                except OffhookError as error:
                    return error

    def _answer(self, fetch: Fetch) -> Answer:
        return self.lost.get(fetch.service) or self.world.respond(fetch.request)

    def _wait(self, until_s: float | None) -> Event:
        while self.coming and (until_s is None or self.coming[0][0] <= max(until_s, self.now_s)):
            at_s, what = self.coming.pop(0)
            self.now_s = max(self.now_s, at_s)
            if not callable(what):
                return what
            what()
        assert until_s is not None, "it would wait for ever"
        self.now_s = max(self.now_s, until_s)
        return TimePassed()

    # --- what happened -----------------------------------------------------------------------------------------------

    def times(self, service: str) -> list[float]:
        """When a service was asked, in seconds since the start."""
        return [at_s - START_S for at_s, command in self.commands if service in _services(command)]

    def all_of(self, kind: type[_Result]) -> list[_Result]:
        return [command for _, command in self.commands if isinstance(command, kind)]

    @property
    def states(self) -> list[str]:
        return [command.state.value for command in self.all_of(Enter)]

    @property
    def remarks(self) -> list[str]:
        return [str(command.diagnostic) for command in self.all_of(Remark)]

    @property
    def saved(self) -> Saved:
        saved = self.handset.saved().saved
        assert saved
        return saved

    def forget(self) -> None:
        """Begin a new page: what happened until now is not told again."""
        self.commands.clear()
        self.world.asked.clear()
        self.now_s = START_S


def _services(command: Command) -> tuple[str, ...]:
    match command:
        case Fetch(service=service):
            return (service,)
        case FetchAll(fetches=fetches):
            return tuple(one.service for one in fetches)
        case _:
            return ()


def phone(world: LivingWorld | None = None) -> LifePlay:
    """A phone that has signed in."""
    play = LifePlay(world)
    play.sign_in()
    play.forget()
    return play
