"""Remembers for a minute which passwords were right, so that the two calls of one sign-in cost one slow hash."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Final, Generic, TypeVar

from offhook.core.secret import Secret
from offhook.provider.ports import Chance, Clock, Passwords
from offhook.provider.subscriber import Argon2, StoredPassword, write_password

FOR_S: Final = 60
MOST: Final = 10_000
TAG_BYTES: Final = 16
KEY_BYTES: Final = 64
T = TypeVar("T")


class Recent(Generic[T]):
    """Things by texts that nobody can find out again, for a minute after they were put.

    It keeps only keyed hashes of the texts, under a key that is made anew for each process and never leaves it.
    """

    def __init__(self, clock: Clock, chance: Chance, most: int = MOST) -> None:
        self._clock = clock
        self._key = chance.token(KEY_BYTES)
        self._most = most
        # Tag to the time it was made and the thing, the oldest first.
        self._known: OrderedDict[bytes, tuple[int, T]] = OrderedDict()

    def __repr__(self) -> str:
        return f"Recent({len(self)})"

    def __len__(self) -> int:
        return len(self._known)

    def tag(self, *parts: str) -> bytes:
        """What stands for these texts."""
        hashing = blake2b(digest_size=TAG_BYTES, key=self._key)
        for part in parts:
            encoded = part.encode("utf-8", "surrogatepass")
            # With its length in front, no part can reach into the next.
            hashing.update(len(encoded).to_bytes(8, "big"))
            hashing.update(encoded)
        return hashing.digest()

    def get(self, tag: bytes) -> T | None:
        """What was put there less than a minute ago."""
        made_s, thing = self._known.get(tag, (0, None))
        return thing if 0 <= self._clock.now_s() - made_s < FOR_S else None

    def put(self, tag: bytes, thing: T) -> None:
        """Keep it for a minute, or until there are too many."""
        now_s = self._clock.now_s()
        self._known.pop(tag, None)
        self._known[tag] = now_s, thing
        while len(self._known) > self._most or now_s - next(iter(self._known.values()))[0] >= FOR_S:
            self._known.popitem(last=False)


class RecentPasswords:
    """Passwords in front of Passwords: a pair that was right less than a minute ago is right.

    It keeps no password and no user. The stored password is part of the hash, so a changed one counts at once; whether
    a user may come in at all is not asked here. What was wrong is never remembered.
    """

    def __init__(self, passwords: Passwords, clock: Clock, chance: Chance, most: int = MOST) -> None:
        self._passwords = passwords
        self._right: Recent[bool] = Recent(clock, chance, most)

    def __repr__(self) -> str:
        return f"RecentPasswords({len(self._right)})"

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        """As the port says."""
        if stored is None:
            return await self._passwords.verify(None, password, row)
        tag = self._right.tag(row, write_password(stored), password.reveal())
        if self._right.get(tag):
            return True
        fits = await self._passwords.verify(stored, password, row)
        if fits:
            self._right.put(tag, True)
        return fits

    async def hash(self, password: Secret) -> Argon2:
        """As the port says."""
        return await self._passwords.hash(password)

    def is_outdated(self, stored: StoredPassword) -> bool:
        """As the port says."""
        return self._passwords.is_outdated(stored)
