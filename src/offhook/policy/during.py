"""The condition on time: certain hours of certain days in a time zone, between two moments, or both."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from offhook.core.errors import Fault
from offhook.core.kinds import quoted
from offhook.policy.clock import DAY_MINUTES, Hours, day_and_time, minutes, moment_fault, zone_of
from offhook.policy.view import NEVER, Condition, Span, Truth, View

Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]

_DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIMES: Final = {"start": "from", "end": "to"}
_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class During(Condition, frozen=True, tag="during"):
    """It is a certain time.

    `days` and `from` (08:30) to `to` (up to 24:00) are those of a clock on the wall in `zone`, such as Europe/Prague;
    hours that end before they begin go on over midnight and belong to the day on which they begin. `since` and `until`
    are moments with an offset. Of all that is said, all must be so. A phone gets what begins or ends when it next asks.
    """

    days: Annotated[tuple[Day, ...], msgspec.Meta(max_length=7)] = ()
    start: str | None = msgspec.field(default=None, name="from")
    end: str | None = msgspec.field(default=None, name="to")
    zone: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    since: Moment | None = None
    until: Moment | None = None

    def holds(self, view: View) -> Truth:
        return self._span(view).truth

    def flips_s(self, view: View) -> int | None:
        return self._span(view).until_s

    def _span(self, view: View) -> Span:
        """The span that now lies in; it is kept, since the next subjects will mostly come at the same time."""
        now_s, kept = view.subject.now_s, view.spans.get(self)
        if kept is not None and kept.since_s <= now_s and (kept.until_s is None or now_s < kept.until_s):
            return kept
        view.spans[self] = found = self.span(now_s)
        return found

    def span(self, now_s: int) -> Span:
        """From now until when this is as it is now; a span may end a little before it changes."""
        if self.since is not None and now_s < _second(self.since):
            return Span(now_s, _second(self.since), truth=False)
        until_s = None if self.until is None else _second(self.until)
        if until_s is not None and now_s >= until_s:
            return Span(now_s, NEVER, truth=False)
        zone = zone_of(self.zone) if self.zone is not None else None
        if zone is None:
            return Span(now_s, until_s, truth=True)
        truth, change_s = self._hours().hold(now_s, zone), self._hours().change_s(now_s, zone)
        if until_s is None or change_s < until_s:
            return Span(now_s, change_s, truth)
        return Span(now_s, until_s if truth else NEVER, truth)

    def changed_s(self, now_s: int) -> int:
        """The last moment up to now at which this became different; 0 when there was none."""
        since_s = 0 if self.since is None else _second(self.since)
        if now_s < since_s:
            return 0
        until_s = None if self.until is None else _second(self.until)
        if until_s is not None and now_s >= until_s:
            return until_s if self.span(until_s - 1).truth else self.changed_s(until_s - 1)
        zone = zone_of(self.zone) if self.zone is not None else None
        return since_s if zone is None else max(since_s, self._hours().changed_s(now_s, zone))

    def _hours(self) -> Hours:
        return _hours(self.days, self.start, self.end)

    def faults(self) -> Iterator[Fault]:
        hours = bool(self.days) or self.start is not None or self.end is not None
        if not hours and self.since is None and self.until is None:
            yield Fault("", "needs days, from and to, since, or until")
        if (self.start is None) is not (self.end is None):
            yield Fault("", "needs both from and to, or neither")
        elif self.start is not None and self.start == self.end:
            yield Fault("to", "is when it begins; leave out from and to for the whole day")
        for field in ("start", "end"):
            yield from self.alone(field, getattr(self, field))
        if self.start == "24:00":
            yield Fault("from", "is the end of a day; 00:00 is the beginning of the next one")
        if hours and self.zone is None:
            yield Fault("zone", "is missing: whose clock counts? Such as Europe/Prague")
        if not hours and self.zone is not None:
            yield Fault("zone", "has no meaning without days or hours: since and until say their own offset")
        for field in ("zone", "since", "until"):
            yield from self.alone(field, getattr(self, field))
        if self.since is not None and self.until is not None and _second(self.until) <= _second(self.since):
            yield Fault("until", "is not after since")

    @classmethod
    def alone(cls, field: str, found: object) -> Iterator[Fault]:
        if isinstance(found, datetime) and (fault := moment_fault(found)):
            yield Fault(field, fault)
        if not isinstance(found, str):
            return
        if field in _TIMES and minutes(found) is None:
            yield Fault(_TIMES[field], f"{quoted(found)} is no time of the day, such as 08:30")
        if field == "zone" and zone_of(found) is None:
            yield Fault("zone", f"{quoted(found)} is no time zone, such as Europe/Prague")

    def told(self, view: View) -> str:
        if self.holds(view):
            return str(self)
        now_s = view.subject.now_s
        zone = zone_of(self.zone or "UTC")
        local = datetime.fromtimestamp(now_s, zone)
        place = f"in {self.zone}" if self.zone is not None else "UTC"
        wanted = ", ".join([*self._weekly(), *self._absolute()])
        return f"it is {_NAMES[local.weekday()]} {local:%Y-%m-%d %H:%M} {place}, not {wanted}"

    def _weekly(self) -> list[str]:
        words = [_days(self.days)] if self.days else []
        words += [f"from {self.start} to {self.end}"] if self.start is not None else []
        return [" ".join(words)] if words else []

    def _absolute(self) -> list[str]:
        since = day_and_time(self.since.timestamp()) if self.since is not None else ""
        until = day_and_time(self.until.timestamp()) if self.until is not None else ""
        if since and until:
            return [f"between {since} and {until}"]
        return [f"{since} or later" if since else f"before {until}"] if since or until else []

    def __str__(self) -> str:
        zone = [f"in {self.zone}"] if self.zone is not None else []
        return (
            f"it is {', '.join([' '.join([*self._weekly(), *zone]), *self._absolute()] if zone else self._absolute())}"
        )


@lru_cache(maxsize=4096)
def _hours(days: tuple[Day, ...], start: str | None, end: str | None) -> Hours:
    numbers = frozenset(_DAYS.index(day) for day in days or _DAYS)
    return Hours(numbers, minutes(start or "") or 0, DAY_MINUTES if end is None else minutes(end) or 0)


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


def _days(days: tuple[Day, ...]) -> str:
    """Days as people say them: Monday to Friday; Tuesday or Thursday."""
    numbers = sorted({_DAYS.index(day) for day in days})
    names = [_NAMES[number] for number in numbers]
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{names[0]} to {names[-1]}"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
