"""What differs between two versions of something, place by place: each addition, change and removal, counted."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What happens to a place."""

    ADDITION = "addition"
    CHANGE = "change"
    REMOVAL = "removal"


class Line(msgspec.Struct, frozen=True):
    """One place that differs: what stands there before and after, None where there is nothing; secrets are masked."""

    kind: Kind
    place: str
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        if self.kind is Kind.ADDITION:
            return f"+ {self.place}: {self.after}"
        if self.kind is Kind.REMOVAL:
            return f"- {self.place} (was: {self.before})"
        return f"~ {self.place}: {self.before} -> {self.after}"


def count(lines: Collection[Line], kind: Kind) -> int:
    """How many lines are of a kind."""
    return sum(line.kind is kind for line in lines)


def summary(lines: Collection[Line]) -> str:
    """The counts in one line."""
    counts = [(kind, count(lines, kind)) for kind in Kind]
    return ", ".join(f"{number} {kind}{'' if number == 1 else 's'}" for kind, number in counts)
