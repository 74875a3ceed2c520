"""Around any upstream: a wrong password is asked once, not too many ask at once, and one that is down is left alone."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from offhook.core.errors import OffhookError, Unavailable
from offhook.core.secret import Secret
from offhook.identity.asking import Source, Untold
from offhook.provider.upstream import Vouched

MAX_WRONG: Final = 10_000
FAILURES: Final = 3
PAUSE_S: Final = 5.0
MAX_PAUSE_S: Final = 60.0
BUSY_RETRY_S: Final = 5
DOWN: Final = "Your provider cannot check passwords right now. Please try again later."
BUSY: Final = "Too many people are signing in right now. Please try again in a few seconds."


class Watched:
    """The port around another one; used from many threads at once.

    A wrong password is kept as a keyed hash together with its name, so the right one is asked at once all the same.
    After some failures in a row nobody is kept waiting for a while, and then one tries for all.
    """

    def __init__(
        self,
        source: Source,
        *,
        wrong_s: float,
        at_once: int,
        wait_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._clock = source, clock
        self._wrong = Wrong(wrong_s, clock)
        self._room = threading.BoundedSemaphore(at_once)
        self._wait_s = wait_s
        self._fuse = Fuse(clock)

    def vouch(self, username: str, password: Secret) -> Vouched | None:
        """As the source does, unless it said no to the same a moment ago."""
        with self._wrong.asking(username, password) as asking:
            if asking.known:
                return None
            found = self._asked(lambda: self._source.vouch(username, password))
            asking.known = found is None
            return found

    def look_up(self, username: str) -> Vouched | None:
        """As the source does."""
        return self._asked(lambda: self._source.look_up(username))

    def faults(self) -> tuple[str, ...]:
        """What the source says: whoever examines it wants to know how it is now."""
        return self._source.faults()

    def close(self) -> None:
        """Let go of what the source holds."""
        self._source.close()

    def _asked(self, ask: Callable[[], Vouched | None]) -> Vouched | None:
        self._fuse.check()
        if not self._room.acquire(timeout=self._wait_s):
            raise Unavailable(BUSY, BUSY_RETRY_S)
        try:
            # Those who have waited meanwhile are told as well, one after the other would be too long.
            with self._fuse.trying():
                return ask()
        finally:
            self._room.release()


class Fuse:
    """Opens after some failures in a row; then one at a time tries whether it is over, after ever longer pauses."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures, self._pause_s, self._until, self._testing = 0, PAUSE_S, 0.0, False

    def check(self) -> None:
        """Raises Unavailable while it is open."""
        with self._lock:
            self._refuse()

    @contextmanager
    def trying(self) -> Iterator[None]:
        """One try. Only that there was no answer is a failure. Raises Unavailable at once while it is open."""
        with self._lock:
            self._refuse()
            self._testing = tests = self._failures >= FAILURES
        failed = True
        try:
            yield
            failed = False
        except Untold:
            failed = False
            raise
        except OffhookError as error:
            failed = isinstance(error, Unavailable)
            raise
        finally:
            self._learn(failed=failed, tested=tests)

    def _refuse(self) -> None:
        if self._failures < FAILURES:
            return
        left = self._until - self._clock()
        if left > 0 or self._testing:
            raise Unavailable(DOWN, max(int(left + 0.999), 1))

    def _learn(self, *, failed: bool, tested: bool) -> None:
        with self._lock:
            if tested:
                self._testing = False
            if not failed:
                self._failures, self._pause_s = 0, PAUSE_S
                return
            self._failures += 1
            if self._failures == FAILURES or tested:
                self._until = self._clock() + self._pause_s
                self._pause_s = min(self._pause_s * 2, MAX_PAUSE_S)


class Asking:
    """One question: whether it is known that the answer is no, before and after."""

    def __init__(self, *, known: bool) -> None:
        self.known = known


class Wrong:
    """Names and passwords to which the answer was no, for a while; as hashes with a key that nobody keeps."""

    def __init__(self, seconds: float, clock: Callable[[], float], most: int = MAX_WRONG) -> None:
        self._seconds, self._clock, self._most = seconds, clock, most
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._asked: dict[bytes, threading.Lock] = {}
        self._waiting: dict[bytes, int] = {}

    def __repr__(self) -> str:
        return f"Wrong({len(self._until)})"

    @contextmanager
    def asking(self, username: str, password: Secret) -> Iterator[Asking]:
        """Whether the same was wrong; the same at the same time waits for the answer of the one before."""
        tag = self._tag(username, password)
        with self._lock:
            turn = self._asked.setdefault(tag, threading.Lock())
            self._waiting[tag] = self._waiting.get(tag, 0) + 1
        try:
            with turn:
                asking = Asking(known=self._is_wrong(tag))
                known = asking.known
                yield asking
                if asking.known and not known:
                    self._remember(tag)
        finally:
            with self._lock:
                self._waiting[tag] -= 1
                if not self._waiting[tag]:
                    del self._waiting[tag], self._asked[tag]

    def _is_wrong(self, tag: bytes) -> bool:
        with self._lock:
            return self._until.get(tag, 0.0) > self._clock()

    def _remember(self, tag: bytes) -> None:
        if not self._seconds:
            return
        with self._lock:
            self._until[tag] = self._clock() + self._seconds
            self._until.move_to_end(tag)
            while len(self._until) > self._most:
                self._until.popitem(last=False)

    def _tag(self, username: str, password: Secret) -> bytes:
        # The length keeps "ab" + "c" apart from "a" + "bc".
        name = username.encode("utf-8", "surrogatepass")
        text = len(name).to_bytes(8, "big") + name + password.reveal().encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()
