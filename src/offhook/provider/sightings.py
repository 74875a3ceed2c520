"""What is noted beside requests and kept a little later: who asked, what they had, and which logouts are held back."""

from __future__ import annotations

import threading
from typing import Final, TypeVar

from offhook.core.errors import Unavailable
from offhook.provider.ports import Held, Sighting, SightingStore

AT_ONCE: Final = 200
MOST: Final = 100_000
T = TypeVar("T")


class Sightings:
    """Takes notes in the event loop, at the price of a dictionary entry; `flush` keeps them, in a thread of its own.

    Of several notes on an install the last one counts. What was noted since the last flush is lost in a crash.
    """

    def __init__(self, store: SightingStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: dict[str, Sighting] = {}
        self._held: dict[str, Held] = {}

    def saw(self, sighting: Sighting) -> None:
        """An install asked."""
        with self._lock:
            _note(self._seen, sighting.install_id, sighting)

    def held(self, held: Held) -> None:
        """A logout was held back."""
        with self._lock:
            _note(self._held, held.install_id, held)

    def flush(self) -> int:
        """Keep what was noted, some at once; returns how many notes. Raises Unavailable, and keeps the rest in mind."""
        count = 0
        while True:
            with self._lock:
                seen, held = _some(self._seen), _some(self._held)
            if not seen and not held:
                return count
            try:
                self._store.keep(list(seen.values()), list(held.values()))
            except Unavailable:
                with self._lock:
                    self._seen = {**seen, **self._seen}
                    self._held = {**held, **self._held}
                raise
            count += len(seen) + len(held)


def _note(notes: dict[str, T], name: str, note: T) -> None:
    notes[name] = note
    if len(notes) > MOST:
        del notes[next(iter(notes))]


def _some(notes: dict[str, T]) -> dict[str, T]:
    return {name: notes.pop(name) for name in list(notes)[:AT_ONCE]}
