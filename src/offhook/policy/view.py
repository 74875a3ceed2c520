"""What every condition has, and the subject as conditions see it: true, false, or not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from offhook.policy import cel
from offhook.policy.checking import Checked
from offhook.policy.subject import Fact, Subject

# None is "not known": neither a condition on an unknown fact nor the opposite of it holds. As in SQL, `all` is false as
# soon as one of its conditions is, and `any` true as soon as one is, whatever is not known of the others.
Truth: TypeAlias = bool | None

NEVER: Final = None
MAX_TOLD: Final = 400


class Need(NamedTuple):
    """One thing that a subject must have for a condition to hold, by which rules are found."""

    kind: str
    name: str
    value: str = ""


Needs: TypeAlias = frozenset[Need] | None


class Known(NamedTuple):
    """What is known of a whole policy: what its segments need, and how many rules share each need."""

    segments: dict[str, Needs]
    common: Mapping[Need, int]

    def cost(self, needs: frozenset[Need]) -> int:
        """How many rules share these needs, and would be tried together."""
        return sum(self.common.get(need, 0) for need in needs)


class Span(NamedTuple):
    """A truth that lasts from one moment until just before another; `until_s` is None when it lasts for ever."""

    since_s: int
    until_s: int | None
    truth: bool


class Condition(Checked, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="if"):
    """What all kinds of condition can tell; `str()` of one says what it wants."""

    def holds(self, view: View) -> Truth:
        """Whether the subject fulfils it."""
        return None

    def told(self, view: View) -> str:
        """Why it holds, or does not, or why that is not known: a clause."""
        return str(self)

    def needs(self, known: Known) -> Needs:
        """Without one of these it cannot hold; None when that cannot be said."""
        return None

    def flips_s(self, view: View) -> int | None:
        """The first moment after now at which it may change by itself, or NEVER."""
        return NEVER

    def uses(self) -> Iterator[Fact]:
        """The facts that it reads itself."""
        return iter(())

    def parts(self) -> tuple[Condition, ...]:
        """The conditions it is made of."""
        return ()


class View:
    """One subject during one evaluation; what several conditions ask for is found out once."""

    __slots__ = ("_evaluation", "_flips_s", "_told", "_truths", "programs", "segments", "spans", "subject")

    def __init__(
        self,
        subject: Subject,
        segments: Mapping[str, Condition],
        programs: Mapping[str, cel.Program],
        spans: dict[Condition, Span],
    ) -> None:
        self.subject = subject
        self.segments = segments
        self.programs = programs
        self.spans = spans
        self._truths: dict[str, Truth] = {}
        self._flips_s: dict[str, int | None] = {}
        self._told: dict[str, str] = {}
        self._evaluation: cel.Evaluation | None = None

    def expression(self, text: str) -> tuple[Truth, str]:
        """Whether an expression is true; if that cannot be told, why. Variables are made when the first one asks."""
        if self._evaluation is None:
            self._evaluation = cel.Evaluation(self.subject)
        return self._evaluation.find(text, self.programs[text])

    def segment(self, name: str) -> Truth:
        """Whether the subject is in a segment."""
        if name not in self._truths:
            self._truths[name] = self.segments[name].holds(self)
        return self._truths[name]

    def segment_flips_s(self, name: str) -> int | None:
        """When that may change by itself."""
        if name not in self._flips_s:
            self._flips_s[name] = self.segments[name].flips_s(self)
        return self._flips_s[name]

    def segment_told(self, name: str) -> str:
        """Why the subject is in a segment, or is not; cut short, since a segment may stand in another many times."""
        if name not in self._told:
            told = self.segments[name].told(self)
            self._told[name] = told if len(told) <= MAX_TOLD else f"{told[:MAX_TOLD]}…"
        return self._told[name]
