"""Work beside the requests of a server: again and again, in a thread of its own, until the server ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beside(name: str, every_s: float, work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do something every so often; work that takes long asks the event whether the end has come."""
    over = threading.Event()

    def work_on() -> None:
        while not over.wait(every_s):
            work(over)

    thread = threading.Thread(target=work_on, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
