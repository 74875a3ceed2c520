"""How often an upstream may hear a wrong password for one user, so that nobody can lock them out of it from here."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from offhook.core.errors import TooMany, Unavailable

MOST_NAMES: Final = 50_000
ENOUGH: Final = "There were too many wrong passwords for this user. Please try again later, or contact your provider."


class Trying(msgspec.Struct):
    """One password that is being asked about, and whether it turned out to be right."""

    right: bool = False


class Tries:
    """Counts wrong passwords by user, as a directory does: from none again when one was right, or after a rest.

    The rest begins with the last wrong one, so that the directory, which counts likewise, never counts more than
    `most` of ours, however long somebody tries. With 0 nothing is counted.
    """

    def __init__(self, most: int, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._rest_s, self._clock = most, rest_s, clock
        self._lock = threading.Lock()
        # How many, those under way among them, and when the last one began; the user longest left alone first.
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @contextmanager
    def one(self, user: str) -> Iterator[Trying]:
        """Ask about one password; it counts unless it is `right`, or there was no answer. Raises TooMany."""
        if not self._most:
            yield Trying()
            return
        user = user.strip().casefold()
        self._begin(user)
        trying, answered = Trying(), True
        try:
            yield trying
        except Unavailable:
            answered = False
            raise
        finally:
            if trying.right:
                self._forget(user)
            elif not answered:
                self._give_back(user)

    def _begin(self, user: str) -> None:
        with self._lock:
            now_s = self._clock()
            count, last_s = self._wrong.get(user, (0, now_s))
            left_s = last_s + self._rest_s - now_s
            if left_s <= 0:
                count = 0
            if count >= self._most:
                raise TooMany(ENOUGH, math.ceil(left_s))
            self._wrong[user] = count + 1, now_s
            self._wrong.move_to_end(user)
            while len(self._wrong) > MOST_NAMES:
                self._wrong.popitem(last=False)

    def _give_back(self, user: str) -> None:
        with self._lock:
            count, last_s = self._wrong.get(user, (0, 0.0))
            if count > 1:
                self._wrong[user] = count - 1, last_s
            else:
                self._wrong.pop(user, None)

    def _forget(self, user: str) -> None:
        with self._lock:
            self._wrong.pop(user, None)
