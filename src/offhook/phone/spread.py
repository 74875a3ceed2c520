"""How numbers are spread: percentiles of any number of durations in little memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec

# Each box is 2% wider than the one before, so a percentile is at most that much too large.
_GROWTH: Final = 1.02
_LEAST_S: Final = 1e-6


class Percentiles(msgspec.Struct, frozen=True):
    """Half, all but one in 20, all but one in 100, and all of `count` durations took at most so many seconds."""

    count: int = 0
    p50_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0
    max_s: float = 0.0


class Spread:
    """Counts durations in boxes."""

    __slots__ = ("_boxes", "_count", "_longest_s")

    def __init__(self, durations_s: Iterable[float] = ()) -> None:
        self._boxes: dict[int, int] = {}
        self._count, self._longest_s = 0, 0.0
        for duration_s in durations_s:
            self.add(duration_s)

    def add(self, duration_s: float) -> None:
        """Count one."""
        box = math.ceil(math.log(max(duration_s, _LEAST_S) / _LEAST_S, _GROWTH))
        self._boxes[box] = self._boxes.get(box, 0) + 1
        self._count += 1
        self._longest_s = max(self._longest_s, duration_s)

    def percentiles(self) -> Percentiles:
        """What was counted until now."""
        p50_s, p95_s, p99_s = (self._at(share) for share in (0.5, 0.95, 0.99))
        return Percentiles(self._count, p50_s, p95_s, p99_s, self._longest_s)

    def _at(self, share: float) -> float:
        wanted, seen = math.ceil(self._count * share), 0
        for box in sorted(self._boxes):
            seen += self._boxes[box]
            if seen >= wanted:
                return min(_LEAST_S * _GROWTH**box, self._longest_s)
        return 0.0
