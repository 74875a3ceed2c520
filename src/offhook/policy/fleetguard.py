"""The fleet limit (D22): how many users one decision, or several in a row, may log out before somebody confirms it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

from offhook.core.errors import Fault

# A user costs about a hundred bytes while they are in a window. Beyond this the limit becomes stricter, never laxer.
MOST: Final = 200_000


class Stage(StrEnum):
    """How far a decision got that logs users out."""

    FREE = "free"  # it concerns a few: nobody looks at it
    COUNTED = "counted"  # the first users of it go, up to the limit
    HELD = "held"  # the limit is reached: the others wait for an administrator
    RELEASED = "released"  # who let it go
    WITHDRAWN = "withdrawn"  # or undid it


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most this share of the users who ask within the window is logged out unseen, and always `floor` of them."""

    share: float = 0.05
    window_s: int = 600
    floor: int = 10

    def faults(self) -> Iterator[Fault]:
        """What is wrong with these limits."""
        if not 0 <= self.share <= 1:
            yield Fault("logout share", f"{self.share} is not between 0 and 1")
        if not 10 <= self.window_s <= 86400:
            yield Fault("logout window", f"{self.window_s} is not between 10 seconds and a day")
        if not 1 <= self.floor <= 1_000_000:
            yield Fault("logout floor", f"{self.floor} is not between 1 and 1,000,000")

    def frees(self, users: int, lately: int) -> bool:
        """Whether a decision on so many is its own confirmation, when others decided on `lately` within the window."""
        return users + lately <= self.floor

    def most(self, asked: int) -> float:
        """How many users go unseen while so many ask."""
        return max(self.floor, self.share * asked)


class Asking:
    """Who of one Cloud ID asked lately. A user counts once, with however many phones; times never go back."""

    def __init__(self) -> None:
        self._asked: dict[int, float] = {}

    def asked(self, user_id: int, now_s: float, limits: Limits) -> None:
        """A user's phone asked for whatever it may ask for."""
        self._asked.pop(user_id, None)
        self._asked[user_id] = now_s
        self._forget(now_s - limits.window_s)

    def count(self) -> int:
        """How many there were up to the last one."""
        return len(self._asked)

    def _forget(self, before_s: float) -> None:
        # Whoever asked just now is never forgotten, so there is an oldest one.
        while True:
            oldest = next(iter(self._asked))
            if self._asked[oldest] > before_s and len(self._asked) <= MOST:
                return
            del self._asked[oldest]
