"""Work beside the requests of a server: again and again, in a thread of its own, until the server ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from offhook.provider.chores import bug


@contextmanager
def beside(
    name: str, every_s: float, work: Callable[[threading.Event], None], note: Callable[[str], None]
) -> Iterator[None]:
    """Do something every so often; work that takes long asks the event whether the end has come.

    A bug is noted, without a word of what it said, and the work goes on.
    """
    over = threading.Event()

    def work_on() -> None:
        while not over.wait(every_s):
            try:
                work(over)
            except Exception as error:  # noqa: BLE001 - at the edge of a thread
                note(bug(error))

    thread = threading.Thread(target=work_on, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
