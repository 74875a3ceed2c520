"""The log of events: whole lines, none lost in order, and a stream in trouble costs lines and nothing else."""

from __future__ import annotations

import errno
import io
import threading

import msgspec

from offhook.web import events as module
from offhook.web.events import EventLog


def test_closing_the_log_writes_the_rest() -> None:
    """Nothing that was noted is lost when the process ends in order."""
    stream = io.BytesIO()
    events = EventLog(stream, lambda: 2.0)
    events("one", number=1)

    events.close()

    assert msgspec.json.decode(stream.getvalue()) == {"time": 2.0, "event": "one", "number": 1}


class Troubled(io.BytesIO):
    """A file on a disk that may be full."""

    is_full = False

    def flush(self) -> None:
        """Where a buffered file meets its disk."""
        if self.is_full:
            self.truncate(0)
            self.seek(0)
            raise OSError(errno.ENOSPC, "No space left on device")


def told(stream: io.BytesIO) -> list[tuple[object, object]]:
    """The events on a stream and how many lines each says are lost."""
    notes = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    return [(note["event"], note.get("lines")) for note in notes]


def test_a_full_disk_ends_nothing() -> None:
    """What could not be written is counted, and said as soon as there is room again; then all is as before."""
    stream = Troubled()
    events = EventLog(stream, lambda: 1.0)
    stream.is_full = True
    for _ in range(3):
        events("unwritten")
        events.flush()
    stream.is_full = False
    events("written")

    events.flush()
    events("after")
    events.close()

    assert told(stream) == [("written", None), ("events.lost", 3), ("after", None)]


def test_the_writing_thread_outlives_a_full_disk() -> None:
    """The thread goes on by itself after an error, so that nobody has to restart the server for its log."""
    stream = Troubled()
    stream.is_full = True
    events = EventLog(stream, lambda: 1.0)
    events("unwritten")
    came = threading.Event()
    while not came.wait(0.05) and not events._lost:
        pass

    stream.is_full = False
    events("written")
    for _ in range(100):
        if stream.getvalue() or came.wait(0.05):
            break

    assert ("written", None) in told(stream)
    events.close()


def test_lines_that_nobody_takes_are_bounded() -> None:
    """While the stream holds the thread, memory is bounded; the rest is counted."""
    stream = io.BytesIO()
    events = EventLog(stream, lambda: 1.0)

    with events._writing:
        for _ in range(module.MOST_LINES + 7):
            events("one")
    events.close()

    assert told(stream)[-1] == ("events.lost", 7)
    assert len(told(stream)) == module.MOST_LINES + 1


def test_no_line_is_lost_between_two_threads() -> None:
    """However noting and writing fall together, each event is written once."""
    stream = io.BytesIO()
    events = EventLog(stream, lambda: 1.0)

    def note() -> None:
        for number in range(2000):
            events("one", number=number)

    noting = [threading.Thread(target=note) for _ in range(4)]
    for thread in noting:
        thread.start()
    while any(thread.is_alive() for thread in noting):
        events.flush()
    events.close()

    assert told(stream) == [("one", None)] * 8000
