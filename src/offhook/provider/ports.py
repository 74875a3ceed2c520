"""What the provider needs from outside, each port as small as its user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from offhook.core.secret import Secret
from offhook.provider.circumstances import NOTHING, Circumstances
from offhook.provider.evidence import TurnedAway
from offhook.provider.sipregister import Line
from offhook.provider.subscriber import Argon2, State, StoredPassword, Subscriber
from offhook.provider.tenant import Tenant
from offhook.provider.validators import NEVER_SERVED, Served


class Clock(Protocol):
    """The time."""

    def now_s(self) -> int:
        """Whole seconds since 1970."""


class Chance(Protocol):
    """Randomness."""

    def token(self, size_bytes: int) -> bytes:
        """Bytes that nobody can guess."""


class Passwords(Protocol):
    """Checks and makes slow password hashes, never in the event loop and never more at once than there are cores."""

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        """Whether the password fits; for None (no such subscriber), no after the same time. Raises Unavailable."""

    async def hash(self, password: Secret) -> Argon2:
        """A new hash. Raises Unavailable when too many are waiting."""

    def is_outdated(self, stored: StoredPassword) -> bool:
        """Whether a password that fits should be hashed anew, since a new hash would be harder to guess from."""


class Room(msgspec.Struct, frozen=True):
    """How many phones a user may have. For one too many, the oldest end, or the sign-in is refused with this text."""

    count: int
    refusal: str = ""


class NewInstall(msgspec.Struct, frozen=True):
    """An install that is being issued. What it authenticates with is known only by its keyed hash.

    `line` is the SIP account that it is given, if there is one; `has_own_line` says that no other install has it.
    """

    id: str
    cloud_id: str
    subscriber_id: int
    token_hash: bytes
    device: str
    user_agent: str
    created_s: int
    circumstances: Circumstances = NOTHING
    served: Served = NEVER_SERVED
    room: Room | None = None
    interval_s: int | None = None
    line: Line | None = None
    has_own_line: bool = False


class KnownInstall(msgspec.Struct, frozen=True):
    """An install that was issued and has not ended; the hash is of its token, or of SIP credentials."""

    id: str
    token_hash: bytes
    circumstances: Circumstances = NOTHING
    served: Served = NEVER_SERVED


class Found(msgspec.Struct, frozen=True):
    """What one query finds out for one request; an install only together with its subscriber.

    `modified_s` is the date of what the subscriber gets, `line` their SIP account in a SIP system, or the install's.
    """

    tenant: Tenant | None
    subscriber: Subscriber | None = None
    install: KnownInstall | None = None
    modified_s: int = 0
    line: Line | None = None


class SignInStore(Protocol):
    """The device plane's view of the store."""

    async def look_up(self, cloud_id: str, username_key: str, install_id: str, token_hash: bytes) -> Found:
        """The tenant, the subscriber of that name and the install they name, as far as there are: one query.

        Without an `install_id`, the install of that subscriber with that token. Raises Unavailable.
        """

    async def look_for_room(self, install: NewInstall) -> None:
        """Raises Refused where `issue` would for want of room, as far as that can be known before; Unavailable."""

    async def issue(self, install: NewInstall, upgraded: Argon2 | None, known: StoredPassword) -> None:
        """Keep the install and, if given, the better hash in place of `known`, in one durable transaction.

        Where there is no room for it, the installs that were not seen for longest end, or it raises Refused.

        Raises Conflict when the subscriber is not there any more, or has another password than `known`, which was
        checked, or the SIP account of the install is not wanted any more, or has another password. When the subscriber
        has too many installs, the one that was not seen for longest is forgotten, but none that was seen lately: raises
        Refused rather than that, and Unavailable. Another install of the same device stays until this one comes back,
        since the app may never get to know this one.
        """


class Ending(StrEnum):
    """Why an install is not to be used any more."""

    REVOKED = "revoked"
    DELETED = "deleted"
    REPORTED = "reported"  # the phone itself said that its account was removed
    REPLACED = "replaced"  # the same user signed in anew on the same device, which then used the newer install
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    RULE = "rule"  # a rule of the policy logs the phone out
    LIMIT = "limit"  # a rule allows fewer phones than there were, and another one signed in


class Standing(msgspec.Struct, frozen=True):
    """All that one query finds out about an install that asks again.

    `decided` says why it is to be logged out and by which decision of its Cloud ID, 0 for one that nobody counts; that
    an account expires is left to whoever knows the time. Without a subscriber, `modified_s` is that of the tenant
    alone. `password` is one that was good for this install before. `subscriber` reads the rest of the row, which is not
    needed when nothing has changed.
    """

    tenant: Tenant
    install_id: str
    hashes: bytes
    subscriber_id: int
    modified_s: int
    state: State | None
    decided: Mapping[Ending, int]
    expires_s: int | None
    expired_by: int
    password: StoredPassword | None
    subscriber: Callable[[], Subscriber]
    circumstances: Circumstances = NOTHING
    served: Served = NEVER_SERVED
    line: Line | None = None

    @property
    def ended(self) -> Ending | None:
        """The first reason why it is not to be used any more."""
        return next(iter(self.decided), None)

    def has_expired(self, now_s: int) -> bool:
        """Whether its user's account is over."""
        return self.expires_s is not None and self.expires_s <= now_s


class Sighting(msgspec.Struct, frozen=True):
    """An install asked: when, what it said it had, and who it says it is.

    `proved` is the hash of what it came with, if that is what it was given last: what it had before opens nothing any
    more. `told` says that it was logged out, `asked` that it asked for its account; then `interval_s` is what it was
    told of when to ask again, None if that was nothing new.
    """

    install_id: str
    seen_s: int
    held_s: int
    user_agent: str
    proved: bytes = b""
    told: bool = False
    circumstances: Circumstances = NOTHING
    served: Served | None = None
    asked: bool = False
    interval_s: int | None = None


class LifeStore(Protocol):
    """The device plane's view of installs after their sign-in. Every method may raise Unavailable."""

    async def standing(self, cloud_id: str, install_id: str) -> Standing | None:
        """One query; None when there is no such install of this Cloud ID."""

    async def remember(self, install_id: str, hashes: bytes) -> None:
        """What an install may come back with, durably, before it is told."""

    async def end(self, install_id: str, reason: Ending, now_s: int) -> None:
        """End an active install, and those of its device that it replaces; of one that has ended nothing changes."""

    async def push_token(self, install_id: str, sealed: str) -> None:
        """Keep the push token of an active install."""

    async def come_due(self, cloud_id: str, subscriber_id: int, now_s: int) -> int:
        """The decision by which an expired account is over: those that came due and have none get one together.

        Raises Unavailable also when the account was prolonged, or removed, meanwhile: then nothing is decided.
        """

    async def not_due(self, cloud_id: str, now_s: int) -> None:
        """Forget by which decisions accounts were over whose date is yet to come: a clock that ran ahead made them."""

    async def ruled(self, cloud_id: str, rule: str, author: str, now_s: int) -> int | None:
        """The decision by which a rule in one version of it logs users out, made when the first of them asks.

        None when it was withdrawn.
        """

    async def may_go(self, cloud_id: str, decision: int, subscriber_id: int) -> bool | None:
        """Whether a user may be logged out by a decision; None while its users are being counted."""

    async def count(self, cloud_id: str, decision: int, subscriber_id: int, most: float) -> bool:
        """Count a user as gone, durably, if fewer than `most` are; else the decision is held from now on."""


class SightingStore(Protocol):
    """Takes what was noted beside requests, in a thread of its own."""

    def keep(self, sightings: Sequence[Sighting]) -> None:
        """One transaction; raises Unavailable. An install that is seen for the first time ends those it replaces."""

    def keep_refusals(self, refused: Mapping[str, int], turned_away: Sequence[TurnedAway]) -> None:
        """When installs were refused last, and users who were turned away: one transaction; raises Unavailable."""


class SubscriberStore(Protocol):
    """Administration's view of the subscribers of all Cloud IDs. Every method is one transaction.

    A record that was never kept has revision 0; every change of a kept one makes its revision one more.
    """

    def add(self, subscriber: Subscriber) -> Subscriber:
        """Keep a new one and return it with its id; raises Conflict when the name is taken."""

    def get(self, cloud_id: str, username_key: str) -> Subscriber:
        """Find one; raises NotFound."""

    def known(self, cloud_id: str, keys: Sequence[str]) -> dict[str, Subscriber]:
        """Those of the named who exist, by name without regard to case: one query, for at most some hundred names."""

    def replace(self, subscriber: Subscriber) -> None:
        """Keep a changed one under its id; raises Conflict when the stored `revision` is another one, NotFound."""

    def decided(self, cloud_id: str, subscriber_id: int) -> None:
        """Whether they may use the service is what the operator says: an upstream that has them again lifts nothing."""

    def remove(self, cloud_id: str, username_key: str, now_s: int) -> None:
        """Forget one and end its installs, of which so much stays that their phones can be told; raises NotFound."""

    def all_of(self, cloud_id: str, after: str = "") -> Iterator[Subscriber]:
        """All of a Cloud ID by username, read in pages so that memory stays bounded."""

    def count(self, cloud_id: str) -> int:
        """How many there are."""

    def put_all(self, subscribers: Iterable[Subscriber]) -> int:
        """Add those of revision 0, replace those read before, in one transaction and bounded memory; returns how many.

        Raises Conflict, and keeps nothing, when one was added or changed meanwhile.
        """


class TenantStore(Protocol):
    """Administration's view of the tenants."""

    def get(self, cloud_id: str) -> Tenant:
        """Find one; raises NotFound."""

    def put(self, tenant: Tenant, *, move: bool = False) -> None:
        """Keep one, new or changed.

        Raises Conflict when SIP accounts would have to be made elsewhere, unless they are to `move`.
        """

    def all(self) -> list[Tenant]:
        """All of them, by Cloud ID."""
