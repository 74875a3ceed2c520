"""The end in time of a whole exchange: timeouts of a client are for each piece, and pieces can go on coming."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

_CONNECTED: Final = "connection.connect_tcp.complete"


class HangUp:
    """Hangs up every connection that is made meanwhile when the time is over; one made after that, at once.

    So nothing is sent afterwards, however long it took to find a name. What hangs up is a second handle of the same
    socket, so that it can never be somebody else's.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._timers: list[tuple[threading.Timer, socket.socket]] = []

    @property
    def extensions(self) -> Mapping[str, Any]:
        """What a request of httpx2 is to be sent with."""
        return {"trace": self._heard}

    def watch(self, connection: int) -> None:
        """Hang this one up, by the number that the system knows it by."""
        handle = socket.socket(fileno=os.dup(connection))
        timer = threading.Timer(max(self._until - time.monotonic(), 0), _hang_up, (handle,))
        timer.daemon = True
        self._timers.append((timer, handle))
        if time.monotonic() >= self._until:
            _hang_up(handle)
        timer.start()

    def over(self) -> None:
        """The exchange has ended."""
        for timer, handle in self._timers:
            timer.cancel()
            timer.join()
            handle.close()

    def _heard(self, event: str, info: Mapping[str, Any]) -> None:
        if event == _CONNECTED:
            self.watch(info["return_value"].get_extra_info("socket").fileno())


@contextmanager
def hanging_up(seconds: float) -> Iterator[HangUp]:
    """For one exchange."""
    hang_up = HangUp(seconds)
    try:
        yield hang_up
    finally:
        hang_up.over()


def _hang_up(handle: socket.socket) -> None:
    # The other side may have done so already.
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)
