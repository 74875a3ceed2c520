"""Weekly hours in a time zone: which moments lie within them, and when that changes, summer time included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_S: Final = 86400
DAY_MINUTES: Final = 24 * 60
# Longer than a week, since an hour that summer time leaves out in one week comes in the next.
HORIZON_DAYS: Final = 15
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")


class Hours(NamedTuple):
    """From one minute of the day until before another, on these days of the week (Monday is 0).

    When `end` is not after `start`, they go on over midnight, and the day is that of their beginning. What counts is
    what a clock on the wall shows: an hour that it shows twice in autumn lies within them twice.
    """

    days: frozenset[int]
    start: int
    end: int

    def hold(self, now_s: int, zone: ZoneInfo) -> bool:
        """Whether this moment lies within them."""
        local = datetime.fromtimestamp(now_s, zone)
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (minute >= self.start and today in self.days) or (minute < self.end and (today - 1) % 7 in self.days)

    def change_s(self, now_s: int, zone: ZoneInfo) -> int:
        """The first moment after this one at which that is different; at the latest the end of what was looked at."""
        truth = self.hold(now_s, zone)
        horizon_s = now_s + HORIZON_DAYS * DAY_S
        moments = {*self._boundaries(now_s, zone), *_shifts(now_s, horizon_s, zone)}
        later = sorted(moment for moment in moments if now_s < moment < horizon_s)
        return next((moment for moment in later if self.hold(moment, zone) != truth), horizon_s)

    def _boundaries(self, now_s: int, zone: ZoneInfo) -> Iterator[int]:
        """The moments at which a clock on the wall shows a beginning, an end, or midnight; each of two such moments."""
        today = datetime.fromtimestamp(now_s, zone).date()
        for ahead in range(HORIZON_DAYS + 1):
            for minute in {0, self.start, self.end % DAY_MINUTES}:
                for fold in (0, 1):
                    yield _moment(today + timedelta(days=ahead), minute, fold, zone)


def _moment(day: date, minute: int, fold: int, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(minute // 60, minute % 60, fold=fold), zone).timestamp())


def _shifts(since_s: int, until_s: int, zone: ZoneInfo) -> Iterator[int]:
    """The moments at which clocks are put forward or back."""
    for start_s in range(since_s, until_s, DAY_S):
        low_s, high_s = start_s, start_s + DAY_S
        before = _offset(low_s, zone)
        if _offset(high_s, zone) == before:
            continue
        while high_s - low_s > 1:
            middle_s = (low_s + high_s) // 2
            low_s, high_s = (middle_s, high_s) if _offset(middle_s, zone) == before else (low_s, middle_s)
        yield high_s


def _offset(moment_s: int, zone: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(moment_s, zone).utcoffset()


def minutes(text: str) -> int | None:
    """The minutes after midnight of a time such as 08:30 (24:00 is the end of the day); None when it is none."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    total = int(found[1]) * 60 + int(found[2])
    return total if total <= DAY_MINUTES else None


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of that name, or None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def day_and_time(moment_s: float) -> str:
    """A moment as people write it, in universal time."""
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M} UTC"
