"""Hashes of passwords as other systems keep them, and whether a password fits one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Final

import bcrypt
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from offhook.identity import shacrypt

MAX_HASH: Final = 1000
MAX_ROUNDS: Final = 10_000_000
# Where nobody has been found yet: of 128 random bits that nobody knows, of the usual effort.
NOBODYS: Final = "$argon2id$v=19$m=19456,t=2,p=1$aM0x2ukZQ7g9pfDccWg8IA$v1+HBOVNS9Y4sq0qhq8Jn52SBCJb6XtD02AiAa5wFHU"
_BCRYPT_BYTES: Final = 72
_PBKDF2: Final = re.compile(r"pbkdf2_(sha1|sha256|sha512)\$([0-9]{1,9})\$([^$]+)\$([A-Za-z0-9+/=]+)")
_SALTED: Final = re.compile(r"\{SSHA(|256|512)\}([A-Za-z0-9+/=]+)")
_SALTED_ALGORITHMS: Final = {"": "sha1", "256": "sha256", "512": "sha512"}


class Unknown(Exception):
    """A hash of a kind that is not checked here, or that is broken."""


def fits(password: str, stored: str) -> bool:
    """Whether a password fits a hash: Argon2, bcrypt, SHA-crypt, PBKDF2 (as Django writes it), {SSHA}. Raises Unknown.

    What has no mark of a hash is never taken for a password in clear text.
    """
    stored = stored.strip().removeprefix("{CRYPT}").removeprefix("bcrypt$")
    if stored.startswith("argon2$"):
        stored = stored.removeprefix("argon2")
    if len(stored) <= MAX_HASH:
        for mark, check in _CHECKS.items():
            if stored.startswith(mark):
                return check(password.encode(), stored)
    raise Unknown


def _argon2(password: bytes, stored: str) -> bool:
    try:
        extract_parameters(stored)
        return PasswordHasher().verify(stored, password)
    except InvalidHashError:
        raise Unknown from None
    except VerificationError:
        return False


def _bcrypt(password: bytes, stored: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_BCRYPT_BYTES], stored.encode())
    except ValueError:
        raise Unknown from None


def _sha_crypt(password: bytes, stored: str) -> bool:
    try:
        made = shacrypt.crypt(password, stored)
    except ValueError:
        raise Unknown from None
    if len(made) != len(stored):
        raise Unknown
    return hmac.compare_digest(made.encode(), stored.encode())


def _pbkdf2(password: bytes, stored: str) -> bool:
    read = _PBKDF2.fullmatch(stored)
    if read is None or not 0 < int(read[2]) <= MAX_ROUNDS:
        raise Unknown
    made = hashlib.pbkdf2_hmac(read[1], password, read[3].encode(), int(read[2]))
    return hmac.compare_digest(base64.b64encode(made).decode(), read[4])


def _salted(password: bytes, stored: str) -> bool:
    read = _SALTED.fullmatch(stored)
    if read is None:
        raise Unknown
    algorithm = _SALTED_ALGORITHMS[read[1]]
    try:
        content = base64.b64decode(read[2], validate=True)
    except binascii.Error:
        raise Unknown from None
    size = hashlib.new(algorithm).digest_size
    if len(content) <= size:
        raise Unknown
    return hmac.compare_digest(hashlib.new(algorithm, password + content[size:]).digest(), content[:size])


_CHECKS: Final[Mapping[str, Callable[[bytes, str], bool]]] = {
    "$argon2": _argon2,
    "$2": _bcrypt,
    "$5$": _sha_crypt,
    "$6$": _sha_crypt,
    "pbkdf2_": _pbkdf2,
    "{SSHA": _salted,
}
