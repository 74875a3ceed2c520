"""Whether phones are registered, as far as the SIP systems tell that have accounts for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from offhook.core.errors import Unavailable
from offhook.provider.sipaccounts import Address, SipAccounts
from offhook.provider.sipregister import Entry, SipRegister, Wanted
from offhook.provider.subscriber import Subscriber


class SipRegistrations:
    """What the guards of rollouts ask (`rollouts.Registrations`); a system is asked once for all users of a batch."""

    def __init__(self, register: SipRegister, systems: Mapping[str, SipAccounts]) -> None:
        self._register, self._systems = register, systems

    def registered(self, users: Sequence[Subscriber]) -> Mapping[int, bool]:
        """Whether an account of each user is registered now, by the user's id; of whom nobody knows it is left out."""
        if not self._systems or not users:
            return {}
        found: dict[int, bool] = {}
        entries = self._register.of_users(users[0].cloud_id, [user.id for user in users])
        for system, theirs in _by_system(entries).items():
            known = self._asked(system, [entry.address for entry in theirs])
            for entry in theirs:
                if entry.address in known:
                    found[entry.subscriber_id] = found.get(entry.subscriber_id, False) or known[entry.address]
        return found

    def _asked(self, system: str, addresses: Sequence[Address]) -> Mapping[Address, bool]:
        """Of one that is away nothing is known, which is no trouble of a phone's."""
        try:
            return self._systems[system].registered(addresses) if system in self._systems else {}
        except Unavailable:
            return {}


def _by_system(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Those that a phone may register with."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.wanted is Wanted.ACTIVE and entry.done == entry.version:
            found.setdefault(entry.system, []).append(entry)
    return found
