"""One simulated phone: the real conversations on virtual time, a disk that fails, and a memory of what it promised."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from offhook.core.errors import OffhookError
from offhook.core.login import CloudId, Login
from offhook.core.secret import Secret
from offhook.phone import events
from offhook.phone.commands import (
    Answer,
    Draw,
    DropReport,
    Enter,
    Erase,
    Fetch,
    FetchAll,
    Look,
    Moment,
    PutReport,
    Register,
    Remark,
    Save,
    Show,
    Skip,
    TakeReports,
    Unregister,
    Update,
    Wait,
)
from offhook.phone.device import Device
from offhook.phone.events import Event, TimePassed
from offhook.phone.handset import Handset
from offhook.phone.life import Life
from offhook.phone.portal import Portal
from offhook.phone.saved import Left, Saved
from offhook.phone.stopped import Stopped
from tests.phone.lossy import PowerLoss
from tests.simulation import things
from tests.simulation.clock import START_S, Heap, wall
from tests.simulation.disk import PhoneDisk
from tests.simulation.finding import Finding
from tests.simulation.kept import INSTALL_KEY, gone, records_of
from tests.simulation.things import Things
from tests.simulation.truth import PUBLIC_URL, User
from tests.simulation.watchers import Judge, Network

FOLDER: Final = Path("/phone")
PORTAL: Final = Portal(PUBLIC_URL)
STORY: Final = 60
NEVER: Final = float("inf")
_TOLD: Final = (Skip, Enter, Show, Remark, Register, Unregister)


class Phone:
    """A device. It is off until it is started, and off again after `stop`; `turn` counts its starts."""

    def __init__(self, number: int, heap: Heap, network: Network, judge: Judge, seed: str) -> None:
        self.number, self.heap, self.network, self.judge, self.random = number, heap, network, judge, Random(seed)
        self.device = Device(f"{number:032x}", locale="en")
        self.disk = self.make_disk()
        self.story: deque[tuple[float, str]] = deque(maxlen=STORY)
        self.skew_s = 0.0
        self.turn = self.waits = 0
        self.on = False
        self.offline_until_s = 0.0
        # Commands that the disk fails at, as a sector may go bad under one file and not under another.
        self.failing: tuple[type, ...] = ()
        self.life: Life | None = None
        self.flow: Any = None
        self.then: Callable[[Any], None] = self._ended
        # What the disk has promised, and what may be on it instead after a loss of power.
        self.acknowledged: Saved | Left | None = None
        self.under_way: Saved | Left | None = None
        self.reports: set[str] = set()
        self.reports_in_doubt: set[str] = set()
        self.reported_installs: set[str] = set()
        self.left_installs: dict[str, User] = {}
        self.things: dict[str, Things] = {}
        self.act: tuple[str, str] | None = None
        # Since when a service has answered without a fault, and when it was asked last with success.
        self.reaching_s: dict[str, float] = {}
        self.busy_since_s = self.free_since_s = 0.0
        self.told_to_leave_s, self.wants_out = NEVER, False
        self.user: User | None = None
        self.signing_in: User | None = None
        self.report_delivered = self.report_refused = False
        self._boot()

    # --- on and off --------------------------------------------------------------------------------------------------

    def make_disk(self) -> PhoneDisk:
        """What everything is kept on."""
        return PhoneDisk()

    def make_handset(self) -> Handset:
        """The app as it begins."""
        return Handset(FOLDER, disk=self.disk, clock=self.wall, device=self.device)

    def _boot(self) -> None:
        self.handset = self.make_handset()

    def wall(self) -> datetime:
        """What the clock on the phone's wall says."""
        return wall(START_S + self.heap.now_s + self.skew_s)

    def tell_story(self, line: str) -> None:
        """Remember what happened."""
        self.story.append((self.heap.now_s, line))

    def start(self) -> None:
        """Switch the phone on and start the app."""
        assert not self.on
        self.on, self.life, self.flow = True, None, None
        self.turn += 1
        self.began_s, self.floor_s = self.heap.now_s, 0.0
        self.inbox: deque[Event] = deque()
        self.waiting = False
        self.reaching_s = {}
        self.busy_since_s, self.free_since_s = 0.0, self.heap.now_s
        self.tell_story("starts")
        self._boot()
        try:
            opened = self.handset.vault.load()
            self.judge.started(self, opened.saved or opened.left, opened.damage)
            self.acknowledged = self.under_way = opened.saved or opened.left
            if opened.saved is not None:
                # What was under way when the power went is as if the user had just been told that it is kept.
                self._note(opened.saved)
            self.handset._clean_up()
        except PowerLoss:
            self.lose_power()
        except OffhookError as error:
            self.tell_story(f"cannot start: {error.text}")
            self.stop("cannot start")
        else:
            self._live(fresh=False)

    def stop(self, why: str) -> None:
        """End the app at once, wherever it is; the disk stays as it is."""
        if self.on:
            self.tell_story(f"ends: {why}")
            self.on, self.flow, self.life, self.signing_in, self.act = False, None, None, None, None
            self.turn += 1
            for one in self.things.values():
                one.told.clear()

    def lose_power(self) -> None:
        """End everything at once, and lose what was not safe."""
        told = {owner: list(one.told) for owner, one in self.things.items()}
        self.stop("the power is gone")
        for owner, waiting in told.items():
            self.things[owner].told = waiting
        self.disk = self.disk.found_after_power_loss(self.random)

    def _live(self, *, fresh: bool) -> None:
        self.life = self.handset.living(fresh=fresh)
        self.judge.begun(self)
        self._run(self.life.run(), self._ended)

    def _ended(self, left: Left | None) -> None:
        self.tell_story("has nothing to do" if left is None else "is signed out")
        self.flow = None
        self.judge.rested(self)

    # --- the user ----------------------------------------------------------------------------------------------------

    @property
    def is_signed_in(self) -> bool:
        """Whether somebody uses this phone."""
        return self.on and self.life is not None and self.life.saved is not None and self.life.farewell is None

    @property
    def is_on_record(self) -> bool:
        """Whether the life of this phone has a record to write into."""
        return self.on and self.life is not None and self.life.saved is not None

    def things_of(self, owner: str) -> Things:
        """What a user made here."""
        return self.things.setdefault(owner, Things())

    def sign_in(self, user: User) -> None:
        """Somebody signs in; whatever the phone did before is left as it is."""
        assert self.on
        self.tell_story(f"{user} signs in")
        self.turn += 1
        self.inbox.clear()
        self.life, self.signing_in, self.act = None, user, None
        self.told_to_leave_s, self.wants_out = NEVER, False
        self.reaching_s = {}
        login = Login(CloudId.parse(user.cloud_id), user.name, Secret(user.password))
        self._run(self.handset.signing_in(login, PORTAL), self._signed_in)

    def _signed_in(self, saved: Saved) -> None:
        self.tell_story(f"{saved.username} is signed in as install {saved.account.text(INSTALL_KEY)}")
        self.user, self.signing_in = self.signing_in, None
        self._live(fresh=True)

    def tell(self, event: Event) -> None:
        """Something happens to the phone, or its user does something."""
        if not self.on or self.flow is None or self.life is None:
            return
        self.inbox.append(event)
        if self.waiting:
            self.waiting = False
            self.heap.at(self.heap.now_s, partial(self._wake, self.turn, self.waits, None))

    # --- the conversation --------------------------------------------------------------------------------------------

    def monotonic_s(self) -> float:
        """The clock that never steps; it begins anew at every start."""
        return max(self.heap.now_s - self.began_s, self.floor_s)

    def _run(self, flow: Any, then: Callable[[Any], None]) -> None:  # noqa: ANN401 - conversations of several kinds
        self.flow, self.then, self.waiting = flow, then, False
        self._go(None)

    def _go(self, reply: object) -> None:
        """Perform the conversation until it waits for something."""
        error: OffhookError | None = None
        flow = self.flow
        # Nothing that a phone does by itself takes time.
        now = Moment(self.monotonic_s(), self.wall())
        try:
            while True:
                command = flow.send(reply) if error is None else flow.throw(error)
                error = None
                match command:
                    case Look():
                        reply = now
                    case Wait(until_s=until_s):
                        event = self._next(until_s)
                        if event is None:
                            return
                        reply = event
                    case Fetch():
                        self._ask((command,), together=False)
                        return
                    case FetchAll(fetches=fetches):
                        self._ask(fetches, together=True)
                        return
                    case Draw():
                        reply = self.random.random()
                    case _:
                        try:
                            reply = self._perform(command)
                        except OffhookError as refused:
                            error = refused
        except StopIteration as end:
            self.then(end.value)
        except Stopped as early:
            self._refused(early, early.detail)
        except OffhookError as broken:
            if self.signing_in is None:
                self.judge.failed(self, broken)
            self._refused(broken, "the disk does not play along")
        except PowerLoss:
            self.lose_power()
        except Finding:
            raise
        except (AssertionError, LookupError, TypeError, ValueError, AttributeError) as broken:
            self.judge.failed(self, broken)

    def _refused(self, early: OffhookError, detail: str) -> None:
        self.judge.told(self, f"{early.text} {detail}")
        self.tell_story(f"the sign-in stopped: {early.text} ({detail})")
        self.signing_in = None
        self._live(fresh=False)

    def _perform(self, command: Any) -> object:  # noqa: ANN401 - any command that needs neither time nor network
        self.judge.seen(self, command)
        if isinstance(command, _TOLD):
            self._say(command)
            return None
        self._before(command)
        try:
            if isinstance(command, self.failing):
                raise OffhookError(f"The disk fails at {type(command).__name__}.")
            reply = self.handset.act(command)
        except OffhookError as error:
            self.tell_story(f"{type(command).__name__} fails: {error.text}")
            self.judge.told(self, error.text)
            self.reaching_s = {}
            raise
        self._after(command)
        return reply

    def _before(self, command: object) -> None:
        if isinstance(command, Save | Update):
            self.under_way = command.saved
        elif isinstance(command, Erase):
            self.under_way = command.left
        elif isinstance(command, DropReport):
            self.reports_in_doubt.add(command.report_id)
            self.judge.dropped(self, command.report_id)

    def _after(self, command: object) -> None:
        match command:
            case Save(saved=saved) | Update(saved=saved):
                before, self.acknowledged = self.acknowledged, saved
                for one in gone(before, saved):
                    self.judge.left(self, one)
                found = self._note(saved)
                self.judge.told(self, repr(command))
                self.judge.kept(self, saved, found)
            case Erase(left=left):
                before, self.acknowledged = self.acknowledged, left
                if isinstance(before, Saved):
                    self.judge.left(self, before)
                    self.told_to_leave_s, self.wants_out = NEVER, False
                    self.user = None
            case PutReport(report=report):
                self.judge.told(self, repr(command))
                self.reports.add(report.id)
                if going := next((one for one in records_of(self.acknowledged) if one.leaving is not None), None):
                    self.reported_installs.add(going.account.text(INSTALL_KEY))
                self.tell_story(f"puts removal report {report.id[:8]} into the queue, try {report.attempts}")
            case DropReport(report_id=name):
                self.reports.discard(name)
                self.reports_in_doubt.discard(name)
                self.tell_story(f"drops removal report {name[:8]}")
            case TakeReports():
                pass
            case _:
                self.tell_story(type(command).__name__)

    def _note(self, saved: Saved) -> dict[str, str]:
        found = things.of_record(saved)
        self.things_of(saved.owner).note(found)
        return found

    def _say(self, command: Any) -> None:  # noqa: ANN401 - what is told
        if isinstance(command, Enter):
            self.tell_story(f"is {command.state}")
        elif isinstance(command, Show):
            self.judge.told(self, command.message)
            self.tell_story(f"shows: {command.message}")
            if self.act is not None and self.user is not None:
                self.things_of(self.user.owner).forget(self.act[0])
        elif isinstance(command, Remark):
            self.judge.told(self, str(command.diagnostic))
            self.tell_story(f"remarks: {command.diagnostic}")

    # --- waiting -----------------------------------------------------------------------------------------------------

    def _next(self, until_s: float | None) -> Event | None:
        self._deal_with_act()
        if self.inbox:
            event = self.inbox.popleft()
            self.judge.seen(self, event)
            if isinstance(event, events.Edit | events.DialAdded):
                self.act = things.thing(event)
            return event
        if until_s is not None and until_s <= self.monotonic_s():
            return TimePassed()
        self.waiting = True
        self.waits += 1
        if until_s is not None:
            self.heap.at(self.began_s + until_s, partial(self._wake, self.turn, self.waits, until_s))
        self.judge.rested(self)
        return None

    def _deal_with_act(self) -> None:
        if self.act is not None:
            self.judge.edited(self)
            self.act = None

    def _wake(self, turn: int, wait: int, until_s: float | None) -> None:
        if turn != self.turn or wait != self.waits or (until_s is not None and not self.waiting):
            return
        self.waiting = False
        if until_s is not None:
            self.floor_s = max(self.floor_s, until_s)
        event = self._next(until_s if until_s is not None else None)
        if event is not None:
            self._go(event)

    def _ask(self, fetches: tuple[Fetch, ...], *, together: bool) -> None:
        self._deal_with_act()
        answers: dict[int, Answer] = {}

        def take(place: int, answer: Answer) -> None:
            if turn != self.turn:
                return
            answers[place] = answer
            if len(answers) == len(fetches):
                self._go(tuple(answers[one] for one in range(len(fetches))) if together else answer)

        turn = self.turn
        for place, one in enumerate(fetches):
            self.judge.seen(self, one)
            self.network.ask(self, one, partial(take, place))
