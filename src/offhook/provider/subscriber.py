"""A subscriber: one user of a Cloud ID, with what is known of them and what was set for them alone."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from offhook.core.dialplan import QuickDials
from offhook.core.errors import Invalid
from offhook.core.mergeable import PROVIDER
from offhook.core.secret import Discreet

SIP_USERNAME: Final = "username"
SIP_PASSWORD: Final = "password"
MAX_USERNAME: Final = 256
# Characters of a password, when it is set and when somebody comes with it.
MAX_PASSWORD: Final = 2048


class Argon2(msgspec.Struct, frozen=True, tag="argon2"):
    """An Argon2id hash: how every password ends up; one weaker than ours is replaced at the next sign-in."""

    text: str


class Bcrypt(msgspec.Struct, frozen=True, tag="bcrypt"):
    """A bcrypt hash that came by import; replaced at the next sign-in."""

    text: str


class Sealed(msgspec.Struct, frozen=True, tag="sealed"):
    """A password that came in the clear by import, encrypted; replaced at the next sign-in."""

    text: str


StoredPassword: TypeAlias = Argon2 | Bcrypt | Sealed


def write_password(password: StoredPassword) -> str:
    """One line: kind, colon, text."""
    return f"{type(password).__struct_config__.tag}:{password.text}"


def read_password(line: str) -> StoredPassword:
    """Read what `write_password` wrote."""
    kind, _, text = line.partition(":")
    match kind:
        case "argon2":
            return Argon2(text)
        case "bcrypt":
            return Bcrypt(text)
        case _:
            return Sealed(text)


class State(StrEnum):
    """Whether a subscriber may use the service."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    PENDING = "pending"  # being made: a saga will let them in, or forget them


class Override(Discreet, frozen=True):
    """A key of the account set for one subscriber alone; `rank` is sent as its priority when it is given.

    That of a key which may be a secret is kept `sealed`, and bound to its row as the subscriber's secrets are. `former`
    is the highest rank that it was ever sent with, where that is above the one it has now.
    """

    value: str
    markup: bool = False
    rank: int | None = None
    author: str = ""
    changed_s: int = 0
    sealed: bool = False
    former: int | None = None

    @property
    def sent_rank(self) -> int:
        """The rank that a phone judges it by."""
        return PROVIDER if self.rank is None else self.rank

    @property
    def highest_rank(self) -> int:
        """The highest rank that a phone can have it with."""
        return self.sent_rank if self.former is None else max(self.sent_rank, self.former)

    def __str__(self) -> str:
        return "sealed" if self.sealed else f"{len(self.value)} characters"


class Subscriber(msgspec.Struct, frozen=True):
    """One user.

    `attributes` are texts by name (a tier, a display name, every column of an import); the SIP username is the one
    named `username`, as in the vendor's sample. `secrets` are sealed texts, with the SIP password named `password`;
    `sip_generated` says that we made it. From `expires_s` on, the user may not use the service any more.
    """

    cloud_id: str
    username: str
    password: StoredPassword
    state: State = State.ACTIVE
    attributes: dict[str, str] = {}
    secrets: dict[str, str] = {}
    overrides: dict[str, Override] = {}
    quick_dials: QuickDials = QuickDials()
    sip_generated: bool = False
    id: int = 0
    revision: int = 0
    created_s: int = 0
    changed_s: int = 0
    expires_s: int | None = None

    @property
    def name(self) -> str:
        """How people write this subscriber: user@CLOUDID."""
        return f"{self.username}@{self.cloud_id}"


def username_key(username: str) -> str:
    """The form in which usernames are compared: without regard to case, nor to how accents are encoded.

    An accent is a character of its own on some keyboards. Unicode, section 3.13 (D145). Raises Invalid for an empty or
    overlong one.
    """
    if not username.strip() or len(username) > MAX_USERNAME:
        raise Invalid.at("username", f"must have 1 to {MAX_USERNAME} characters")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", username.strip()).casefold())
