"""What one line of a users file says of one user, and the password hashes it may bring along."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from offhook.provider.change import Change
from offhook.provider.subscriber import Argon2, Bcrypt

HASHED: Final = "bcrypt:"

# All that can be checked well within the time that a refusal takes anyway (0.5 s): a slower hash would tell that there
# is such a user. Each step of bcrypt's cost doubles its time; that of Argon2 grows with its memory and its passes, and
# what PHP makes unless told otherwise (64 MiB, four passes) just fits.
_BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_ARGON2: Final = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
)
_MAX_COST: Final = 12
_MAX_KIB_PASSES: Final = 64 * 1024 * 4
_MAX_LANES: Final = 8
_TOO_SLOW: Final = "that takes so long to check that a refusal would tell that there is such a user"


class Line(NamedTuple):
    """What one line says of one user."""

    number: int
    username: str
    change: Change


def hash_fault(password: Argon2 | Bcrypt) -> str | None:
    """Why it cannot be checked here, as a noun phrase; None when it is a hash of its kind of reasonable effort."""
    return _bcrypt_fault(password.text) if isinstance(password, Bcrypt) else _argon2_fault(password.text)


def _bcrypt_fault(text: str) -> str | None:
    found = _BCRYPT.fullmatch(text)
    if found is None:
        return "no bcrypt hash"
    cost = int(found[1])
    return None if cost <= _MAX_COST else f"a bcrypt hash of cost {cost}, {_TOO_SLOW}; at most {_MAX_COST} is taken"


def _argon2_fault(text: str) -> str | None:
    found = _ARGON2.fullmatch(text)
    if found is None:
        return "no Argon2id hash"
    kib, passes, lanes = map(int, found.groups())
    if not (0 < lanes <= _MAX_LANES and 8 * lanes <= kib and passes > 0):
        return "no Argon2id hash"
    if kib * passes > _MAX_KIB_PASSES:
        return f"an Argon2id hash {_TOO_SLOW}; at most {_MAX_KIB_PASSES:,} KiB times passes are taken"
    return None
