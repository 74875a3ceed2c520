"""SIP systems in memory: they do what the port says, and fail before or after it as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import msgspec

from offhook.core.errors import NotFound, Unavailable
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, KeptAccount, SipAccount
from offhook.provider.siplines import Postponed, Settling, SipLines
from offhook.provider.sipregister import Entry, place_of_line
from offhook.provider.subscriber import Subscriber, username_key
from offhook.provider.tenant import Sip, Tenant
from offhook.storage.sipaccounts import SipRegister
from tests.world_provider import Provider


class Killed(BaseException):
    """The process is gone: nothing that it would have done happens any more."""


class Trouble:
    """What happens before and after each thing that acts: nothing, unless it is told otherwise."""

    def __init__(self) -> None:
        self.before: Callable[[str], None] = lambda what: None
        self.after: Callable[[str], None] = lambda what: None

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        self.before(what)
        yield
        self.after(what)

    def by_dice(self, dice: Random, killed: float, away: float) -> None:
        """Kill, or let a system not answer, with these chances; each before or after it has acted."""

        def meet(what: str) -> None:
            lot = dice.random()
            if lot < killed:
                raise Killed(what)
            if lot < killed + away:
                raise Unavailable(f"{what} does not answer.")

        def kill(what: str) -> None:
            if dice.random() < killed:
                raise Killed(what)

        self.before = self.after = lambda what: (kill if what.startswith("store.") else meet)(what)

    def over(self) -> None:
        self.before = self.after = lambda what: None


class MemorySip:
    """One SIP system. It remembers who asked for what with which key, and refuses keys that are used twice."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        self.trouble = trouble or Trouble()
        self.lock = threading.Lock()
        self.accounts: dict[Address, SipAccount] = {}
        self.disabled: set[Address] = set()
        self.phones: dict[Address, set[str]] = {}  # passwords of those that are registered
        self.asked: list[tuple[str, str]] = []
        self.meant: dict[str, object] = {}
        self.made = 0
        self.secrets: set[str] = set()  # passwords and what is as good as they are
        self.asking: set[Address] = set()

    @contextmanager
    def _asked(self, what: str, address: Address, key: str, content: object) -> Iterator[None]:
        with self.lock:
            assert address not in self.asking, "two keys of one address are under way at once"
            assert self.meant.setdefault(key, (what, content)) == (what, content), "a key is used for something else"
            self.asking.add(address)
            self.asked.append((what, key))
        try:
            with self.trouble.around(f"sip.{what}"), self.lock:
                yield
        finally:
            with self.lock:
                self.asking.discard(address)

    def ensure(self, account: SipAccount, key: str) -> None:
        with self._asked("ensure", account.address, key, _said(account)):
            self._set(account)

    def rotate(self, account: SipAccount, key: str) -> None:
        with self._asked("rotate", account.address, key, _said(account)):
            if account.address not in self.accounts or account.address in self.disabled:
                raise NotFound("There is no such account.")
            self._set(account)

    def disable(self, address: Address, key: str) -> None:
        with self._asked("disable", address, key, address):
            if address in self.accounts:
                self.disabled.add(address)
            self.phones.pop(address, None)

    def remove(self, address: Address, key: str) -> None:
        with self._asked("remove", address, key, address):
            self.accounts.pop(address, None)
            self.disabled.discard(address)
            self.phones.pop(address, None)

    def look_up(self, address: Address) -> KeptAccount | None:
        with self.trouble.around("sip.look_up"):
            account = self.accounts.get(address)
        if account is None:
            return None
        return KeptAccount(address, address not in self.disabled, account.ha1s(), account.aliases)

    def registered(self, addresses: Collection[Address]) -> Mapping[Address, bool]:
        return {address: bool(self.phones.get(address)) for address in addresses}

    def _set(self, account: SipAccount) -> None:
        passwords = (account.password, *(() if account.former is None else (account.former,)))
        self.secrets.update(one.reveal() for one in (*passwords, *account.ha1s()))
        self.made += account.address not in self.accounts
        self.accounts[account.address] = account
        self.disabled.discard(account.address)

    # --- what a phone does ---

    def registers(self, username: str, domain: str, password: str) -> bool:
        """Whether a phone with these credentials may register."""
        address = Address(username, domain)
        account = self.accounts.get(address)
        if account is None or address in self.disabled:
            return False
        fits = address.ha1(Secret(password)) in account.ha1s()
        if fits:
            self.phones.setdefault(address, set()).add(password)
        return fits


def _said(account: SipAccount) -> tuple[object, ...]:
    return (account.address, tuple(one.reveal() for one in account.ha1s()), account.aliases, account.display_name)


class TroubledStore:
    """A store during whose methods the process can be killed: before a transaction, or after it was kept."""

    def __init__(self, store: object, trouble: Trouble) -> None:
        self._store, self._trouble = store, trouble

    def __getattr__(self, name: str) -> Callable[..., object]:
        method: Callable[..., object] = getattr(self._store, name)

        def called(*arguments: object, **named: object) -> object:
            with self._trouble.around(f"store.{name}"):
                return method(*arguments, **named)

        return called


SIP = Sip("berlin", "sip.example.org")


class SipWorld:
    """A provider with a SIP system `berlin`, whose register's work is done when somebody says so."""

    def __init__(self, provider: Provider, sip: Sip = SIP, *, quick: bool = False) -> None:
        self.provider, self.trouble = provider, Trouble()
        self.system = MemorySip(self.trouble)
        self.register = SipRegister(provider.database)
        self.lines = self.new_lines()
        self.tenant = provider.has_tenant(Tenant("EXAMPLE", sip=sip))
        provider.has_lines(self.lines)

    def new_lines(self) -> SipLines:
        """A server that has just started, beside the one that may have been killed."""
        register: Any = TroubledStore(self.register, self.trouble)
        return SipLines(
            register=register,
            systems={"berlin": self.system, "munich": self.system},
            sealer=self.provider.sealer,
            chance=self.provider.dice,
            clock=self.provider.clock,
        )

    def set(self, sip: Sip | None, *, move: bool = False) -> None:
        self.tenant = msgspec.structs.replace(self.tenant, sip=sip)
        self.provider.tenants.put(self.tenant, move=move)

    def user(self, name: str = "johndow") -> Subscriber:
        return self.provider.subscribers.get("EXAMPLE", username_key(name))

    def works(self, rounds: int = 6, seconds: int = 0) -> None:
        """The server does what is due, and what follows from it."""
        settling = Settling(self.lines, self.provider.clock)
        for _ in range(rounds):
            self.provider.sightings.flush()
            settling._last_s = None
            settling.do("all")
            for name in self.lines.due(500):
                with suppress(Postponed):
                    self.lines.do(name)
            self.provider.clock.time_s += seconds

    def entries(self) -> list[Entry]:
        return self.register.all()

    def password(self, entry: Entry) -> str:
        return self.provider.sealer.open(entry.password, place_of_line(entry.id)).reveal()
