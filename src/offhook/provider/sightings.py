"""What is noted beside requests and kept a little later: who asked, and what they had."""

from __future__ import annotations

import threading
from typing import Final

import msgspec

from offhook.core.errors import Unavailable
from offhook.provider.ports import Sighting, SightingStore
from offhook.provider.validators import Served

AT_ONCE: Final = 200
MOST: Final = 100_000


class Sightings:
    """Takes notes in the event loop, at the price of a dictionary entry; `flush` keeps them, in a thread of its own.

    Of several notes on an install the last one counts, and of what it was served the last that tells it. What was
    noted since the last flush is lost in a crash.
    """

    def __init__(self, store: SightingStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: dict[str, Sighting] = {}

    def saw(self, sighting: Sighting) -> None:
        """An install asked."""
        with self._lock:
            earlier = self._seen.get(sighting.install_id)
            if earlier is not None and sighting.served is None:
                sighting = msgspec.structs.replace(sighting, served=earlier.served)
            self._seen[sighting.install_id] = sighting
            if len(self._seen) > MOST:
                del self._seen[next(iter(self._seen))]

    def served(self, install_id: str) -> Served | None:
        """What was noted and not yet kept of what an install was served last."""
        with self._lock:
            seen = self._seen.get(install_id)
        return None if seen is None else seen.served

    def flush(self) -> int:
        """Keep what was noted, some at once; returns how many notes. Raises Unavailable, and keeps the rest in mind."""
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
