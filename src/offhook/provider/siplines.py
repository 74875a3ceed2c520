"""Makes the SIP systems what the register wants them to be, one account at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from offhook.core.errors import Conflict, NotFound, Refused, Unavailable
from offhook.core.secret import Secret
from offhook.provider.ports import Chance, Clock
from offhook.provider.sealing import Sealer
from offhook.provider.sipaccounts import SipAccount, SipAccounts
from offhook.provider.sipregister import (
    Claimed,
    Entry,
    Rotating,
    SipRegister,
    Wanted,
    aliases_of,
    display_name_of,
    new_entry,
    owner_of,
    place_of_line,
)
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Sip, Tenant
from offhook.provider.waiting import not_ready

# Longer than any call of a SIP system takes, since every port has an end in time.
LEASE_S: Final = 120
FIRST_S: Final = 1
MOST_S: Final = 300
# A system that says no is asked again, but not often: somebody has to put that right.
REFUSED_S: Final = 3600
# So long a system that did not answer is left to itself, but for whoever signs in.
AWAY_S: Final = 5
ID_BYTES: Final = 12
PASSWORD_BYTES: Final = 20
NAME_BYTES: Final = 4
SETTLE_EVERY_S: Final = 30
# Users of a Cloud ID that gets a SIP system come by and by; whoever signs in does not wait for that.
MOST_MISSING: Final = 200
_ATTEMPTS: Final = 3


class Postponed(Unavailable):
    """A SIP system does not answer; the register says when to try again."""


class SipLines:
    """The use cases. They wait for SIP systems, so they belong into a thread.

    What is wanted was stored before, and what came of it is afterwards. A password is sealed and stored before the SIP
    system hears of it, and phones are told of it only when the system takes it.
    """

    def __init__(
        self, *, register: SipRegister, systems: Mapping[str, SipAccounts], sealer: Sealer, chance: Chance, clock: Clock
    ) -> None:
        self.register, self.systems = register, systems
        self._sealer, self._chance, self._clock = sealer, chance, clock
        self._runner = chance.token(ID_BYTES).hex()
        # SIP systems that did not answer, and when: whoever waits for them keeps others waiting.
        self._away: dict[str, int] = {}

    def make(self, tenant: Tenant, subscriber: Subscriber, install_id: str) -> Entry:
        """The account of a user or of an install, made unless it is there.

        Raises Unavailable when it is not ready yet, in which case it goes on by itself; Refused.
        """
        sip = _sip_of(tenant)
        entry = self.ask_for(sip, subscriber, install_id)
        if not entry.is_ready:
            self.run(entry.id)
            entry = self.register.get(entry.id)
        if not entry.is_ready:
            raise not_ready()
        return entry

    def ask_for(self, sip: Sip, subscriber: Subscriber, install_id: str, *, confirmed: bool = False) -> Entry:
        """Enter an account into the register, if it is not there; its install may have been issued long ago."""
        known = self.register.of_owner(subscriber.cloud_id, subscriber.id, owner_of(sip, install_id))
        if known is not None and known.wanted is Wanted.ACTIVE:
            return known
        named = subscriber
        for _ in range(_ATTEMPTS):
            account_id, random = self._chance.token(ID_BYTES).hex(), self._chance.token(NAME_BYTES).hex()
            wanted = new_entry(sip, named, install_id, account_id, random, self._clock.now_s())
            wanted = msgspec.structs.replace(wanted, confirmed=wanted.confirmed or confirmed)
            if (entry := self.register.ask_for(wanted)) is not None:
                return entry
            # Somebody else has the name: this one gets another that nobody has.
            named = msgspec.structs.replace(subscriber, attributes={})
        raise Unavailable("No SIP name was free. Try again.")

    def rotated(self, entry: Entry) -> Entry:
        """The account with a new password if that works now; as it was, if not, or while it is being rotated."""
        self.register.rotate([entry.id], Rotating.OVERLAP, self._clock.now_s())
        self.run(entry.id)
        after = self.register.get(entry.id)
        return after if after.is_ready else entry

    def expected(self, entry: Entry) -> SipAccount | None:
        """An account as the SIP system should have it; None when its passwords are not known here."""
        if not entry.password:
            return None
        former = self._opened(entry, entry.former) if entry.former else None
        return SipAccount(entry.address, self._opened(entry, entry.password), former, entry.aliases)

    def unmake(self, cloud_id: str, subscriber_id: int, install_id: str) -> None:
        """Remove an account; that there is none is right, too. Raises Unavailable while it may be there."""
        entry = self.register.of_owner(cloud_id, subscriber_id, install_id)
        if entry is None:
            return
        self.register.want(entry.id, Wanted.REMOVED, self._clock.now_s())
        self.run(entry.id)
        entry = self.register.get(entry.id)
        if entry.done < entry.version:
            raise Unavailable(entry.error or "The SIP account is being removed.")

    def drop(self, account_id: str) -> None:
        """No install was issued with this account after all: the next round removes it."""
        self.register.want(account_id, Wanted.REMOVED, self._clock.now_s())

    def due(self, most: int) -> Sequence[str]:
        """Those of which something is wanted; together with `do`, they are a chore of the server."""
        now_s = self._clock.now_s()
        return self.register.due(now_s, most, [name for name in self._away.copy() if self._is_away(name, now_s)])

    def do(self, name: str) -> Entry | None:
        """As `run`, but raises Postponed: whoever runs the server is to hear of it. A refusal stays in the register.

        One of a system that has just not answered has to wait.
        """
        try:
            if self._is_away(self.register.get(name).system, self._clock.now_s()):
                return None
        except NotFound:
            return None
        try:
            return self._run(name)
        except Refused:
            return None

    def run(self, account_id: str) -> Entry | None:
        """Do what is wanted of an account; None when nothing is, or somebody else does. Raises Refused.

        When the SIP system does not answer, the register says so, and when to try again.
        """
        try:
            return self._run(account_id)
        except Postponed:
            return None

    def _run(self, account_id: str) -> Entry | None:
        runner = f"{self._runner}:{self._chance.token(4).hex()}"
        now_s = self._clock.now_s()
        claimed = self.register.claim(account_id, runner, now_s, now_s + LEASE_S)
        if claimed is None:
            return None
        entry = claimed.entry
        try:
            return self._carried_out(claimed, runner)
        except Conflict:
            # Another one has the lease, and is done perhaps: what was asked for here may have come to pass after that.
            self.register.again(account_id, self._clock.now_s())
            return None
        except Unavailable as error:
            self._away[entry.system] = self._clock.now_s()
            self._postpone(entry, runner, error.text, min(FIRST_S << min(entry.tries, 20), MOST_S))
            raise Postponed(f"{entry.system}: {error.text}") from None
        except Refused as error:
            self._postpone(entry, runner, error.text, REFUSED_S)
            raise

    def _is_away(self, system: str, now_s: int) -> bool:
        """Also after the clock was set back, it is not for long."""
        return 0 <= now_s - self._away.get(system, -AWAY_S) < AWAY_S

    def _carried_out(self, claimed: Claimed, runner: str) -> Entry:
        entry = claimed.entry
        system = self.systems.get(entry.system)
        if system is None:
            raise Unavailable(f"The file of connections has no SIP system {entry.system}.")
        if entry.wanted is Wanted.ACTIVE:
            return self._activated(claimed, system, runner)
        key = _key(entry, ())
        if entry.wanted is Wanted.REMOVED:
            system.remove(entry.address, key)
        else:
            system.disable(entry.address, key)
        if entry.wanted is Wanted.REMOVED:
            # Others may have these names from now on.
            entry = msgspec.structs.replace(entry, aliases=())
        gone = msgspec.structs.replace(
            entry, password="", former="", coming="", rotated_s=0, former_until_s=0, rotate_s=0
        )
        self.register.finish(gone, runner, dated=False, now_s=self._clock.now_s())
        return gone

    def _activated(self, claimed: Claimed, system: SipAccounts, runner: str) -> Entry:
        entry, subscriber = claimed.entry, claimed.subscriber
        if subscriber is None:
            raise Unavailable("The user of this SIP account was removed meanwhile.")
        if (sip := claimed.tenant.sip) is not None:
            wanted = aliases_of(sip, subscriber, entry.address)
            if not set(wanted) <= set(entry.aliases):
                wanted = self.register.name(msgspec.structs.replace(entry, aliases=wanted), runner)
            entry = msgspec.structs.replace(entry, aliases=wanted, display_name=display_name_of(sip, subscriber))
        if not entry.coming and (entry.rotating is not Rotating.NO or not entry.rotated_s):
            entry = msgspec.structs.replace(entry, coming=self._new_password(entry))
            self.register.prepare(entry, runner)
        if entry.coming or entry.password:
            self._tell(system, entry, self._former(entry, is_held=claimed.is_held))
        finished = self._finished(entry, sip, is_held=claimed.is_held)
        # Whoever signs in is told at once; all others have to be told that there is something new.
        dated = bool(entry.coming) and entry.confirmed
        self.register.finish(finished, runner, dated=dated, now_s=self._clock.now_s())
        return finished

    def _tell(self, system: SipAccounts, entry: Entry, former: str) -> None:
        newest = entry.coming or entry.password
        account = SipAccount(
            entry.address,
            self._opened(entry, newest),
            self._opened(entry, former) if former else None,
            entry.aliases,
            entry.display_name,
        )
        key = _key(entry, (newest, former))
        if not entry.rotated_s:
            system.ensure(account, key)
            return
        try:
            system.rotate(account, key)
        except NotFound:
            system.ensure(account, f"{key}:ensure")

    def _former(self, entry: Entry, *, is_held: bool) -> str:
        """The sealed password that is good beside the newest one."""
        if entry.coming:
            return entry.password if entry.rotating is Rotating.OVERLAP else ""
        return "" if is_held else entry.former

    def _finished(self, entry: Entry, sip: Sip | None, *, is_held: bool) -> Entry:
        former, now_s = self._former(entry, is_held=is_held), self._clock.now_s()
        done = msgspec.structs.replace(entry, former=former, former_until_s=entry.former_until_s if former else 0)
        if not entry.coming:
            return done
        return msgspec.structs.replace(
            done,
            password=entry.coming,
            coming="",
            rotated_s=now_s,
            former_until_s=now_s + (sip.overlap_s if sip else 0) if former else 0,
            rotate_s=self._next_rotation(entry, sip),
            forgets=sip is not None and not sip.keep_passwords,
        )

    def _next_rotation(self, entry: Entry, sip: Sip | None) -> int:
        """After the period; the first one earlier by lot, so that accounts made together do not rotate together."""
        if sip is None or not sip.rotate_every_s:
            return 0
        early_s = 0 if entry.rotated_s else int.from_bytes(self._chance.token(4)) % (sip.rotate_every_s // 2)
        return self._clock.now_s() + sip.rotate_every_s - early_s

    def _postpone(self, entry: Entry, runner: str, error: str, wait_s: int) -> None:
        now_s = self._clock.now_s()
        later = msgspec.structs.replace(entry, tries=entry.tries + 1, error=error, next_s=now_s + wait_s)
        self.register.postpone(later, runner, now_s)

    def _new_password(self, entry: Entry) -> str:
        password = self._chance.token(PASSWORD_BYTES).hex().upper()
        return self._sealer.seal(password, place_of_line(entry.id))

    def _opened(self, entry: Entry, sealed: str) -> Secret:
        return self._sealer.open(sealed, place_of_line(entry.id))


class Settling:
    """Wants what time alone changes, and accounts for those who have none: a chore that is due once in a while."""

    def __init__(self, lines: SipLines, clock: Clock, every_s: int = SETTLE_EVERY_S) -> None:
        self._lines, self._clock, self._every_s = lines, clock, every_s
        self._last_s: int | None = None

    def due(self, most: int) -> Sequence[str]:
        """As a chore says; also when the clock was set back."""
        now_s = self._clock.now_s()
        is_recent = self._last_s is not None and 0 <= now_s - self._last_s < self._every_s
        return () if is_recent else ("all",)

    def do(self, name: str) -> None:
        """As a chore says."""
        self._last_s = now_s = self._clock.now_s()
        self._lines.register.settle(now_s)
        for sip, subscriber, install_id in self._lines.register.missing(now_s, MOST_MISSING):
            self._lines.ask_for(sip, subscriber, install_id, confirmed=True)


def _sip_of(tenant: Tenant) -> Sip:
    assert tenant.sip is not None, "who asks has looked"
    return tenant.sip


def _key(entry: Entry, sealed: Sequence[str]) -> str:
    """The operation key of what is wanted: two that want something else are never the same."""
    said = msgspec.json.encode([entry.wanted.value, *sealed, *entry.aliases, entry.display_name])
    return f"{entry.id}:{entry.version}:{blake2b(said, digest_size=6).hexdigest()}"
