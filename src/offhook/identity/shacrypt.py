"""SHA-crypt, the hashes of passwords in /etc/shadow that begin with $5$ and $6$, as Ulrich Drepper describes them.

Python had it in `crypt`, which is gone since 3.13. There are test vectors, and `openssl passwd` to compare with.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_ROUNDS: Final = 5000
_LEAST, _MOST = 1000, 999_999
_SALT: Final = 16
_LETTERS: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM: Final = re.compile(r"\$([56])\$(?:rounds=([0-9]{1,9})\$)?([^$]*)(?:\$([./0-9A-Za-z]*))?")


def crypt(password: bytes, setting: str) -> str:
    """The hash of a password with the kind, salt and rounds of another one. Raises ValueError for what is none."""
    read = _FORM.fullmatch(setting)
    if read is None:
        raise ValueError("this is no hash that begins with $5$ or $6$")
    algorithm = "sha256" if read[1] == "5" else "sha512"
    rounds = _ROUNDS if read[2] is None else max(int(read[2]), _LEAST)
    if rounds > _MOST:
        raise ValueError(f"a hash of more than {_MOST:,} rounds would take too long")
    salt = read[3].encode()[:_SALT]
    digest = _digest(algorithm, password, salt, rounds)
    told = "" if read[2] is None else f"rounds={rounds}$"
    return f"${read[1]}${told}{salt.decode(errors='replace')}${_encoded(digest)}"


def _digest(algorithm: str, password: bytes, salt: bytes, rounds: int) -> bytes:
    size = hashlib.new(algorithm).digest_size
    other = hashlib.new(algorithm, password + salt + password).digest()
    mixed = hashlib.new(algorithm, password + salt + _stretched(other, len(password)))
    length = len(password)
    while length:
        mixed.update(other if length & 1 else password)
        length >>= 1
    made = mixed.digest()
    p = _stretched(hashlib.new(algorithm, password * len(password)).digest(), len(password))
    s = _stretched(hashlib.new(algorithm, salt * (16 + made[0])).digest(), len(salt))
    assert len(made) == size
    for number in range(rounds):
        step = p if number & 1 else made
        step += s if number % 3 else b""
        step += p if number % 7 else b""
        step += made if number & 1 else p
        made = hashlib.new(algorithm, step).digest()
    return made


def _stretched(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _encoded(digest: bytes) -> str:
    """Its own order of bytes: three at a time, one of each third, which take turns in being the first."""
    third = len(digest) // 3
    # With SHA-512 the turn goes one way, with SHA-256 the other; what is left over is written last.
    step = 1 if len(digest) == 64 else 2
    text, first = "", 0
    for number in range(third):
        places = [(first + turn) % 3 * third + number for turn in range(3)]
        text += _letters(int.from_bytes(bytes(digest[place] for place in places), "big"), 4)
        first = (first + step) % 3
    rest = digest[third * 3 :]
    return text + _letters(int.from_bytes(rest, "little"), 2 if len(rest) == 1 else 3)


def _letters(number: int, count: int) -> str:
    return "".join(_LETTERS[number >> 6 * place & 63] for place in range(count))
