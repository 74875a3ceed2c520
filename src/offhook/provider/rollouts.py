"""Rollouts under guard: a census of their phones from time to time, and what the guard decides from it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol

import msgspec

from offhook.core.errors import Conflict, Invalid, NotFound
from offhook.policy import document
from offhook.policy.evaluate import Compiled
from offhook.policy.guarding import Counts, Open, Pause, Ruling, judge
from offhook.policy.rollout import Rollout
from offhook.policy.rules import Rule
from offhook.provider import evidence
from offhook.provider.evidence import INTERVAL_KEY, Span, TurnedAway
from offhook.provider.explain import BaseSource
from offhook.provider.policies import Policies
from offhook.provider.policyversion import PolicyVersion, State
from offhook.provider.population import Member, PopulationStore
from offhook.provider.ports import Clock, TenantStore
from offhook.provider.proposal import Proposal
from offhook.provider.rollouttally import Tally
from offhook.provider.subscriber import State as UserState
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Tenant

AUTHOR: Final = "rollout guard"
EVERY_S: Final = 300
# So many users are looked at together, and then the server's own work goes on.
BATCH: Final = 200


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a guard found of one rule in one version, at one stage that so many phones are at since a moment."""

    rule: str
    version: int
    stage: int
    since_s: int
    at_s: int
    treated: Counts
    others: Counts
    ruling: Ruling


class Round(msgspec.Struct, frozen=True):
    """All that the guards of a Cloud ID found last; `at_s` is when somebody began to look."""

    at_s: int
    reports: tuple[Report, ...] = ()

    def of(self, rule: str) -> Report | None:
        """What was found of one rule, in whatever version."""
        return next((report for report in self.reports if report.rule == rule), None)


class RoundStore(Protocol):
    """What guards need beside users and policies. Every method may raise Unavailable."""

    def claim(self, cloud_id: str, now_s: int, every_s: int) -> Round | None:
        """The last round, if the next one is due and nobody else has begun it; from then on it is the caller's."""

    def keep(self, cloud_id: str, found: Round) -> None:
        """Keep what was found, in place of what was found before."""

    def latest(self, cloud_id: str) -> Round | None:
        """What was found last, if anybody has looked yet."""

    def turned_away(self, cloud_id: str, users: Sequence[int], since_s: int) -> Mapping[int, TurnedAway]:
        """Which of these users were refused at a sign-in since then."""


class Registrations(Protocol):
    """What a SIP system knows of whether phones are registered."""

    def registered(self, users: Sequence[Subscriber]) -> Mapping[int, bool]:
        """Whether a phone of each user is registered now, by the user's id; of whom nothing is known is left out."""


class Unasked:
    """No SIP system is asked: nothing is known of any user, which is no trouble."""

    def registered(self, users: Sequence[Subscriber]) -> Mapping[int, bool]:
        """As the port says."""
        return {}


class Ruled(NamedTuple):
    """What a guard has done."""

    cloud_id: str
    rule: str
    ruling: Pause | Open

    @property
    def event(self) -> str:
        """How it is called in the log."""
        return "rollout.paused" if isinstance(self.ruling, Pause) else "rollout.opened"


class Standing(NamedTuple):
    """A guarded rollout of the Live policy, and what was found of it last."""

    rule: Rule
    report: Report | None


class _Watched(NamedTuple):
    """A Live policy with guarded rollouts."""

    policy: Compiled
    rules: tuple[tuple[Rule, Rollout], ...]
    published_s: int


class Rollouts:
    """The use cases. Any number of servers may look on; what one of them has begun, no other one does."""

    def __init__(
        self,
        *,
        policies: Policies,
        tenants: TenantStore,
        population: PopulationStore,
        rounds: RoundStore,
        portal: BaseSource,
        clock: Clock,
        registrations: Registrations | None = None,
    ) -> None:
        self._policies, self._tenants, self._population, self._rounds = policies, tenants, population, rounds
        self._portal, self._clock, self._registrations = portal, clock, registrations or Unasked()
        # By Cloud ID, of its Live policy: the number, and what is to be watched there.
        self._known: dict[str, tuple[int, _Watched | None]] = {}

    def look(self, rest: Callable[[], None] = lambda: None) -> Iterator[Ruled]:
        """Look at all rollouts that are due; tells what it does. `rest` is called now and then.

        Raises Unavailable, and then nothing is decided of those that were not looked at yet.
        """
        for tenant in self._tenants.all():
            watched = self._watched(tenant)
            if watched is None:
                continue
            now_s = self._clock.now_s()
            before = self._rounds.claim(tenant.cloud_id, now_s, EVERY_S)
            if before is not None:
                yield from self._look_at(tenant.cloud_id, watched, before, now_s, rest)

    def show(self, version: PolicyVersion) -> list[Standing]:
        """The guarded rollouts of a Live policy; none of any other one."""
        if version.state is not State.LIVE:
            return []
        found = self._rounds.latest(version.cloud_id) or Round(0)
        rules = document.parse(version.text).rules
        guarded = (rule for rule in rules if rule.rollout is not None and rule.rollout.guard is not None)
        return [Standing(rule, found.of(rule.id)) for rule in guarded]

    def _watched(self, tenant: Tenant) -> _Watched | None:
        if not tenant.policy:
            return None
        number, watched = self._known.get(tenant.cloud_id, (0, None))
        if number != tenant.policy:
            try:
                watched = _read(self._policies.show(tenant.cloud_id, tenant.policy))
            except (Invalid, NotFound):
                # Phones are told that it cannot be read; there is nothing to watch.
                watched = None
            self._known[tenant.cloud_id] = tenant.policy, watched
        return watched

    def _look_at(
        self, cloud_id: str, watched: _Watched, before: Round, now_s: int, rest: Callable[[], None]
    ) -> Iterator[Ruled]:
        spans = {rule.id: _span(rule, rollout, watched, before, now_s) for rule, rollout in watched.rules}
        tally = Tally(watched.policy, spans, self._usual_s(cloud_id))
        since_s = min(span.since_s for span in spans.values())
        for members in _batches(self._population.all_of(cloud_id)):
            users = [subscriber for subscriber, _ in members]
            turned_away = self._rounds.turned_away(cloud_id, [user.id for user in users], since_s)
            registered = self._registrations.registered(users)
            for subscriber, phones in members:
                if _may_ask(subscriber, now_s):
                    unregistered = not registered.get(subscriber.id, True)
                    tally.add(subscriber, phones, turned_away.get(subscriber.id), unregistered=unregistered)
            rest()
        reports = [(rule, _report(rule, rollout, spans[rule.id], tally)) for rule, rollout in watched.rules]
        self._rounds.keep(cloud_id, Round(now_s, tuple(report for _, report in reports)))
        for rule, report in reports:
            if ruled := self._obey(cloud_id, rule, report.ruling):
                yield ruled

    def _usual_s(self, cloud_id: str) -> int | None:
        """When the portal tells phones to ask; None when that is not known here."""
        base = self._portal.base(cloud_id, False)
        if base is None:
            return None
        return evidence.interval(base.account[INTERVAL_KEY].content if INTERVAL_KEY in base.account else "")

    def _obey(self, cloud_id: str, rule: Rule, ruling: Ruling) -> Ruled | None:
        """Do what a guard decides, unless somebody has changed the rule while it looked."""
        try:
            match ruling:
                case Pause(reason):
                    note = f"paused {rule.id}: {reason}"
                    proposal = self._policies.propose_pausing(cloud_id, rule.id, reason, AUTHOR)
                case Open(opened):
                    note = f"stage {opened} of {rule.id} begins"
                    proposal = self._policies.propose_opening(cloud_id, rule.id, opened, AUTHOR)
                case _:
                    return None
            if not _is_live(rule, proposal):
                return None
            self._policies.publish(proposal, AUTHOR, note)
        except (Conflict, NotFound):
            return None
        return Ruled(cloud_id, rule.id, ruling)


def _read(version: PolicyVersion) -> _Watched | None:
    policy = document.parse(version.text)
    rollouts = ((rule, rule.rollout) for rule in policy.rules if rule.active)
    guarded = tuple((rule, rollout) for rule, rollout in rollouts if rollout is not None and rollout.guard is not None)
    return _Watched(Compiled(policy), guarded, version.published_s or 0) if guarded else None


def _span(rule: Rule, rollout: Rollout, watched: _Watched, before: Round, now_s: int) -> Span:
    """Since when the rule is for whom it is for now.

    That is when its stage began, or its policy was published. When it was looked at before and is the same, the moment
    of then counts, so that whoever publishes something else does not make the guard begin anew.
    """
    assert rollout.guard is not None
    known = before.of(rule.id)
    if known is not None and (known.version, known.stage) == (rule.version, rollout.stage(now_s)):
        return Span(known.since_s, now_s, rollout.guard.window_s)
    return Span(max(rollout.changed_s(now_s), watched.published_s), now_s, rollout.guard.window_s)


def _report(rule: Rule, rollout: Rollout, span: Span, tally: Tally) -> Report:
    counts = tally.of(rule.id)
    ruling = judge(rollout, *counts, span.now_s, tally.known_s(rule.id))
    return Report(rule.id, rule.version, rollout.stage(span.now_s), span.since_s, span.now_s, *counts, ruling)


def _may_ask(subscriber: Subscriber, now_s: int) -> bool:
    """Whether there is nothing that keeps their phones out whatever rules say."""
    over = subscriber.expires_s is not None and subscriber.expires_s <= now_s
    return subscriber.state is UserState.ACTIVE and not over


def _is_live(rule: Rule, proposal: Proposal) -> bool:
    return proposal.live is not None and rule in proposal.live.rules


def _batches(members: Iterable[Member]) -> Iterator[list[Member]]:
    walking = iter(members)
    while batch := list(islice(walking, BATCH)):
        yield batch
