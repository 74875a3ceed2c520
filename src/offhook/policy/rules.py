"""A policy: rules in the operator's order, and the segments that they speak of."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from offhook.core.errors import Fault
from offhook.core.keys import near
from offhook.policy.checking import Checked, faults_within
from offhook.policy.conditions import AnyCondition, Expression, InSegment, walk
from offhook.policy.effects import AnyEffect
from offhook.policy.facts import shown
from offhook.policy.resolution import Signature
from offhook.policy.rollout import Rollout
from offhook.policy.view import Condition

MAX_RULES: Final = 5000
MAX_SEGMENTS: Final = 500
MAX_EFFECTS: Final = 200
MAX_CONDITIONS: Final = 200
MAX_EXPRESSIONS: Final = 1000
MAX_DEPTH: Final = 8
# How many segments may stand in each other.
MAX_STEPS: Final = 8
_TANGLED: Final = (
    f"speaks of segments that speak of segments, and so on for more than {MAX_STEPS} steps, or in a circle"
)
_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Segment(Checked, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Subjects with a name, so that many rules can speak of them."""

    id: str
    when: AnyCondition
    title: Annotated[str, msgspec.Meta(max_length=200)] = ""

    def faults(self) -> Iterator[Fault]:
        yield from _id_faults(self.id)
        yield from _size_faults(self.when)


class Rule(Checked, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule: when it matches, its effects are laid into the answer.

    Without a condition it is for everybody. `paused` says why it is paused, and is empty when it is not; a paused rule
    is as good as absent, as is one that is not enabled. `takes_back` names the rule whose values it takes back from
    phones: such a rule stays, though a file that is published does not have it, until somebody withdraws it.
    `version`, `author` and `changed_s` are written when it is kept; what a file says of them does not count.
    """

    id: str
    title: Annotated[str, msgspec.Meta(max_length=200)] = ""
    enabled: bool = True
    paused: Annotated[str, msgspec.Meta(max_length=500)] = ""
    takes_back: Annotated[str, msgspec.Meta(max_length=64)] = ""
    version: Annotated[int, msgspec.Meta(ge=1, le=2**53)] = 1
    author: Annotated[str, msgspec.Meta(max_length=200)] = ""
    changed_s: Annotated[int, msgspec.Meta(ge=0, le=2**37)] = 0
    when: AnyCondition | None = None
    rollout: Rollout | None = None
    effects: Annotated[tuple[AnyEffect, ...], msgspec.Meta(max_length=MAX_EFFECTS)] = msgspec.field(
        default=(), name="then"
    )

    def faults(self) -> Iterator[Fault]:
        yield from _id_faults(self.id)
        if self.when is not None:
            yield from _size_faults(self.when)
        decided: dict[tuple[str, str], int] = {}
        for position, effect in enumerate(self.effects, 1):
            earlier = decided.setdefault(effect.target(), position)
            if earlier != position:
                what = " ".join(effect.target()).strip()
                yield Fault(f"then[{position}]", f"decides the {what} once more, after then[{earlier}]")

    @property
    def active(self) -> bool:
        """Whether it can match at all."""
        return self.enabled and not self.paused

    @property
    def signature(self) -> Signature:
        """Who is behind what it says."""
        return Signature(self.id, self.title, self.version, self.author, self.changed_s)


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that decides who gets what at one Cloud ID; of two rules that decide the same thing, the upper one counts."""

    number: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    segments: Annotated[tuple[Segment, ...], msgspec.Meta(max_length=MAX_SEGMENTS)] = ()
    rules: Annotated[tuple[Rule, ...], msgspec.Meta(max_length=MAX_RULES)] = ()


def named(signature: Signature) -> str:
    """A rule as a sentence speaks of it: `Rule gold-codecs (version 3, by ann, 2026-11-02)`."""
    notes = [f"version {signature.version}"]
    notes += [f"by {shown(signature.author)}"] if signature.author else []
    if signature.changed_s:
        notes.append(f"{datetime.fromtimestamp(signature.changed_s, UTC):%Y-%m-%d}")
    return f"Rule {signature.rule} ({', '.join(notes)})"


def place_of(table: str, position: int, identity: str) -> str:
    """Where a rule or segment stands, counted from one."""
    return f"{table}[{position}] {identity[:64]}".rstrip()


def check(policy: Policy) -> Iterator[Fault]:
    """Everything that is wrong with a policy, by place."""
    for position, segment in enumerate(policy.segments, 1):
        yield from faults_within(segment, place_of("segments", position, segment.id))
    for position, rule in enumerate(policy.rules, 1):
        yield from faults_within(rule, place_of("rules", position, rule.id))
    segments, rules = dict(enumerate(policy.segments, 1)), dict(enumerate(policy.rules, 1))
    yield from common_faults(segments, rules, [segment.id for segment in policy.segments])


def common_faults(
    segments: Mapping[int, Segment], rules: Mapping[int, Rule], known: Collection[str]
) -> Iterator[Fault]:
    """What is wrong with segments and rules, by their positions, together: ids given twice, strangers, circles.

    `known` are the names of all segments.
    """
    yield from _twice("segments", {position: segment.id for position, segment in segments.items()})
    yield from _twice("rules", {position: rule.id for position, rule in rules.items()})
    for position, segment in segments.items():
        yield from _strangers(segment.when, place_of("segments", position, segment.id), known)
    for position, rule in rules.items():
        if rule.when is not None:
            yield from _strangers(rule.when, place_of("rules", position, rule.id), known)
    by_id = {segment.id: segment.when for segment in segments.values()}
    yield from (Fault(f"segment {name}", _TANGLED) for name in tangled(by_id))
    conditions: list[Condition] = [*by_id.values(), *(rule.when for rule in rules.values() if rule.when is not None)]
    expressions = sum(isinstance(one, Expression) for condition in conditions for one in walk(condition))
    if expressions > MAX_EXPRESSIONS:
        yield Fault("rules", f"have {expressions:,} expressions; at most {MAX_EXPRESSIONS:,} are allowed")


def tangled(segments: Mapping[str, Condition]) -> list[str]:
    """The segments that lead back to themselves, or to others in too many steps."""
    waiting = {name: _spoken_of(condition) & segments.keys() for name, condition in segments.items()}
    for _ in range(MAX_STEPS):
        told = {name for name, others in waiting.items() if not others}
        waiting = {name: others - told for name, others in waiting.items() if name not in told}
    return list(waiting)


def _spoken_of(condition: Condition) -> set[str]:
    return {one.segment for one in walk(condition) if isinstance(one, InSegment)}


def _id_faults(identity: str) -> Iterator[Fault]:
    if _ID.fullmatch(identity) is None:
        yield Fault("id", "needs 1 to 64 small letters, digits, dots, dashes or underscores, such as gold-1")


def _size_faults(condition: Condition) -> Iterator[Fault]:
    if (deep := _depth(condition)) > MAX_DEPTH:
        yield Fault("when", f"is nested {deep} deep; at most {MAX_DEPTH} are allowed: make segments of its parts")
    if (count := sum(1 for _ in walk(condition))) > MAX_CONDITIONS:
        yield Fault("when", f"has {count} conditions; at most {MAX_CONDITIONS} are allowed")


def _strangers(condition: Condition, place: str, known: Collection[str]) -> Iterator[Fault]:
    for name in sorted(_spoken_of(condition).difference(known)):
        meant = near(name, known)
        hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(sorted({*known})[:10]) or 'none'}"
        yield Fault(f"{place}, when", f"speaks of the segment {shown(name)}, which there is not; {hint}")


def _depth(condition: Condition) -> int:
    return 1 + max(map(_depth, condition.parts()), default=0)


def _twice(table: str, ids: Mapping[int, str]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for position, identity in ids.items():
        earlier = first.setdefault(identity, position)
        if earlier != position:
            yield Fault(place_of(table, position, identity), f"has the id of {table}[{earlier}]")
