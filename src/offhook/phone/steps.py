"""What whoever watches a conversation is told: each step as it begins and ends, with its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.phone.states import State


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


class Entered(msgspec.Struct, frozen=True):
    """The phone is in another state now."""

    state: State


class Waiting(msgspec.Struct, frozen=True):
    """Nothing is to be done for so many seconds; None: until something happens."""

    seconds: float | None


class Shown(msgspec.Struct, frozen=True):
    """Words for the person with the phone."""

    message: str


class Remarked(msgspec.Struct, frozen=True):
    """Something was tolerated, or went wrong."""

    diagnostic: Diagnostic


Event: TypeAlias = Began | Ended | Skipped | Entered | Waiting | Shown | Remarked
Notice: TypeAlias = Callable[[Event], None]


def unwatched(event: Event) -> None:
    """Nobody watches."""
