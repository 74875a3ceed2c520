"""Hashes of passwords of other systems: published examples, and nothing else fits them."""

from __future__ import annotations

import base64
import hashlib

import bcrypt
import pytest
from argon2 import PasswordHasher

from offhook.identity import hashes, shacrypt

# What `openssl passwd -5` and `-6` give, and with rounds the C library's `crypt`.
SHA_CRYPT = [
    ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    (
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    ("Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
]


def other_hashes() -> list[tuple[str, str]]:
    django = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"pw", b"salt", 1000)).decode()
    salted = base64.b64encode(hashlib.sha1(b"pwsalt").digest() + b"salt").decode()
    quick = PasswordHasher(time_cost=1, memory_cost=64)
    blowfish = bcrypt.hashpw(b"pw", bcrypt.gensalt(4)).decode()
    return [
        ("pw", f"pbkdf2_sha256$1000$salt${django}"),
        ("pw", f"{{SSHA}}{salted}"),
        ("pw", quick.hash("pw")),
        ("pw", "argon2" + quick.hash("pw")),
        ("pw", blowfish),
        ("pw", blowfish.replace("$2b$", "$2y$")),
        ("pw", f"{{CRYPT}}{blowfish}"),
        ("p" * 100, bcrypt.hashpw(b"p" * 72, bcrypt.gensalt(4)).decode()),
    ]


@pytest.mark.parametrize(("password", "stored"), [*SHA_CRYPT, *other_hashes()])
def test_a_password_fits_its_hash(password: str, stored: str) -> None:
    """And no other one does."""
    assert hashes.fits(password, stored)
    assert not hashes.fits("other", stored)


@pytest.mark.parametrize(
    "stored",
    [
        *("", "plain text", "pw", "$1$salt$hash", "$2b$04$short", "$6$", "$argon2id$broken", "pbkdf2_md5$1$a$b"),
        *("pbkdf2_sha256$99999999$salt$AAAA", "{SSHA}AAAA", "{SSHA}A", "{MD5}AAAA", "$6$rounds=99999999$salt$hash"),
        "x" * 2000,
    ],
)
def test_what_is_no_hash_fits_nothing(stored: str) -> None:
    """Least of all is it taken for a password in clear text."""
    with pytest.raises(hashes.Unknown):
        hashes.fits("pw", stored)
    with pytest.raises(hashes.Unknown):
        hashes.fits(stored, stored)


def test_too_many_rounds_are_refused() -> None:
    """They would take minutes; too few are as many as there must be."""
    with pytest.raises(ValueError, match="too long"):
        shacrypt.crypt(b"pw", "$5$rounds=1000000$salt$")

    assert shacrypt.crypt(b"pw", "$5$rounds=1$salt$").startswith("$5$rounds=1000$salt$")
    with pytest.raises(ValueError, match="begins with"):
        shacrypt.crypt(b"pw", "$1$salt$")
