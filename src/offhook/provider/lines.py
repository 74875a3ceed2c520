"""What one line of a users file says of one user, and the password hashes it may bring along."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from offhook.provider.change import Change
from offhook.provider.subscriber import Argon2, Bcrypt

HASHED: Final = "bcrypt:"

# Each step of bcrypt's cost doubles the time of a check, and 15 already takes seconds; so does much of Argon2's.
_BCRYPT: Final = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}")
_ARGON2: Final = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
)
_MAX_KIB: Final = 256 * 1024
_MAX_ROUNDS: Final = 10
_MAX_LANES: Final = 8


class Line(NamedTuple):
    """What one line says of one user."""

    number: int
    username: str
    change: Change


def is_hash(password: Argon2 | Bcrypt) -> bool:
    """Whether it is a hash of its kind that can be checked with reasonable effort."""
    if isinstance(password, Bcrypt):
        return _BCRYPT.fullmatch(password.text) is not None
    found = _ARGON2.fullmatch(password.text)
    if found is None:
        return False
    kib, rounds, lanes = map(int, found.groups())
    return 8 * lanes <= kib <= _MAX_KIB and 0 < rounds <= _MAX_ROUNDS and 0 < lanes <= _MAX_LANES
