"""All kinds of condition, and those that are made of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, TypeAlias

import msgspec

from offhook.core.errors import Fault, Invalid
from offhook.core.keys import is_secret
from offhook.policy import cel
from offhook.policy.during import During
from offhook.policy.facts import (
    AppVersion,
    AtOccasion,
    Attribute,
    FromNetwork,
    InGroup,
    Installs,
    Locale,
    OsVersion,
    Platform,
    Version,
    Word,
    shown,
)
from offhook.policy.subject import Fact
from offhook.policy.view import NEVER, Condition, Known, Need, Needs, Truth, View

MAX_OF: Final = 100
MAX_SHOWN: Final = 120


class Expression(Condition, frozen=True, tag="expression"):
    """An expression in CEL is true; one that fails, or reads what is not known, is neither true nor false."""

    cel: Annotated[str, msgspec.Meta(min_length=1, max_length=cel.MAX_EXPRESSION)]

    def holds(self, view: View) -> Truth:
        return view.expression(self.cel)[0]

    def uses(self) -> Iterator[Fact]:
        return cel.facts(self.cel)

    def faults(self) -> Iterator[Fault]:
        try:
            cel.compile(self.cel)
        except Invalid as error:
            yield from error.faults
        for name in filter(is_secret, cel.attributes(self.cel)):
            yield Fault("cel", f"{shown(name)} is a secret, and no rule can read one")

    def told(self, view: View) -> str:
        truth, why = view.expression(self.cel)
        if truth is None:
            return f"{self._text()} cannot be told: {why}"
        return f"{self._text()} is {'true' if truth else 'false'}"

    def _text(self) -> str:
        text = " ".join(self.cel.split())
        return f"expression ({text if len(text) <= MAX_SHOWN else f'{text[:MAX_SHOWN]}…'})"

    def __str__(self) -> str:
        return f"{self._text()} is true"


class InSegment(Condition, frozen=True, tag="in_segment"):
    """The user is in a segment of the policy."""

    segment: Word

    def holds(self, view: View) -> Truth:
        return view.segment(self.segment)

    def needs(self, known: Known) -> Needs:
        return known.segments[self.segment]

    def flips_s(self, view: View) -> int | None:
        return view.segment_flips_s(self.segment)

    def told(self, view: View) -> str:
        within = {True: "in", False: "not in", None: "not known to be in"}[self.holds(view)]
        return f"{within} segment {shown(self.segment)} ({view.segment_told(self.segment)})"

    def __str__(self) -> str:
        return f"in segment {shown(self.segment)}"


class All(Condition, frozen=True, tag="all"):
    """All of these hold."""

    of: Annotated[tuple[AnyCondition, ...], msgspec.Meta(min_length=1, max_length=MAX_OF)]

    def holds(self, view: View) -> Truth:
        truth: Truth = True
        for part in self.of:
            found = part.holds(view)
            if found is False:
                return False
            truth = truth and found
        return truth

    def needs(self, known: Known) -> Needs:
        found = [needs for part in self.of if (needs := part.needs(known)) is not None]
        return min(found, key=known.cost, default=None)

    def flips_s(self, view: View) -> int | None:
        moments = [(part, part.flips_s(view)) for part in self.of]
        if any(moment is NEVER and part.holds(view) is False for part, moment in moments):
            return NEVER
        return min((moment for _, moment in moments if moment is not NEVER), default=NEVER)

    def parts(self) -> tuple[Condition, ...]:
        return self.of

    def told(self, view: View) -> str:
        truth = self.holds(view)
        said = (part.told(view) for part in self.of if part.holds(view) is truth)
        return " and ".join(said) if truth else "; ".join(said)

    def __str__(self) -> str:
        return " and ".join(_grouped(part) for part in self.of)


class Any(Condition, frozen=True, tag="any"):
    """At least one of these holds."""

    of: Annotated[tuple[AnyCondition, ...], msgspec.Meta(min_length=1, max_length=MAX_OF)]

    def holds(self, view: View) -> Truth:
        truth: Truth = False
        for part in self.of:
            found = part.holds(view)
            if found is True:
                return True
            truth = None if found is None else truth
        return truth

    def needs(self, known: Known) -> Needs:
        found: set[Need] = set()
        for part in self.of:
            needs = part.needs(known)
            if needs is None:
                return None
            found |= needs
        return frozenset(found)

    def flips_s(self, view: View) -> int | None:
        moments = [(part, part.flips_s(view)) for part in self.of]
        if any(moment is NEVER and part.holds(view) is True for part, moment in moments):
            return NEVER
        return min((moment for _, moment in moments if moment is not NEVER), default=NEVER)

    def parts(self) -> tuple[Condition, ...]:
        return self.of

    def told(self, view: View) -> str:
        truth = self.holds(view)
        said = [part.told(view) for part in self.of if part.holds(view) is truth]
        return said[0] if truth else "; ".join(said)

    def __str__(self) -> str:
        return " or ".join(_grouped(part) for part in self.of)


class Not(Condition, frozen=True, tag="not"):
    """The opposite of this holds. Of what is not known, the opposite is not known either."""

    of: AnyCondition

    def holds(self, view: View) -> Truth:
        truth = self.of.holds(view)
        return None if truth is None else not truth

    def flips_s(self, view: View) -> int | None:
        return self.of.flips_s(view)

    def parts(self) -> tuple[Condition, ...]:
        return (self.of,)

    def told(self, view: View) -> str:
        return self.of.told(view)

    def __str__(self) -> str:
        return f"not ({self.of})"


AnyCondition: TypeAlias = (
    Attribute
    | InGroup
    | InSegment
    | Platform
    | AppVersion
    | OsVersion
    | Locale
    | Version
    | Installs
    | During
    | AtOccasion
    | FromNetwork
    | Expression
    | All
    | Any
    | Not
)


def walk(condition: Condition) -> Iterator[Condition]:
    """A condition and all that it is made of; segments are not entered."""
    yield condition
    for part in condition.parts():
        yield from walk(part)


def reach(condition: Condition, segments: Mapping[str, Condition]) -> Iterator[Condition]:
    """The same, with the segments that it speaks of, each once."""
    waiting, seen = [condition], set[str]()
    while waiting:
        for one in walk(waiting.pop()):
            yield one
            if isinstance(one, InSegment) and one.segment not in seen:
                seen.add(one.segment)
                waiting.append(segments[one.segment])


def _grouped(part: Condition) -> str:
    return f"({part})" if len(part.parts()) > 1 else str(part)
