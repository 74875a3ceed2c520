"""What happened, as lines of JSON with named fields: names, numbers and reasons, never what a user sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import BinaryIO, Final, Protocol, TypeAlias

import msgspec

FLUSH_EVERY_S: Final = 0.5
Field: TypeAlias = str | int | float | bool | None


class Events(Protocol):
    """Takes what happened."""

    def __call__(self, event: str, **fields: Field) -> None:
        """Note an event under a dotted name."""


class EventLog:
    """Writes events to a stream; a thread does the writing, so that a slow disk holds up no request."""

    def __init__(self, stream: BinaryIO, now_s: Callable[[], float]) -> None:
        self._stream = stream
        self._now_s = now_s
        self._lines: list[bytes] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="events", daemon=True)
        self._thread.start()

    def __call__(self, event: str, **fields: Field) -> None:
        """Note an event."""
        self._lines.append(msgspec.json.encode({"time": round(self._now_s(), 3), "event": event, **fields}))

    def _write_on(self) -> None:
        while not self._closed.wait(FLUSH_EVERY_S):
            self.flush()

    def flush(self) -> None:
        """Write what has been noted so far."""
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write(b"\n".join((*lines, b"")))
            self._stream.flush()

    def close(self) -> None:
        """Write the rest."""
        self._closed.set()
        self._thread.join()
        self.flush()
