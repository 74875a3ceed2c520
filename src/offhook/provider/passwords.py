"""Slow password hashes: made and checked on threads of their own, as many at once as there are cores."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Final, Literal, TypeVar, assert_never

import bcrypt
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.provider.sealing import Sealer
from offhook.provider.subscriber import Argon2, Bcrypt, Sealed, StoredPassword

# The least that OWASP recommends for Argon2id: about 20 ms. The library's own default takes ten times as long.
ARGON2: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16)
# PHP, from whose password_hash imported hashes come, looks no further either; newer libraries refuse to.
BCRYPT_BYTES: Final = 72
# At 20 ms each, the last one in the queue waits some five seconds, well within an app's patience of 30.
WAITING_PER_CORE: Final = 256
RETRY_AFTER_S: Final = 5
T = TypeVar("T")


def hash_password(password: Secret) -> Argon2:
    """Hash at once, on the caller's own thread: for administration."""
    return Argon2(ARGON2.hash(_bytes(password)))


def is_weak(stored: Argon2, ours: PasswordHasher = ARGON2) -> bool:
    """Whether a hash is of less effort than those made here, and so easier to guess from."""
    try:
        found = extract_parameters(stored.text)
    except InvalidHashError:
        return True
    return found.memory_cost * found.time_cost < ours.memory_cost * ours.time_cost


class HashPool:
    """Keeps the slow work off the event loop and within bounds.

    A check costs one slow hash whether or not there is such a subscriber and of whatever kind the stored password is;
    only a sealed one that fits costs none, and gets its hash next.
    """

    def __init__(
        self,
        sealer: Sealer,
        *,
        argon2: PasswordHasher = ARGON2,
        cores: int | None = None,
        waiting_per_core: int = WAITING_PER_CORE,
    ) -> None:
        cores = cores or _cores()
        self._sealer = sealer
        self._argon2 = argon2
        # Checked when there is no password to check, so that this takes as long. Nobody knows what it is the hash of.
        self._nobodys = argon2.hash(os.urandom(16))
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="password")
        self._room = BoundedSemaphore(cores * (1 + waiting_per_core))

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        """Whether the password fits, `row` being the place of a sealed one; for None it takes the time and says no.

        Raises Unavailable when too many are waiting, or when a sealed password cannot be opened.
        """
        return await self._run(lambda: self._fits(stored, password, row))

    async def hash(self, password: Secret) -> Argon2:
        """A new hash. Raises Unavailable when too many are waiting."""
        return await self._run(lambda: Argon2(self._argon2.hash(_bytes(password))))

    def is_outdated(self, stored: StoredPassword) -> bool:
        """Whether it is kept otherwise than we keep it, or as an Argon2id hash of less effort; one of more may stay."""
        return not isinstance(stored, Argon2) or is_weak(stored, self._argon2)

    def close(self) -> None:
        """Finish what is under way, drop what waits."""
        self._threads.shutdown(cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._room.acquire(blocking=False):
            raise Unavailable(
                "Too many people are signing in right now. Please try again in a few seconds.", RETRY_AFTER_S
            )
        future = self._threads.submit(work)
        # Also when the caller went away meanwhile: a place in the queue is free only when its work is done or dropped.
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)

    def _fits(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        match stored:
            case None:
                return self._fits_nobody(password)
            case Argon2():
                return self._fits_argon2(stored.text, password)
            case Bcrypt():
                return self._fits_bcrypt(stored, password)
            case Sealed():
                # One that fits is hashed next anyway; one that does not must not be quicker than a hash.
                return self._sealer.open(stored.text, row) == password or self._fits_nobody(password)
            case _:
                assert_never(stored)

    def _fits_argon2(self, stored: str, password: Secret) -> bool:
        try:
            return self._argon2.verify(stored.encode(), _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    def _fits_bcrypt(self, stored: Bcrypt, password: Secret) -> bool:
        try:
            return bcrypt.checkpw(_bytes(password)[:BCRYPT_BYTES], stored.text.encode())
        except ValueError:
            # What was imported is no bcrypt hash, so that no password fits.
            return self._fits_nobody(password)

    def _fits_nobody(self, password: Secret) -> Literal[False]:
        """Take the time of a check and say no."""
        self._fits_argon2(self._nobodys, password)
        return False


def _cores() -> int:
    # Those that this process may use, which a container can make fewer; not every system can tell.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _bytes(password: Secret) -> bytes:
    return password.reveal().encode("utf-8", "surrogatepass")
