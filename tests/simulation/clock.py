"""Virtual time: one heap of things to happen, and the server's clock on the wall, which may be wrong."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

# The moment at which every simulation begins, in seconds since 1970.
START_S: Final = 1_800_000_000
MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86400

Act: TypeAlias = Callable[[], None]


class Heap:
    """What is to happen, in the order of time; of two things at the same moment the one planned first."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.happened = 0
        self._acts: list[tuple[float, int, Act]] = []
        self._planned = 0

    def at(self, when_s: float, act: Act) -> None:
        """Plan something; what should have happened already happens next."""
        self._planned += 1
        heapq.heappush(self._acts, (max(when_s, self.now_s), self._planned, act))

    def after(self, delay_s: float, act: Act) -> None:
        """Plan something to happen a while from now."""
        self.at(self.now_s + delay_s, act)

    def run_until(self, end_s: float) -> None:
        """Let everything happen that is planned until then."""
        acts = self._acts
        while acts and acts[0][0] <= end_s:
            self.now_s, _, act = heapq.heappop(acts)
            self.happened += 1
            act()
        self.now_s = end_s


class WallClock:
    """The clock of the server, which may be set to another time while it runs."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self.skew_s = 0

    def now_s(self) -> int:
        """Whole seconds since 1970, as far as this clock knows."""
        return START_S + int(self._heap.now_s) + self.skew_s


def wall(moment_s: float) -> datetime:
    """A moment as a clock on the wall shows it."""
    return datetime.fromtimestamp(moment_s, UTC)
