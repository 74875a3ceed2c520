"""SIP accounts in the systems that phones register with: what the provider asks of such a system."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import md5
from typing import Protocol

import msgspec

from offhook.core.secret import Discreet, Secret


class Address(msgspec.Struct, frozen=True, order=True):
    """Names a SIP account: the user part and the domain of its address of record. The domain is the digest realm."""

    username: str
    domain: str

    def __str__(self) -> str:
        return f"{self.username}@{self.domain}"

    def ha1(self, password: Secret) -> Secret:
        """What a registrar needs in place of the password (RFC 7616, section 3.4.2, with MD5): as good as it."""
        text = f"{self.username}:{self.domain}:{password.reveal()}"
        return Secret(md5(text.encode(), usedforsecurity=False).hexdigest())


class SipAccount(Discreet, frozen=True):
    """An account as it should be in the SIP system.

    `former` is the password of before, which is good as well until it is left out: so a phone that has not asked for
    the new one yet stays registered. `aliases` are the other user parts of the domain that ring here: the user's
    number, their extension; several accounts may have the same alias, and then all of them ring.
    """

    address: Address
    password: Secret
    former: Secret | None = None
    aliases: tuple[str, ...] = ()
    display_name: str = ""

    def ha1s(self) -> tuple[Secret, ...]:
        """What the SIP system is to accept, the newest first."""
        passwords = (self.password,) if self.former is None else (self.password, self.former)
        return tuple(map(self.address.ha1, passwords))

    def __str__(self) -> str:
        return str(self.address)


class KeptAccount(Discreet, frozen=True):
    """An account as the SIP system has it; `ha1s` are None when it does not tell."""

    address: Address
    enabled: bool
    ha1s: tuple[Secret, ...] | None = None
    aliases: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.address}, {'enabled' if self.enabled else 'disabled'}"


class SipAccounts(Protocol):
    """One SIP system. Its methods wait for it, so they belong into a thread; each may raise Unavailable.

    After Unavailable, or a crash, nobody knows whether it happened: it is asked again, with the same operation `key`,
    until it answers. To ask again for what happened already changes nothing and is no fault. Whoever asks never has two
    keys of one address under way at once, and a key is never used for anything else. Refused is a no for good, with a
    text for the person: a name that the system cannot have, or whatever else it does not take.
    """

    def ensure(self, account: SipAccount, key: str) -> None:
        """The account is there, enabled, and accepts these passwords and no others, whatever was there before."""

    def rotate(self, account: SipAccount, key: str) -> None:
        """As `ensure`, for an account that is there: its registrations stay. Raises NotFound when it is not there."""

    def disable(self, address: Address, key: str) -> None:
        """The account accepts no password, and is registered nowhere; that it is not there is right, too."""

    def remove(self, address: Address, key: str) -> None:
        """The account is not there, nor are its aliases, and it is registered nowhere."""

    def look_up(self, address: Address) -> KeptAccount | None:
        """The account as it is there now; None when it is not."""

    def registered(self, addresses: Collection[Address]) -> Mapping[Address, bool]:
        """Which of them are registered now; those of which the system does not know it are left out."""
