"""What is noted beside requests and kept a little later: who asked, and what they had."""

from __future__ import annotations

import threading
from typing import Final

import msgspec

from offhook.core.errors import Unavailable
from offhook.provider.evidence import TurnedAway
from offhook.provider.ports import Sighting, SightingStore
from offhook.provider.validators import Served

AT_ONCE: Final = 200
MOST: Final = 100_000


class Sightings:
    """Takes notes in the event loop, at the price of a dictionary entry; `flush` keeps them, in a thread of its own.

    Of several notes on an install the last one counts, and of what it was served or told the last that tells it. What
    was noted since the last flush is lost in a crash.
    """

    def __init__(self, store: SightingStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: dict[str, Sighting] = {}
        self._refused: dict[str, int] = {}
        self._turned_away: dict[int, TurnedAway] = {}

    def saw(self, sighting: Sighting) -> None:
        """An install asked."""
        with self._lock:
            earlier = self._seen.get(sighting.install_id)
            if earlier is not None:
                sighting = _over(sighting, earlier)
            self._seen[sighting.install_id] = sighting
            if len(self._seen) > MOST:
                del self._seen[next(iter(self._seen))]

    def refused(self, install_id: str, now_s: int) -> None:
        """Somebody who says to be this install was refused. Nothing else is believed of them."""
        with self._lock:
            if len(self._refused) < MOST:
                self._refused[install_id] = now_s

    def turned_away(self, user: TurnedAway) -> None:
        """A user was refused at the sign-in, by a rule."""
        with self._lock:
            if len(self._turned_away) < MOST:
                self._turned_away[user.subscriber_id] = user

    def served(self, install_id: str) -> Served | None:
        """What was noted and not yet kept of what an install was served last."""
        with self._lock:
            seen = self._seen.get(install_id)
        return None if seen is None else seen.served

    def flush(self) -> int:
        """Keep what was noted, some at once; returns how many notes. Raises Unavailable, and keeps the rest in mind."""
        return self._flush_refusals() + self._flush_seen()

    def _flush_refusals(self) -> int:
        """Few, since phones are refused seldom; those of an outage of the database need not be remembered."""
        with self._lock:
            refused, self._refused = self._refused, {}
            turned_away, self._turned_away = self._turned_away, {}
        if refused or turned_away:
            self._store.keep_refusals(refused, list(turned_away.values()))
        return len(refused) + len(turned_away)

    def _flush_seen(self) -> int:
        count = 0
        while True:
            with self._lock:
                seen = {name: self._seen.pop(name) for name in list(self._seen)[:AT_ONCE]}
            if not seen:
                return count
            try:
                self._store.keep(list(seen.values()))
            except Unavailable:
                with self._lock:
                    self._seen = {**seen, **self._seen}
                raise
            count += len(seen)


def _over(new: Sighting, earlier: Sighting) -> Sighting:
    """The newer note with what the earlier one told and it does not."""
    return msgspec.structs.replace(
        new,
        served=earlier.served if new.served is None else new.served,
        asked=new.asked or earlier.asked,
        interval_s=earlier.interval_s if new.interval_s is None else new.interval_s,
    )
