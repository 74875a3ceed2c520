"""What whoever watches a conversation is told: each step as it begins and ends, with its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Began(msgspec.Struct, frozen=True):
    """A step is under way; `place` is the scheme and host it goes to."""

    service: str
    place: str = ""


class Ended(msgspec.Struct, frozen=True):
    """A step is over. `status` is that of HTTP, None where there was no answer or no question."""

    service: str
    outcome: str
    elapsed_s: float
    status: int | None = None
    good: bool = True


class Skipped(msgspec.Struct, frozen=True):
    """A step was left out."""

    service: str
    why: str


Event: TypeAlias = Began | Ended | Skipped
Notice: TypeAlias = Callable[[Event], None]


def unwatched(event: Event) -> None:
    """Nobody watches."""
