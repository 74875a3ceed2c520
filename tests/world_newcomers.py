"""A provider at which people come in the first time: a directory that vouches, a system with hooks, and a postman."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Secret
from offhook.provider.directory import Directory
from offhook.provider.doctor import Doctor
from offhook.provider.hooks import Wish
from offhook.provider.invitations import Invitations, Invited
from offhook.provider.limits import Attempts, Limits
from offhook.provider.lineatsignin import LineAtSignIn
from offhook.provider.making import Making, Pace
from offhook.provider.numberdoctor import NumberCheck
from offhook.provider.numbering import Numbering
from offhook.provider.numbers import Pool, Range
from offhook.provider.onboarding import AnyOnboarding, ByUpstream, NumberFrom
from offhook.provider.passwords import hash_password
from offhook.provider.reception import Reception
from offhook.provider.saga import Activate, CallHook, Enter, MakeSip, Patience, TakeNumber
from offhook.provider.sagas import Sagas
from offhook.provider.signin import SignIn
from offhook.provider.signup import SignUps
from offhook.provider.siplines import SipLines
from offhook.provider.sipsteps import SipStep
from offhook.provider.tenant import Sip, Tenant
from offhook.provider.thingsteps import HookStep, NumberStep
from offhook.provider.upstream import Upstream, Vouched
from offhook.provider.usersteps import ActivateStep, EnterStep
from offhook.provider.vouchers import Refresh, Vouchers
from offhook.provider.vouching import Vouching
from offhook.storage.codes import Codes
from offhook.storage.invitations import InvitationStore
from offhook.storage.numbers import NumberStore
from offhook.storage.sagas import PendingUsers, SagaStore
from offhook.storage.sipaccounts import SipRegister
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.vouchers import VoucherStore
from offhook.web.provider import endpoints
from tests.world_provider import Provider
from tests.world_sip import MemorySip

TEMPLATE = "<account><username>{username}</username><number>{number}</number><mailbox>{mailbox}</mailbox></account>"


class People:
    """An upstream that knows some people, and counts how often it is asked."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, Vouched]] = {}
        self.down = False
        self.asked: list[str] = []
        self.refusing: dict[str, str] = {}

    def has(self, username: str, password: str = "right", *groups: str, **attributes: str) -> None:
        self.known[username] = password, Vouched(username, attributes, groups)

    def vouch(self, username: str, password: Secret) -> Vouched | None:
        self.asked.append(username)
        self._answer(username)
        known = self.known.get(username.partition("@")[0])
        return known[1] if known is not None and known[0] == password.reveal() else None

    def look_up(self, username: str) -> Vouched | None:
        self._answer(username)
        known = self.known.get(username)
        return known[1] if known is not None else None

    def _answer(self, username: str) -> None:
        if self.down:
            raise Unavailable("The directory is down.", 7)
        if username in self.refusing:
            raise Refused(self.refusing[username])


class Crm:
    """A system with a hook: it does a thing once for each key, and keeps count of what it has done and undone."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answers: dict[str, Mapping[str, str]] = {}
        self.mailboxes: dict[str, int] = {}
        self.wishes: list[tuple[Wish, str]] = []
        self.trouble: Callable[[Wish], None] = lambda wish: None
        self.gives: Callable[[Wish], Mapping[str, str]] = lambda wish: {"mailbox": f"box-{wish.username}"}

    def perform(self, wish: Wish, key: str) -> Mapping[str, str]:
        with self.lock:
            self.wishes.append((wish, key))
        self.trouble(wish)
        with self.lock:
            if key not in self.answers:
                name = f"{wish.username}@{wish.cloud_id}"
                self.mailboxes[name] = 0 if wish.undo else self.mailboxes.get(name, 0) + 1
                self.answers[key] = {} if wish.undo else self.gives(wish)
            return self.answers[key]


class Postman:
    """Brings codes."""

    def __init__(self) -> None:
        self.codes: list[tuple[str, str]] = []
        self.down = False

    def send(self, cloud_id: str, address: str, code: Secret, key: str) -> None:
        if self.down:
            raise Unavailable("The mail server is down.")
        self.codes.append((address, code.reveal()))


class Onboarding(Provider):
    """The provider with all of them, and a Cloud ID."""

    def __init__(self, folder: Path, *, wait_s: float = 1.0, limits: Limits | None = None) -> None:
        super().__init__(folder, limits=limits)
        self.people, self.crm, self.postman = People(), Crm(), Postman()
        self.hooks = {"crm": self.crm}
        self.upstreams: dict[str, Upstream] = {"corp": self.people}
        self.numbers, self.vouch_store = NumberStore(self.database), VoucherStore(self.database)
        self.told: list[str] = []
        pace = Pace(wait_s=wait_s)
        pending = PendingUsers(self.database)
        self.berlin, self.register = MemorySip(), SipRegister(self.database)
        lines = SipLines(
            register=self.register,
            systems={"berlin": self.berlin},
            sealer=self.sealer,
            chance=self.dice,
            clock=self.clock,
        )
        self.sagas = Sagas(
            store=SagaStore(self.database),
            doers={
                Enter: EnterStep(pending, self.clock),
                TakeNumber: NumberStep(self.numbers, self.clock),
                MakeSip: SipStep(lines, self.subscribers, self.tenants),
                CallHook: HookStep(self.hooks.get, self.subscribers),
                Activate: ActivateStep(pending, self.clock),
            },
            clock=self.clock,
            chance=self.dice,
            patience=Patience(for_s=60, tries=3),
        )
        directory = Directory(self.subscribers, self.tenants, self.sealer, hash_password, self.dice, self.clock)
        numbering = Numbering(self.numbers, self.tenants, self.subscribers, directory, self.clock)
        self.doctor = Doctor({"numbers": NumberCheck(numbering, self.sagas.store)})
        self.vouchers = Vouchers(self.vouch_store, lambda author: SubscriberStore(self.database, author), self.clock)
        self.refresh = Refresh(self.vouch_store, self.vouchers, self.tenants, self.upstreams.get, self.clock)
        attempts = Attempts(limits)
        self.vouching = Vouching(self.upstreams.get, attempts, self.clock, self.dice)
        self.sign_ups = SignUps(
            codes=Codes(self.database),
            senders=lambda name: None if name else self.postman,
            tokens=self.tokens,
            clock=self.clock,
            chance=self.dice,
            noted=self.told.append,
        )
        self.invitation_store = InvitationStore(self.database)
        self.invitations = Invitations(
            store=self.invitation_store,
            subscribers=self.subscribers,
            tenants=self.tenants,
            tokens=self.tokens,
            sealer=self.sealer,
            chance=self.dice,
            clock=self.clock,
            has_mail=True,
        )
        reception = Reception(
            invited=Invited(self.invitation_store, self.tokens, self.clock),
            making=Making(self.sagas, self.sealer, self.clock, self.dice, pace),
            vouching=self.vouching,
            vouchers=self.vouchers,
            sign_ups=self.sign_ups,
            pace=pace,
        )
        self.sign_in = SignIn(
            store=self.store,
            passwords=self.passwords,
            sightings=self.sightings,
            composer=self.composer,
            rulings=self.rulings,
            tokens=self.tokens,
            attempts=attempts,
            clock=self.clock,
            chance=self.dice,
            reception=reception,
            lines=LineAtSignIn(lines, aside=pace.aside, sleep=pace.sleep, seconds=pace.seconds, within_s=wait_s),
        )
        self.handlers |= endpoints(self.sign_in, self.noted, seconds=lambda: self.seconds, sleep=self._sleep)

    def close(self) -> None:
        self.vouching.close()
        self.sign_ups.close()
        super().close()

    def opens(
        self, onboarding: AnyOnboarding | None = None, *hooks: str, number: str = "main", sip: Sip | None = None
    ) -> Tenant:
        """A Cloud ID whose users come in so."""
        return self.has_tenant(
            Tenant(
                "EXAMPLE",
                template=TEMPLATE,
                onboarding=onboarding or ByUpstream("corp"),
                numbers=(NumberFrom(number),) if number else (),
                hooks=hooks,
                sip=sip,
            )
        )

    def has_numbers(self, *ranges: str, name: str = "main", quarantine_s: int = 86400) -> None:
        parsed = tuple(map(Range.parse, ranges))
        self.numbers.add(Pool("EXAMPLE", name, parsed[0].kind, quarantine_s, parsed), 0)

    def refreshes(self) -> None:
        """Do what is due, as the server does beside requests."""
        for name in self.refresh.due(100):
            try:
                self.refresh.do(name)
            except Unavailable as error:
                self.told.append(error.text)

    def users(self) -> list[str]:
        return [one.username for one in self.subscribers.all_of("EXAMPLE")]
