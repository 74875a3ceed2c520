"""How often somebody may try a password: token buckets for users, addresses and both, with the time passed in."""

from __future__ import annotations

import math
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

import msgspec

from offhook.core.errors import TooMany

MAX_BUCKETS: Final = 50_000
# IPv6 gives every household this much, so a stranger has as many addresses as they like within it.
IPV6_PREFIX: Final = 64


class Rate(msgspec.Struct, frozen=True):
    """So many tries at once, and another one every so many seconds."""

    burst: int
    every_s: float


class Limits(msgspec.Struct, frozen=True):
    """The limits of failed sign-ins: of a user, of an address, and of one user from one address.

    The last is half of the first, at once and in the long run. A stranger with one address can therefore never use a
    name up: there is always a try left for its owner elsewhere, who does not even have to wait. Strangers with several
    addresses can keep a name busy, but only as long as they keep trying, and no longer than `user.every_s` after.
    """

    user: Rate = Rate(burst=20, every_s=5)
    address: Rate = Rate(burst=30, every_s=10)
    user_from_address: Rate = Rate(burst=10, every_s=10)


class Attempt(msgspec.Struct, frozen=True):
    """One try under way."""

    user: str
    address: str
    began_s: float

    @property
    def user_from_address(self) -> str:
        """The name of both together."""
        return f"{self.address}|{self.user}"


class Attempts:
    """Counts the tries. One that succeeds does not count any more once it has.

    A try counts for its user from the moment it begins, so that many at once are no way around the limit; for its
    address only when it failed, so that an office full of phones behind one address can sign in together. Where nobody
    can try anything who does not know 128 random bits, addresses need not be counted.
    """

    def __init__(self, limits: Limits | None = None, most: int = MAX_BUCKETS, *, by_address: bool = True) -> None:
        limits = limits or Limits()
        self._users = Buckets(limits.user, most)
        self._addresses = Buckets(limits.address, most) if by_address else None
        self._users_from_addresses = Buckets(limits.user_from_address, most)

    def begin(self, cloud_id: str, username_key: str, address: str, now_s: float) -> Attempt:
        """Take a try; raises TooMany, and then nothing is taken."""
        attempt = Attempt(f"{cloud_id}|{username_key}", network_of(address), now_s)
        wait_s = max(
            self._users.wait_s(attempt.user, now_s),
            self._addresses.wait_s(attempt.address, now_s) if self._addresses is not None else 0,
            self._users_from_addresses.wait_s(attempt.user_from_address, now_s),
        )
        if wait_s > 0:
            raise TooMany("Too many attempts to sign in. Please wait a moment and try again.", math.ceil(wait_s))
        self._users.take(attempt.user, now_s)
        self._users_from_addresses.take(attempt.user_from_address, now_s)
        return attempt

    def failed(self, attempt: Attempt) -> None:
        """The password was wrong."""
        if self._addresses is not None:
            self._addresses.take(attempt.address, attempt.began_s)

    def withdraw(self, attempt: Attempt) -> None:
        """The password was right, or could not be checked."""
        self._users.give_back(attempt.user)
        self._users_from_addresses.give_back(attempt.user_from_address)


class Buckets:
    """Token buckets by name, at most so many: a full one needs no memory, then the one longest unused is forgotten."""

    def __init__(self, rate: Rate, most: int) -> None:
        self._rate = rate
        self._most = most
        # Name to tokens and time, the one longest unused first.
        self._levels: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def wait_s(self, name: str, now_s: float) -> float:
        """Seconds until there is a token; 0 when there is one."""
        return max(0.0, (1 - self._level(name, now_s)) * self._rate.every_s)

    def take(self, name: str, now_s: float) -> None:
        """Take a token; those who take several at once may owe some, at most a whole burst."""
        level = max(self._level(name, now_s) - 1, -self._rate.burst)
        self._levels.pop(name, None)
        self._levels[name] = (level, now_s)
        self._forget(now_s)

    def give_back(self, name: str) -> None:
        """Put a token back."""
        if name in self._levels:
            level, at_s = self._levels.pop(name)
            if level + 1 < self._rate.burst:
                self._levels[name] = (level + 1, at_s)

    def _level(self, name: str, now_s: float) -> float:
        level, at_s = self._levels.get(name, (float(self._rate.burst), now_s))
        # A clock that was set back gives nothing.
        return min(self._rate.burst, level + max(0.0, now_s - at_s) / self._rate.every_s)

    def _forget(self, now_s: float) -> None:
        """Let go of the ones longest unused: of full ones always, of any when there are too many."""
        while self._levels:
            oldest = next(iter(self._levels))
            if len(self._levels) <= self._most and self._level(oldest, now_s) < self._rate.burst:
                return
            del self._levels[oldest]


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> (128 - IPV6_PREFIX) << (128 - IPV6_PREFIX)))
    return str(parsed)
