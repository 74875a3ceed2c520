"""The fleet limit (D22): how many phones may be logged out while how many ask, within a window that slides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from offhook.core.errors import Fault

# An install costs about a hundred bytes while it is in a window. Beyond this the limit becomes stricter, never laxer.
MOST: Final = 200_000


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most this share of the installs that ask within the window is logged out, and always `floor` of them."""

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


class Window:
    """What happened lately at one Cloud ID. An install counts once, however often it asks; times never go back."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        self._gone: dict[str, float] = {}

    def asked(self, install: str, now_s: float, limits: Limits) -> None:
        """An install asked for whatever it may ask for."""
        self._asked.pop(install, None)
        self._asked[install] = now_s
        _forget(self._asked, now_s - limits.window_s)

    def lets_go(self, install: str, now_s: float, limits: Limits) -> bool:
        """Whether this install may be logged out now; if so it is counted. One that was told already may be again."""
        _forget(self._gone, now_s - limits.window_s)
        if install in self._gone:
            return True
        if len(self._gone) >= max(limits.floor, limits.share * len(self._asked)):
            return False
        self._gone[install] = now_s
        return True

    def forgive(self) -> None:
        """Somebody looked at the logouts so far and confirmed or withdrew them: those to come are counted anew."""
        self._gone.clear()


def _forget(times: dict[str, float], before_s: float) -> None:
    while times:
        oldest = next(iter(times))
        if times[oldest] > before_s and len(times) <= MOST:
            return
        del times[oldest]
