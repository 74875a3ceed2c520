"""How long a change takes to reach the phones of a fleet."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from offhook.phone.retry import modified
from offhook.phone.saved import Saved, Validator
from offhook.phone.spread import Percentiles, Spread

# A fleet whose users are changed one by one sees as many revisions; the oldest of them are forgotten.
MOST: Final = 1000


class Change(msgspec.Struct, frozen=True):
    """One revision of one service, which so many phones took over.

    `after_first` is counted from the first of them, `after_server` from the server's Last-Modified, which has whole
    seconds and the server's own clock.
    """

    service: str
    revision: str
    phones: int
    after_first: Percentiles
    after_server: Percentiles


class _Arrivals:
    __slots__ = ("after_first", "after_server", "first_s", "phones")

    def __init__(self, first_s: float) -> None:
        self.first_s, self.phones = first_s, 0
        self.after_first, self.after_server = Spread(), Spread()


class Changes:
    """Takes note of every revision that a phone takes over while it runs."""

    def __init__(self, began_at: datetime) -> None:
        self._began_at = began_at
        self._seen: dict[tuple[str, str], _Arrivals] = {}

    def kept(self, before: Saved, after: Saved, now_s: float, wall: datetime) -> None:
        """A phone keeps another record than before. What is older than the fleet is no change."""
        for service, validator in after.validators.items():
            if validator.last_modified != before.validators.get(service, Validator()).last_modified:
                moment = modified(validator.last_modified)
                if moment is not None and moment > self._began_at:
                    self._arrived(service, validator.last_modified, now_s, (wall - moment).total_seconds())

    def all(self) -> tuple[Change, ...]:
        """Every revision, the latest first."""
        return tuple(
            Change(service, revision, one.phones, one.after_first.percentiles(), one.after_server.percentiles())
            for (service, revision), one in reversed(self._seen.items())
        )

    def _arrived(self, service: str, revision: str, now_s: float, after_server_s: float) -> None:
        one = self._seen.setdefault((service, revision), _Arrivals(now_s))
        one.phones += 1
        one.after_first.add(now_s - one.first_s)
        one.after_server.add(max(after_server_s, 0.0))
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
