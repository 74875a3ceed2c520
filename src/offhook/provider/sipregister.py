"""The register of SIP accounts: every one that was ever asked for, and what is to become of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Final, Protocol

from offhook.core.secret import Discreet
from offhook.provider.sipaccounts import Address
from offhook.provider.subscriber import SIP_USERNAME, Subscriber
from offhook.provider.tenant import PerWhom, Sip, Tenant

MAX_USER_PART: Final = 64
_NO_USER_PART: Final = re.compile(r"[^a-z0-9+._-]")
_MAX_DISPLAY_NAME: Final = 128


class Wanted(StrEnum):
    """What is to become of an account."""

    ACTIVE = "active"
    DISABLED = "disabled"
    REMOVED = "removed"


class Rotating(StrEnum):
    """Whether its password is to be changed."""

    NO = ""
    OVERLAP = "overlap"  # the one of before stays good until all phones have the new one
    AT_ONCE = "at once"


class Line(Discreet, frozen=True):
    """What the account of a phone says of its SIP account; without `sealed`, the password is left out."""

    account_id: str
    username: str
    domain: str = ""
    sealed: str = ""

    def __str__(self) -> str:
        return self.username


class Entry(Discreet, frozen=True):
    """One SIP account in the register.

    `install_id` is empty for the account of all phones of a user. The passwords are sealed: the one that phones get,
    the one of before it while it is good, and the one that is being set. Whatever is wanted makes `version` one more;
    `done` is the last one that came true. `rotated_s` is the date of answers that have the password. An account that
    is not `confirmed` belongs to an install that was not issued yet, and may never be.
    """

    id: str
    cloud_id: str
    subscriber_id: int
    install_id: str
    system: str
    address: Address
    aliases: tuple[str, ...] = ()
    display_name: str = ""
    password: str = ""
    former: str = ""
    coming: str = ""
    rotating: Rotating = Rotating.NO
    forgets: bool = False
    rotated_s: int = 0
    former_until_s: int = 0
    rotate_s: int = 0
    wanted: Wanted = Wanted.ACTIVE
    version: int = 1
    done: int = 0
    confirmed: bool = True
    leaving_s: int = 0
    created_s: int = 0
    tries: int = 0
    next_s: int = 0
    error: str = ""

    @property
    def is_forgotten(self) -> bool:
        """Whether only the phone and the SIP system know its password."""
        return self.forgets and self.rotated_s > 0 and not self.password

    @property
    def is_ready(self) -> bool:
        """Whether a phone can register with it."""
        return self.wanted is Wanted.ACTIVE and self.rotated_s > 0

    @property
    def line(self) -> Line:
        """What a phone is told that asks again."""
        return Line(self.id, self.address.username, self.address.domain, self.password)

    def __str__(self) -> str:
        return f"{self.address} at {self.system}, {self.wanted}"


class Claimed(Discreet, frozen=True):
    """An entry that a runner has the lease of, with what its account is made from.

    `is_held` says that every active phone of it has the password, so that the one of before is needed no more.
    """

    entry: Entry
    tenant: Tenant
    subscriber: Subscriber | None
    is_held: bool

    def __str__(self) -> str:
        return str(self.entry)


class SipRegister(Protocol):
    """Keeps the register. Every method is one durable transaction, and may raise Unavailable."""

    def ask_for(self, entry: Entry) -> Entry | None:
        """Enter a new account, or want the one active again that its owner has; None when the address is taken.

        It is, too, when somebody else's account has it as an alias.
        """

    def get(self, account_id: str) -> Entry:
        """Find one; raises NotFound."""

    def of_owner(self, cloud_id: str, subscriber_id: int, install_id: str) -> Entry | None:
        """The one of a user, or of an install, that is not about to leave for another system."""

    def of_user(self, cloud_id: str, subscriber_id: int) -> list[Entry]:
        """All of a user and of their installs."""

    def of_users(self, cloud_id: str, subscriber_ids: Sequence[int]) -> list[Entry]:
        """All of some hundred users and of their installs."""

    def of_install(self, cloud_id: str, install_id: str) -> list[Entry]:
        """Those of one install alone."""

    def by_address(self, system: str, address: Address) -> Entry | None:
        """The one of this address."""

    def ringing(self, system: str, alias: Address) -> list[Address]:
        """The active accounts that have this alias."""

    def claim(self, account_id: str, runner: str, now_s: int, until_s: int) -> Claimed | None:
        """The lease of one of which something is wanted; None when nothing is, or another runner has it."""

    def name(self, entry: Entry, runner: str) -> tuple[str, ...]:
        """Those of the entry's aliases that its user may have, which are theirs from now on.

        Names have one owner in each system and domain, whoever was there first: what is the user part or an alias of
        somebody else's account is left out. Raises Conflict when the lease is lost.
        """

    def nameless(self) -> list[tuple[Entry, str, Address]]:
        """Active accounts, with an alias that they lack, and the account of somebody else that has it."""

    def prepare(self, entry: Entry, runner: str) -> None:
        """Keep the password that is about to be set. Raises Conflict when the lease is lost."""

    def finish(self, entry: Entry, runner: str, *, dated: bool, now_s: int) -> None:
        """What the entry's version wanted came true, its rotation too; with `dated`, phones hear of a new password.

        Gives the lease back. Raises Conflict when it is lost.
        """

    def postpone(self, entry: Entry, runner: str, now_s: int) -> None:
        """Keep that it did not work, and when to try again; gives the lease back.

        A lease that is lost is no fault, but what is wanted is wanted anew: what did not work here may come late.
        """

    def want(self, account_id: str, wanted: Wanted, now_s: int) -> None:
        """Something else is wanted; that it is wanted already changes nothing."""

    def again(self, account_id: str, now_s: int) -> None:
        """What is wanted is wanted anew, and at once: the SIP system may have forgotten it."""

    def rotate(self, account_ids: Sequence[str], how: Rotating, now_s: int) -> int:
        """A new password is wanted for those that are active and not being rotated; returns for how many."""

    def spread(self, cloud_id: str, within_s: int, now_s: int) -> int:
        """New passwords for all that are active, each at a time of its own within so many seconds; for how many."""

    def due(self, now_s: int, most: int, without: Collection[str] = ()) -> list[str]:
        """Those of which something is wanted, whose time has come, and that nobody has the lease of.

        Those that are to be cut off come first, and then each system in turn; some systems can be left out.
        """

    def settle(self, now_s: int) -> None:
        """Want for all what their users and phones make of it, and what their settings say.

        That is done with each change of a user or a phone, too. What time alone changes waits for this: accounts that
        are over, overlaps that are, installs that were never issued, passwords to be rotated.
        """

    def missing(self, now_s: int, most: int) -> list[tuple[Sip, Subscriber, str]]:
        """Users, and installs of users, that ought to have an account and have none."""

    def all(self) -> list[Entry]:
        """All of them."""


def owner_of(sip: Sip, install_id: str) -> str:
    """The install that an account belongs to; empty where all phones of a user have one."""
    return install_id if sip.accounts is PerWhom.INSTALL else ""


def new_entry(  # noqa: PLR0917 - one thing after the other
    sip: Sip, subscriber: Subscriber, install_id: str, account_id: str, random: str, now_s: int
) -> Entry:
    """An account to ask for: its user part is the user's SIP name, and of an install that and something random."""
    named = user_part(subscriber.attributes.get(SIP_USERNAME, ""))
    install_id = owner_of(sip, install_id)
    if install_id or not named:
        named = f"{named or 'u'}-{random}"
    return Entry(
        id=account_id,
        cloud_id=subscriber.cloud_id,
        subscriber_id=subscriber.id,
        install_id=install_id,
        system=sip.system,
        address=Address(named[-MAX_USER_PART:], sip.domain),
        forgets=not sip.keep_passwords,
        confirmed=not install_id,
        created_s=now_s,
        next_s=now_s,
    )


def aliases_of(sip: Sip, subscriber: Subscriber, address: Address) -> tuple[str, ...]:
    """The other user parts that ring: the user's SIP name, where that is not the account's, number and extension."""
    names = (SIP_USERNAME, *sip.aliases)
    found = dict.fromkeys(user_part(subscriber.attributes.get(name, "")) for name in names)
    return tuple(alias for alias in found if alias and alias != address.username)


def display_name_of(sip: Sip, subscriber: Subscriber) -> str:
    """What a phone that is called may show; without anything that would end a line or a quotation."""
    text = subscriber.attributes.get(sip.display_name, "")
    return "".join(letter for letter in text if letter.isprintable() and letter not in '"\\')[:_MAX_DISPLAY_NAME]


def user_part(text: str) -> str:
    """A text as the user part of an address: in small letters, since registrars differ about the others."""
    return _NO_USER_PART.sub("", text.lower())[:MAX_USER_PART]


def place_of_line(account_id: str) -> str:
    """The row that a sealed SIP password is bound to; it may be in any of its three columns."""
    return f"sip_account|{account_id}"
