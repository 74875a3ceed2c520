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
# Beyond these, a clock on the wall may show a year that cannot be written.
EARLIEST_S: Final = 0
LATEST_S: Final = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())
# Files beside those of the zones, which say what this server's own is, or that nobody has said so.
_NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
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
        truth, horizon_s = self.hold(now_s, zone), now_s + HORIZON_DAYS * DAY_S
        # Mostly it is one of the next days, so that the others need not be looked at.
        for since_s in range(now_s, horizon_s, DAY_S):
            for moment in sorted(self._within(since_s, since_s + DAY_S, zone)):
                if self.hold(moment, zone) != truth:
                    return moment
        return horizon_s

    def changed_s(self, now_s: int, zone: ZoneInfo) -> int:
        """The last moment up to now at which that became different; 0 when it never does."""
        for back in range(HORIZON_DAYS):
            until_s = now_s - back * DAY_S
            for moment in sorted(self._within(until_s - DAY_S, until_s, zone), reverse=True):
                if self.hold(moment, zone) != self.hold(moment - 1, zone):
                    return moment
        return 0

    def _within(self, since_s: int, until_s: int, zone: ZoneInfo) -> set[int]:
        """The moments of one day, its last second included, at which this may change.

        A clock on the wall shows a beginning, an end, or midnight, or is put forward or back; each of two such moments
        in autumn, on whose day it may be put back to the day before.
        """
        today = datetime.fromtimestamp(since_s, zone).date()
        edges = {0, self.start, self.end % DAY_MINUTES}
        days = (today + timedelta(days=ahead) for ahead in (-1, 0, 1))
        moments = {_moment(day, minute, fold, zone) for day in days for minute in edges for fold in (0, 1)}
        return {moment for moment in (*moments, *_shift(since_s, until_s, zone)) if since_s < moment <= until_s}


def _moment(day: date, minute: int, fold: int, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(minute // 60, minute % 60, fold=fold), zone).timestamp())


def _shift(low_s: int, high_s: int, zone: ZoneInfo) -> Iterator[int]:
    """The moment of this day at which clocks are put forward or back, if there is one."""
    before = _offset(low_s, zone)
    if _offset(high_s, zone) == before:
        return
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


def moment_fault(moment: datetime) -> str | None:
    """Why nothing can begin or end then, or None."""
    return None if EARLIEST_S <= moment.timestamp() < LATEST_S else "is not between the years 1970 and 9000"


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of that name, or None when there is none that means the same on every server."""
    if name in _NO_ZONES or name.startswith(("right/", "posix/")):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def day_and_time(moment_s: float) -> str:
    """A moment as people write it, in universal time."""
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M} UTC"
