"""What became of the policy of one Cloud ID in time, and of the phones under its rollouts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from tests.simulation.policyreading import Reading, Who

NOTHING = Reading("")


class Story:
    """The Live versions, each from a moment of virtual time on; which rules are at rest since when."""

    def __init__(self) -> None:
        self.since_s: list[float] = [float("-inf")]
        self.readings: list[Reading] = [NOTHING]
        self.at_rest: dict[str, float] = {}

    @property
    def now(self) -> Reading:
        """What is Live."""
        return self.readings[-1]

    def publish(self, now_s: float, text: str) -> None:
        """Another version is Live from now on."""
        before, after = self.now, Reading(text)
        for name in before.active - after.active:
            self.at_rest[name] = now_s
        for name in after.active:
            self.at_rest.pop(name, None)
        self.since_s.append(now_s)
        self.readings.append(after)

    def began(self, rule: str) -> float:
        """Since when a rule is at its stage: since it last changed."""
        begun_s = self.since_s[-1]
        said = self.now.rule(rule)
        for since_s, reading in zip(self.since_s[::-1], self.readings[::-1], strict=True):
            if reading.rule(rule) != said:
                break
            begun_s = since_s
        return begun_s

    def values(self, who: Who, tiers: Iterable[str], key: str, span: tuple[float, float], wall_s: float) -> set[str]:
        """All that was said of a key in a span of virtual time; "?" when it was not sent at some time of it.

        `wall_s` is what the server's clock says at virtual zero.
        """
        found: set[str] = set()
        begin_s, end_s = span
        for place in range(bisect_right(self.since_s, begin_s) - 1, len(self.readings)):
            reading = self.readings[place]
            until_s = self.since_s[place + 1] if place + 1 < len(self.since_s) else end_s
            first_s, last_s = (int(wall_s + max(self.since_s[place], begin_s)), int(wall_s + until_s))
            strokes = (at_s for at_s in reading.strokes(first_s, last_s) if first_s < at_s <= last_s)
            for at_s in {first_s, last_s, *strokes}:
                for tier in tiers:
                    found.add(reading.given(who._replace(tier=tier), at_s).values.get(key, "?"))
        return found
