"""What a server does beside requests: chores, each a list of things that are due, done a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Protocol

from offhook.core.errors import OffhookError, Unavailable

EVERY_S: Final = 1.0
AT_ONCE: Final = 4
# Due things that are looked at in one round; the others are due in the next one as well.
MOST: Final = 50


class Chore(Protocol):
    """One kind of thing to be done. It is done by whoever is quicker, this server or another one."""

    def due(self, most: int) -> Sequence[str]:
        """Names of things that are due, the oldest first. Raises Unavailable."""

    def do(self, name: str) -> object:
        """Do one; that somebody else does it is no fault. Raises Unavailable."""


class Rounds:
    """Goes round the chores. A thing that takes long keeps no other one waiting, and is not begun twice."""

    def __init__(self, chores: Mapping[str, Chore], note: Callable[[str, str], None], at_once: int = AT_ONCE) -> None:
        self._chores, self._note = chores, note
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="chores")
        self._under_way: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def go(self) -> list[Future[object]]:
        """Begin whatever is due and not yet under way."""
        begun = []
        for kind, chore in self._chores.items():
            try:
                names = chore.due(MOST)
            except Unavailable as error:
                self._note(kind, error.text)
                continue
            except Exception as error:  # noqa: BLE001 - at the edge of a thread: the other chores go on
                self._note(kind, bug(error))
                continue
            begun += [future for name in names if (future := self._begin(kind, chore, name)) is not None]
        return begun

    def close(self) -> None:
        """Let what is under way come to its end; nothing else is begun."""
        self._pool.shutdown(cancel_futures=True)

    def _begin(self, kind: str, chore: Chore, name: str) -> Future[object] | None:
        with self._lock:
            if (kind, name) in self._under_way:
                return None
            self._under_way.add((kind, name))
        future = self._pool.submit(chore.do, name)
        future.add_done_callback(lambda done: self._ended(kind, name, done))
        return future

    def _ended(self, kind: str, name: str, done: Future[object]) -> None:
        with self._lock:
            self._under_way.discard((kind, name))
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._note(kind, error.text if isinstance(error, OffhookError) else bug(error))


def bug(error: BaseException) -> str:
    """What may be said of an error that is none of ours: its text may hold anything."""
    return f"a bug: {type(error).__name__}"


@contextmanager
def rounds(chores: Mapping[str, Chore], note: Callable[[str, str], None], every_s: float = EVERY_S) -> Iterator[Rounds]:
    """Go round them in a thread of its own, again and again, until the context is left."""
    over = threading.Event()
    all_rounds = Rounds(chores, note)

    def go_on() -> None:
        while not over.wait(every_s):
            all_rounds.go()

    thread = threading.Thread(target=go_on, name="rounds", daemon=True)
    thread.start()
    try:
        yield all_rounds
    finally:
        over.set()
        thread.join()
        all_rounds.close()
