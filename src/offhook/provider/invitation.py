"""An invitation: a token that lets one phone of one user in, once, and what can be said of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import quote

import msgspec

from offhook.core.errors import Fault
from offhook.core.login import SCHEME, CloudId, Link, write_link
from offhook.core.secret import Discreet, Secret

INVITATION_PATH: Final = "/invite/{token}"
# A phone whose answer was lost asks again within minutes; an app that is asked to come back later, within the hour.
REPEAT_S: Final = 3600
EXPIRES_S: Final = 7 * 86400
LEAST_S, MOST_S = 300, 400 * 86400
MAX_APP: Final = 80
MAX_SUPPORT: Final = 500

REVOKED: Final = "This invitation was withdrawn. Please ask your provider for a new one."
OLD: Final = "This invitation is an old one: you were sent a newer one since. Please use the newest."
EXPIRED: Final = "This invitation has expired. Please ask your provider for a new one."
TAKEN: Final = "This invitation was used on another phone already; each is for one phone. Please ask for another one."
USED: Final = "This invitation was used already. Please ask your provider for another one."
GONE: Final = "This invitation is for a user who is not here any more. Please contact your provider."

# Without I, L, O and U, so that nobody reads one letter for another (Crockford's base 32).
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# How tokens look today; the digit is for those of another making.
_MARK: Final = "E1"
_LENGTH: Final = 26
TOKEN_BYTES: Final = 17
_TOKEN: Final = re.compile(rf"{_MARK}[{_LETTERS}]{{{_LENGTH}}}")
_MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_MAX_TYPED: Final = 80
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{1,31}")
# What a browser would do something else with than to open an app.
_TAKEN_SCHEMES: Final = frozenset({"http", "https", "javascript", "data", "file", "blob", "about", "mailto", "tel"})


class Inviting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the invitations of a Cloud ID look.

    `scheme` is that of links which open the app, a white label's own; `app` its name where the portal does not say it;
    `support` whom to ask, in the operator's words; `expires_s` how long an invitation is good.
    """

    scheme: str = SCHEME
    app: str = ""
    support: str = ""
    language: str = "en"
    expires_s: int = EXPIRES_S


def faults(inviting: Inviting) -> Iterator[Fault]:
    """Why these settings cannot be used."""
    if not _SCHEME.fullmatch(inviting.scheme) or inviting.scheme in _TAKEN_SCHEMES:
        yield Fault("scheme", f"{inviting.scheme[:40]!r} opens no app: 2 to 32 small letters and digits, such as csc")
    for place, text, most in (("app", inviting.app, MAX_APP), ("support", inviting.support, MAX_SUPPORT)):
        if len(text) > most:
            yield Fault(place, f"has more than {most} characters")
        # Whom to ask may take several lines.
        if not (text.replace("\n", "") if place == "support" else text).isprintable():
            yield Fault(place, "has characters that cannot be seen")
    if not _LANGUAGE.fullmatch(inviting.language):
        yield Fault("language", f"{inviting.language[:20]!r} is none, such as en")
    if not LEAST_S <= inviting.expires_s <= MOST_S:
        yield Fault("expires", "an invitation is good for 5 minutes to 400 days")


class State(StrEnum):
    """How far an invitation has come."""

    CREATED = "created"
    MAILED = "mailed"  # the mail server has taken it
    UNDELIVERED = "undelivered"  # the mail server will never take it
    OPENED = "opened"  # an app came with it, and has no account yet
    ACTIVATED = "activated"  # a phone was signed in
    EXPIRED = "expired"
    REVOKED = "revoked"
    REPLACED = "replaced"  # by a newer one


class Invitation(Discreet, frozen=True):
    """One invitation as it is kept: the token only by its keyed hash, and sealed while its mail is yet to be sent.

    `subscriber_id` is 0 while there is no such user. `used_by` is the device that came with it first. What stands
    behind `author` is known from the phones that signed in with it.
    """

    id: str
    cloud_id: str
    username: str
    version: int
    token_hash: bytes
    created_s: int
    expires_s: int
    attributes: Mapping[str, str] = {}
    subscriber_id: int = 0
    address: str = ""
    sealed: str = ""
    next_s: int = 0
    tries: int = 0
    error: str = ""
    mailed_s: int = 0
    used_by: str = ""
    used_s: int = 0
    revoked_s: int = 0
    replaced_s: int = 0
    author: str = ""
    activated_s: int = 0
    seen_s: int = 0
    has_ended: bool = False

    @property
    def name(self) -> str:
        """Whom it is for, as people write it."""
        return f"{self.username}@{self.cloud_id}"

    @property
    def is_waiting(self) -> bool:
        """Whether its mail is yet to be sent."""
        return bool(self.sealed)

    def is_begun(self, now_s: int) -> bool:
        """Whether a device is about to sign in with it, perhaps waiting for its account."""
        return not self.activated_s and self.used_s > 0 and now_s < self.used_s + REPEAT_S

    def state(self, now_s: int) -> State:
        """How far it has come."""
        if self.activated_s:
            return State.ACTIVATED
        if self.revoked_s:
            return State.REVOKED
        if self.replaced_s:
            return State.REPLACED
        if self.expires_s <= now_s:
            return State.EXPIRED
        if self.used_s:
            return State.OPENED
        if self.mailed_s:
            return State.MAILED
        return State.UNDELIVERED if self.error and not self.sealed else State.CREATED

    def objection(self, now_s: int, device: str | None = None) -> str:
        """Why it lets this device in no more, in words for its user; empty when it does. None is any new device.

        The same device may repeat its sign-in as long as the answer may have been lost: until its phone has come back,
        or was signed out. One that got nothing, and has not tried for a while, gives way to another one.
        """
        if self.revoked_s:
            return REVOKED
        if self.replaced_s:
            return OLD
        given_up = self.used_by != device and not self.activated_s and not self.is_begun(now_s)
        if not self.used_s or given_up:
            return EXPIRED if self.expires_s <= now_s else ""
        if self.used_by != device:
            return TAKEN if device is not None else USED
        if self.activated_s and (self.seen_s or self.has_ended or self.used_s + REPEAT_S <= now_s):
            return USED
        return EXPIRED if max(self.expires_s, self.used_s + REPEAT_S) <= now_s else ""

    def __str__(self) -> str:
        return f"{self.name}, version {self.version}"


class Wording(msgspec.Struct, frozen=True):
    """What a page, a mail or a sheet of a Cloud ID needs to know of its app."""

    cloud_id: str
    app: str
    support: str = ""
    language: str = "en"
    scheme: str = SCHEME


class Ticket(Discreet, frozen=True):
    """An invitation as it is handed to its user: both links hold the token. Without an address of ours, no `page`."""

    username: str
    cloud_id: str
    expires_s: int
    token: Secret
    app_link: Secret
    page: Secret

    @property
    def link(self) -> Secret:
        """What to hand on: the page if there is one, else what opens the app at once."""
        return self.page or self.app_link

    def __str__(self) -> str:
        return f"{self.username}@{self.cloud_id}"


def ticket(invitation: Invitation, token: Secret, scheme: str, public_url: str) -> Ticket:
    """The links of an invitation."""
    return Ticket(
        invitation.username,
        invitation.cloud_id,
        invitation.expires_s,
        token,
        app_link(invitation.cloud_id, invitation.username, token, scheme),
        Secret(page_of(public_url, token)) if public_url else Secret(""),
    )


def app_link(cloud_id: str, username: str, token: Secret, scheme: str) -> Secret:
    """The text of the QR code, and of the link that opens the app: the token stands in place of the password."""
    return Secret(write_link(Link(CloudId(cloud_id), username, token), scheme))


def page_of(public_url: str, token: Secret) -> str:
    """The address of the page of an invitation."""
    return public_url.rstrip("/") + INVITATION_PATH.format(token=quote(token.reveal(), safe=""))


def new_token(random: bytes) -> Secret:
    """A token of 130 bits, in groups of four, so that it can be typed if need be."""
    number, letters = int.from_bytes(random[:TOKEN_BYTES]), ""
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_LETTERS))
        letters += _LETTERS[place]
    whole = _MARK + letters
    return Secret("-".join(whole[at : at + 4] for at in range(0, len(whole), 4)))


def read_token(typed: str) -> Secret | None:
    """The token as it is hashed, however it was typed; None for what is none."""
    if len(typed) > _MAX_TYPED:
        return None
    found = typed.strip().upper().translate(_MISREAD)
    return Secret(found) if _TOKEN.fullmatch(found) else None


def hashed_form(token: Secret) -> Secret:
    """What the keyed hash of a token is made of, apart from all other tokens."""
    return Secret(f"invitation|{token.reveal()}")
