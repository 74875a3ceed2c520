"""A fleet: thousands of real phones in one event loop, in memory, and what they saw of a server.

fleet = Fleet(logins, Portal(url), Pace(ramp_s=60))
async with Connections(200, fleet.told) as network:
    await fleet.run(network, for_s=7200)
print(fleet.report())
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from offhook.core import mergeable, webservice
from offhook.core.errors import TooMany, Unavailable
from offhook.core.login import Login
from offhook.core.mergeable import Value
from offhook.core.webservice import Response
from offhook.phone import agenda
from offhook.phone.agenda import Due
from offhook.phone.alike import shared
from offhook.phone.changes import Change, Changes
from offhook.phone.commands import Answer, DeviceCommand, DeviceReply, Fetch, Update
from offhook.phone.device import Device
from offhook.phone.edge import Edge
from offhook.phone.flow import sign_in
from offhook.phone.life import Life
from offhook.phone.living import Network, Surroundings, live
from offhook.phone.pocket import Pocket
from offhook.phone.portal import Portal
from offhook.phone.saved import Saved
from offhook.phone.spread import Percentiles, Spread
from offhook.phone.states import State
from offhook.phone.steps import Ended, Entered, Event, Remarked, Waiting
from offhook.phone.stopped import Stopped
from offhook.phone.talk import ACCOUNT_PART, BASE, GLOBAL_PART
from offhook.phone.useragent import NoUserAgent

SOURCE: Final = "fleet"
COMING: Final = "not started"
SIGNING_IN: Final = "signing in"
TRYING_AGAIN: Final = "trying to sign in again"
REFUSED: Final = "could not sign in"
# What may differ without end is counted up to so many different ones.
MOST_WORDS: Final = 200
OTHERS: Final = "others"
# How often the loop is asked whether it is late: beyond some hundredths of a second, the fleet measures itself.
LATENESS_EVERY_S: Final = 0.1

_AGED: Final = (ACCOUNT_PART, GLOBAL_PART, BASE)
_AGENT: Final = NoUserAgent()


class Pace(msgspec.Struct, frozen=True):
    """How fast a fleet is: its phones start evenly within `ramp_s`.

    `interval_s`, unless None, is how often each asks for its account and the global part, whatever the provider says.
    """

    ramp_s: float = 0.0
    interval_s: int | None = None


class Service(msgspec.Struct, frozen=True):
    """What a service answered: how often with which status or fault, and how quickly."""

    name: str
    answers: dict[str, int]
    latency: Percentiles


class Report(msgspec.Struct, frozen=True):
    """What a fleet saw.

    `ages` say, of the phones that are signed in, how long ago each was last told that it is up to date, or made so;
    `lateness` is that of the fleet's own event loop, which is part of every latency.
    """

    phones: int
    elapsed_s: float
    states: dict[str, int]
    services: tuple[Service, ...]
    ages: dict[str, Percentiles]
    changes: tuple[Change, ...]
    errors: dict[str, int]
    notes: dict[str, int]
    lateness: Percentiles


class Words:
    """Counts texts, of which there may be any number."""

    def __init__(self) -> None:
        self.counted: dict[str, int] = {}

    def add(self, text: str) -> None:
        """Count one."""
        known = text in self.counted or len(self.counted) < MOST_WORDS
        self.counted[text if known else OTHERS] = self.counted.get(text if known else OTHERS, 0) + 1


class Fleet:
    """The phones of some logins, one for each."""

    def __init__(
        self, logins: Sequence[Login], portal: Portal, pace: Pace, *, chance: Callable[[], float] = random.random
    ) -> None:
        self.portal, self.pace, self.chance = portal, pace, chance
        self.members = [Member(self, number, login) for number, login in enumerate(logins)]
        self.states = Counter({COMING: len(self.members)})
        self.errors, self.notes = Words(), Words()
        self.changes = Changes(_now())
        self.checked_s = {service: array("d", [math.nan]) * len(self.members) for service in _AGED}
        self.lateness = Spread()
        self.rested: Saved | None = None
        self._answers: dict[str, Counter[str]] = {}
        self._latency: dict[str, Spread] = {}
        self._began_s = time.monotonic()

    async def run(self, network: Network, for_s: float) -> None:
        """Let the phones live so long, or until all of them are signed out. When it is cancelled, they end at once."""
        self._began_s = time.monotonic()
        lives: list[asyncio.Task[None]] = []
        watching = asyncio.ensure_future(self._watch())
        try:
            async with asyncio.timeout(for_s):
                for member in self.members:
                    due_s = self._began_s + self.pace.ramp_s * member.number / len(self.members)
                    await asyncio.sleep(max(due_s - time.monotonic(), 0.0))
                    lives.append(asyncio.ensure_future(member.live(network)))
                await asyncio.gather(*lives)
        except TimeoutError:
            pass
        finally:
            await _end(watching, *lives)

    def report(self) -> Report:
        """What was seen until now."""
        now_s = time.monotonic()
        return Report(
            phones=len(self.members),
            elapsed_s=round(now_s - self._began_s, 1),
            states={state: count for state, count in self.states.items() if count},
            services=tuple(
                Service(name, dict(sorted(answers.items())), self._latency[name].percentiles())
                for name, answers in self._answers.items()
            ),
            ages={
                service: Spread(now_s - at_s for at_s in moments if not math.isnan(at_s)).percentiles()
                for service, moments in self.checked_s.items()
            },
            changes=self.changes.all(),
            errors=self.errors.counted,
            notes=self.notes.counted,
            lateness=self.lateness.percentiles(),
        )

    def told(self, event: Event) -> None:
        """Watch the network."""
        if isinstance(event, Ended):
            self._answers.setdefault(event.service, Counter())[event.outcome] += 1
            self._latency.setdefault(event.service, Spread()).add(event.elapsed_s)

    async def _watch(self) -> None:
        while True:
            due_s = time.monotonic() + LATENESS_EVERY_S
            await asyncio.sleep(LATENESS_EVERY_S)
            self.lateness.add(max(time.monotonic() - due_s, 0.0))


class Member:
    """One phone of a fleet: a real one, except that it keeps its things in a pocket and registers with nobody."""

    __slots__ = ("device", "fleet", "life", "login", "network", "number", "pocket", "rested", "state")

    def __init__(self, fleet: Fleet, number: int, login: Login) -> None:
        self.fleet, self.number, self.login = fleet, number, login
        self.network: Network | None = None
        self.life: Life | None = None
        self.rested: Saved | None = None
        self.pocket, self.state = Pocket(), COMING
        self.device = Device(install_id=f"{random.getrandbits(128):032x}")

    async def live(self, network: Network) -> None:
        """Sign in, trying again where that makes sense, and live on."""
        self.network = network
        around = Surroundings(self, Edge(self._act, self._hear), agent=_AGENT, chance=self.fleet.chance)
        if await self._signs_in(around):
            self.life = Life(self.device, self.pocket.saved, fresh=True)
            await live(self.life.run(), around)

    async def ask(self, fetch: Fetch) -> Answer:
        """Be the network of this phone: the one of the fleet, with a look at what comes of it."""
        assert self.network is not None
        answer = await self.network.ask(fetch)
        if isinstance(answer, Response) and (200 <= answer.status < 300 or answer.status == 304):
            if fetch.service in self.fleet.checked_s:
                self.fleet.checked_s[fetch.service][self.number] = time.monotonic()
        elif self.state != SIGNING_IN and not self._is_logout(fetch.service, answer):
            fault = f"answered {answer.status}" if isinstance(answer, Response) else answer.why.value
            self.fleet.errors.add(f"{fetch.service}: {fault}")
        return answer

    async def _signs_in(self, around: Surroundings) -> bool:
        due = Due()
        while True:
            self._enter(SIGNING_IN)
            try:
                saved = await live(sign_in(self.login, self.fleet.portal, self.device, _now()), around)
            except Stopped as early:
                self.fleet.errors.add(f"sign-in: {early.detail}")
                if not isinstance(early.what, TooMany | Unavailable):
                    self._enter(REFUSED)
                    return False
                wait_s, again_s = early.what.retry_after_s, agenda.LONGEST_RETRY_S
            else:
                self.pocket.saved = _paced(saved, self.fleet.pace.interval_s)
                return True
            now_s = time.monotonic()
            due = agenda.after_failure(due, now_s, again_s, wait_s, around.chance())
            assert due.at_s is not None
            self._enter(TRYING_AGAIN)
            await asyncio.sleep(due.at_s - now_s)

    def _is_logout(self, service: str, answer: Answer) -> bool:
        """Whether this is how the provider signs a phone out, which is no error."""
        if service != ACCOUNT_PART or not isinstance(answer, Response) or self.pocket.saved is None:
            return False
        definition = webservice.define(webservice.REPROVISIONING, self.pocket.saved.account.text)
        return definition is not None and answer.status == definition.logout_status

    def _act(self, command: DeviceCommand) -> DeviceReply:
        before = self.pocket.saved
        if isinstance(command, Update) and before is not None:
            self.fleet.changes.kept(before, command.saved, time.monotonic(), _now())
        return self.pocket.act(command)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Entered):
            self._enter(event.state.value)
            if event.state is State.SIGNED_OUT:
                for moments in self.fleet.checked_s.values():
                    moments[self.number] = math.nan
        elif isinstance(event, Remarked):
            self.fleet.notes.add(str(event.diagnostic))
        elif isinstance(event, Waiting) and self.life and self.life.saved:
            self._rest(self.life, self.life.saved)

    def _rest(self, life: Life, saved: Saved) -> None:
        """Share what this phone has with the one that came to rest before it: that is most of it."""
        if saved is not self.rested:
            life.saved = self.rested = self.pocket.saved = shared(saved, self.fleet.rested or saved)
            self.fleet.rested = self.rested

    def _enter(self, state: str) -> None:
        self.fleet.states[self.state] -= 1
        self.fleet.states[state] += 1
        self.state = state


def _paced(saved: Saved, interval_s: int | None) -> Saved:
    """The record with the fleet's own interval, at the user's rank, so that no later answer undoes it."""
    if interval_s is None:
        return saved
    keys = (f"{prefix}Interval" for prefix in (webservice.REPROVISIONING, webservice.GLOBAL_REPROVISIONING))
    own = {key: Value(str(interval_s), mergeable.USER, SOURCE) for key in keys}
    return msgspec.structs.replace(saved, account=mergeable.merge(saved.account, own))


async def _end(*tasks: asyncio.Task[None]) -> None:
    """End what still runs, and hear what went wrong in it: a phone that broke is a bug, not a finding."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


def _now() -> datetime:
    return datetime.now(UTC)
