"""The clock of a policy: when anything in it struck last, kept as time goes on."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TypeAlias

from offhook.policy.during import During
from offhook.policy.rollout import Rollout
from offhook.policy.view import NEVER, Condition, Span

Striking: TypeAlias = During | Rollout


class Strokes:
    """The hours and rollouts of a policy; at each stroke only those are worked out anew that struck."""

    def __init__(self, clocks: Sequence[Striking], spans: dict[Condition, Span]) -> None:
        self._clocks = clocks
        self._spans = spans
        self._ahead: list[tuple[int, int]] = []
        self._now_s: int | None = None
        self._changed_s = 0

    def changed_s(self, now_s: int) -> int:
        """The last moment up to now at which any of them struck; 0 for none."""
        if self._now_s is None or now_s < self._now_s:
            # A clock that was set back makes what is known of the future worthless.
            self._ahead, self._changed_s = [], 0
            for position in range(len(self._clocks)):
                self._look(position, now_s)
        while self._ahead and self._ahead[0][0] <= now_s:
            self._look(heappop(self._ahead)[1], now_s)
        self._now_s = now_s
        return self._changed_s

    def _look(self, position: int, now_s: int) -> None:
        one = self._clocks[position]
        if isinstance(one, During):
            self._spans[one] = span = one.span(now_s)
            next_s = span.until_s
        else:
            next_s = one.changes_s(now_s)
        if next_s is not NEVER:
            heappush(self._ahead, (next_s, position))
        self._changed_s = max(self._changed_s, one.changed_s(now_s))
