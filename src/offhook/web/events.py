"""What happened, as lines of JSON with named fields: names, numbers and reasons, never what a user sent."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, Final, Protocol, TypeAlias

import msgspec

FLUSH_EVERY_S: Final = 0.5
# Some megabytes. While nobody takes them, what comes after these is counted and not kept.
MOST_LINES: Final = 10_000
CLOSED_WITHIN_S: Final = 5.0
Field: TypeAlias = str | int | float | bool | None


class Events(Protocol):
    """Takes what happened."""

    def __call__(self, event: str, **fields: Field) -> None:
        """Note an event under a dotted name."""


class EventLog:
    """Writes events to a stream; a thread does the writing, so that a slow disk holds up no request.

    A stream that takes nothing, since the disk is full or its reader is gone, ends nothing but the lines it was given:
    as soon as it takes any again, `events.lost` says how many are missing.
    """

    def __init__(self, stream: BinaryIO, now_s: Callable[[], float]) -> None:
        self._stream = stream
        self._now_s = now_s
        self._lines: deque[bytes] = deque()
        self._lost = 0
        self._counting, self._writing = threading.Lock(), threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="events", daemon=True)
        self._thread.start()

    def __call__(self, event: str, **fields: Field) -> None:
        """Note an event."""
        if len(self._lines) < MOST_LINES:
            self._lines.append(self._line(event, fields))
        else:
            self._count(1)

    def _line(self, event: str, fields: dict[str, Field]) -> bytes:
        return msgspec.json.encode({"time": round(self._now_s(), 3), "event": event, **fields}) + b"\n"

    def _count(self, lost: int) -> None:
        with self._counting:
            self._lost += lost

    def _write_on(self) -> None:
        while not self._closed.wait(FLUSH_EVERY_S):
            self.flush()

    def flush(self) -> None:
        """Write what has been noted so far."""
        with self._writing:
            lost = self._lost
            # One by one, since others go on noting meanwhile.
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            told = [self._line("events.lost", {"lines": lost})] if lost else []
            if not lines and not told:
                return
            try:
                self._stream.write(b"".join(lines + told))
                self._stream.flush()
            except OSError:
                self._count(len(lines))
            else:
                self._count(-lost)

    def close(self) -> None:
        """Write the rest, unless the stream does not even let go of the thread."""
        self._closed.set()
        self._thread.join(CLOSED_WITHIN_S)
        if not self._thread.is_alive():
            self.flush()
