"""Our register as a SIP system reads it that asks us who may register, and keeps no accounts itself."""

from __future__ import annotations

from collections.abc import Collection

from offhook.provider.sealing import Sealer
from offhook.provider.sipaccounts import Address, SipAccount
from offhook.provider.sipregister import Rotating, SipRegister, Wanted, place_of_line


class KnownLines:
    """The accounts of one SIP system."""

    def __init__(self, register: SipRegister, system: str, sealer: Sealer) -> None:
        self._register, self._system, self._sealer = register, system, sealer

    def find(self, address: Address) -> SipAccount | None:
        """The account, with the passwords that are good now; None when it is not to be used. Raises Unavailable.

        A password that is just being set is good already, so that the phone that is told of it never comes too early.
        """
        entry = self._register.by_address(self._system, address)
        if entry is None or entry.wanted is not Wanted.ACTIVE:
            return None
        newest, former = entry.password, entry.former
        if entry.coming:
            newest, former = entry.coming, "" if entry.rotating is Rotating.AT_ONCE else entry.password
        if not newest:
            return None
        opened = [self._sealer.open(sealed, place_of_line(entry.id)) for sealed in (newest, former) if sealed]
        return SipAccount(
            entry.address, opened[0], opened[1] if len(opened) > 1 else None, entry.aliases, entry.display_name
        )

    def ringing(self, alias: Address) -> Collection[Address]:
        """The active accounts that have this alias."""
        return self._register.ringing(self._system, alias)
