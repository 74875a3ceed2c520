"""Remembers for a minute which passwords were right, so that the two calls of one sign-in cost one slow hash."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

from offhook.core.secret import Secret
from offhook.provider.ports import Chance, Clock, Passwords
from offhook.provider.subscriber import Argon2, StoredPassword, write_password

FOR_S: Final = 60
MOST: Final = 10_000
TAG_BYTES: Final = 16
KEY_BYTES: Final = 64


class RecentPasswords:
    """Passwords in front of Passwords: a pair that was right less than a minute ago is right.

    It keeps no password and no user, only keyed hashes under a key that is made anew for each process and never leaves
    it. The stored password is part of the hash, so a changed one counts at once; whether a user may come in at all is
    not asked here. What was wrong is never remembered.
    """

    def __init__(self, passwords: Passwords, clock: Clock, chance: Chance, most: int = MOST) -> None:
        self._passwords = passwords
        self._clock = clock
        self._key = chance.token(KEY_BYTES)
        self._most = most
        # Tag to the time it was made, the oldest first.
        self._right: OrderedDict[bytes, int] = OrderedDict()

    def __repr__(self) -> str:
        return f"RecentPasswords({len(self._right)})"

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        """As the port says."""
        if stored is None:
            return await self._passwords.verify(None, password, row)
        tag = self._tag(row, write_password(stored), password.reveal())
        made_s = self._right.get(tag)
        if made_s is not None and 0 <= self._clock.now_s() - made_s < FOR_S:
            return True
        fits = await self._passwords.verify(stored, password, row)
        if fits:
            self._remember(tag)
        return fits

    async def hash(self, password: Secret) -> Argon2:
        """As the port says."""
        return await self._passwords.hash(password)

    def is_outdated(self, stored: StoredPassword) -> bool:
        """As the port says."""
        return self._passwords.is_outdated(stored)

    def _tag(self, *parts: str) -> bytes:
        hashing = blake2b(digest_size=TAG_BYTES, key=self._key)
        for part in parts:
            encoded = part.encode("utf-8", "surrogatepass")
            # With its length in front, no part can reach into the next.
            hashing.update(len(encoded).to_bytes(8, "big"))
            hashing.update(encoded)
        return hashing.digest()

    def _remember(self, tag: bytes) -> None:
        now_s = self._clock.now_s()
        self._right.pop(tag, None)
        self._right[tag] = now_s
        while len(self._right) > self._most or now_s - next(iter(self._right.values())) >= FOR_S:
            self._right.popitem(last=False)
