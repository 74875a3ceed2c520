"""Joins what users have in other systems and from pools: SIP accounts, numbers, hooks, the sagas that make them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from offhook.connections import Connections
from offhook.identity.sources import open_upstream
from offhook.mail.letters import Letters
from offhook.mail.smtp import SmtpMailer
from offhook.outgoing.hook import WebhookCodes, WebhookHook
from offhook.outgoing.webhook import Webhook
from offhook.provider.beside import Beside
from offhook.provider.chores import Chore
from offhook.provider.connectiondoctor import ConnectionCheck, Faults
from offhook.provider.directory import Directory
from offhook.provider.doctor import Check, Doctor
from offhook.provider.invitations import Invitations, Invited
from offhook.provider.knownlines import KnownLines
from offhook.provider.limits import Attempts
from offhook.provider.making import Making, Pace
from offhook.provider.numberdoctor import NumberCheck, OnboardingCheck
from offhook.provider.numbering import Numbering
from offhook.provider.passwords import hash_password
from offhook.provider.ports import Chance, Clock, SubscriberStore, TenantStore
from offhook.provider.posting import Deliveries, MailedCodes, Post
from offhook.provider.reception import Reception
from offhook.provider.saga import Activate, CallHook, Enter, MakeSip, TakeNumber
from offhook.provider.sagas import Doers, Sagas
from offhook.provider.sealing import KeyedHash, Sealer
from offhook.provider.signup import Sender, SignUps
from offhook.provider.sipdoctor import LineCheck, SagaCheck
from offhook.provider.siplines import Settling, SipLines
from offhook.provider.sipsteps import SipStep
from offhook.provider.thingsteps import HookStep, NumberStep
from offhook.provider.upstream import Upstream
from offhook.provider.usersteps import ActivateStep, EnterStep
from offhook.provider.vouchers import Refresh, Vouchers
from offhook.provider.vouching import Vouching
from offhook.provider.wordings import Wordings
from offhook.sip import freeswitch
from offhook.sip.settings import FreeSwitch as FreeSwitchSettings
from offhook.sip.systems import open_system
from offhook.storage.codes import Codes
from offhook.storage.database import Database
from offhook.storage.invitations import InvitationStore
from offhook.storage.numbers import NumberStore
from offhook.storage.sagas import PendingUsers, SagaStore
from offhook.storage.sipaccounts import SipRegister
from offhook.storage.subscribers import SubscriberStore as Subscribers
from offhook.storage.vouchers import VoucherStore


class Elsewhere:
    """The parts of one installation that know of other systems. Nothing is connected before it is needed."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        *,
        subscribers: SubscriberStore,
        tenants: TenantStore,
        sealer: Sealer,
        chance: Chance,
        clock: Clock,
        tokens: KeyedHash,
        app_name: Callable[[str], str],
        exposed: Faults = tuple,
    ) -> None:
        self.connections = connections
        # Where it is not said there, a server knows how phones reach it.
        self.public_url = connections.public_url
        self._database, self._subscribers, self._tenants, self._clock = database, subscribers, tenants, clock
        self._sealer, self._chance = sealer, chance
        sources = {name: open_upstream(settings) for name, settings in connections.upstream.items()}
        self.upstreams: dict[str, Upstream] = {**sources}
        self.hooks = {name: WebhookHook(Webhook(settings)) for name, settings in connections.hook.items()}
        # Whoever sends codes, by the name of a hook; that of mail is empty.
        self.senders: dict[str, Sender] = {
            name: WebhookCodes(Webhook(settings)) for name, settings in connections.hook.items()
        }
        self.wordings, self.letters = Wordings(tenants, app_name), Letters()
        self.mailer = SmtpMailer(connections.mail) if connections.mail is not None else None
        if self.mailer is not None:
            self.senders[""] = MailedCodes(self.mailer, self.letters, self.wordings, tenants)
        self.invitation_store = InvitationStore(database)
        self.invited = Invited(self.invitation_store, tokens, clock)
        self.invitations = Invitations(
            store=self.invitation_store,
            subscribers=subscribers,
            tenants=tenants,
            tokens=tokens,
            sealer=sealer,
            chance=chance,
            clock=clock,
            has_mail=self.mailer is not None,
        )
        self.vouch_store = VoucherStore(database)
        self.vouchers = Vouchers(self.vouch_store, lambda author: Subscribers(database, author), clock)
        directory = Directory(subscribers, tenants, sealer, hash_password, chance, clock)
        self.numbering = Numbering(NumberStore(database), tenants, subscribers, directory, clock)
        self.onboarding = OnboardingCheck(
            tenants, self.numbering, hooks=self.hooks, upstreams=self.upstreams, senders=self.senders
        )
        self.register = SipRegister(database)
        self.systems = {
            name: open_system(settings, KnownLines(self.register, name, sealer))
            for name, settings in connections.sip.items()
        }
        # Of those systems that ask us who may register, by their names.
        self.directories = {
            name: freeswitch.Directory(settings, KnownLines(self.register, name, sealer))
            for name, settings in connections.sip.items()
            if isinstance(settings, FreeSwitchSettings)
        }
        # What the doctor asks how it is, by how it is called in the file.
        self._named: dict[str, Faults] = {
            "the file itself": exposed,
            **{f"sip.{name}": system.faults for name, system in self.systems.items()},
            **{f"upstream.{name}": source.faults for name, source in sources.items()},
        }
        self.lines = SipLines(register=self.register, systems=self.systems, sealer=sealer, chance=chance, clock=clock)
        self.sagas = Sagas(store=SagaStore(database), doers=self.doers(), clock=clock, chance=chance)
        self.beside = Beside()
        self._let_go = [one.close for one in self.systems.values()] + [one.close for one in sources.values()]

    def doers(self) -> Doers:
        """Who does which kind of step; a new kind is one class, and one name here."""
        users = PendingUsers(self._database)
        return {
            Enter: EnterStep(users, self._clock),
            MakeSip: SipStep(self.lines, self._subscribers, self._tenants),
            TakeNumber: NumberStep(self.numbering.store, self._clock),
            CallHook: HookStep(self.hooks.get, self._subscribers),
            Activate: ActivateStep(users, self._clock),
        }

    def chores(self) -> Mapping[str, Chore]:
        """What a server does beside requests; a new chore is one class, and one name here."""
        refresh = Refresh(self.vouch_store, self.vouchers, self._tenants, self.upstreams.get, self._clock)
        settling = Settling(self.lines, self._clock)
        chores: dict[str, Chore] = {
            "sip": self.lines,
            "settling": settling,
            "sagas": self.sagas,
            "vouchers": refresh,
        }
        if (post := self.post()) is not None:
            chores["mail"] = Deliveries(post, self._clock)
        return chores

    def post(self) -> Post | None:
        """Whoever sends the mails of invitations; nobody where there is no mail server."""
        if self.mailer is None:
            return None
        return Post(
            store=self.invitation_store,
            mailer=self.mailer,
            letters=self.letters,
            wordings=self.wordings,
            sealer=self._sealer,
            clock=self._clock,
            chance=self._chance,
            public_url=lambda: self.public_url,
        )

    def checks(self) -> Mapping[str, Check]:
        """What the doctor looks at; a new check is one class, and one name here."""
        return {
            "sip": LineCheck(self.lines, self._clock),
            "sagas": SagaCheck(self.sagas, self._clock),
            "numbers": NumberCheck(self.numbering, self.sagas.store),
            "onboarding": self.onboarding,
            "connections": ConnectionCheck(self._named),
        }

    def reception(
        self,
        attempts: Attempts,
        tokens: KeyedHash,
        noted: Callable[[str], None],
        *,
        seconds: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> Reception:
        """Whoever decides who comes in the first time; `noted` is told of codes that could not be sent."""
        pace = Pace(seconds=seconds, sleep=sleep, aside=self.beside)
        return Reception(
            making=Making(self.sagas, self._sealer, self._clock, self._chance, pace),
            vouching=Vouching(self.upstreams.get, attempts, self._clock, self._chance),
            vouchers=self.vouchers,
            invited=self.invited,
            sign_ups=SignUps(
                codes=Codes(self._database),
                senders=self.senders.get,
                tokens=tokens,
                clock=self._clock,
                chance=self._chance,
                noted=noted,
            ),
            pace=pace,
        )

    def doctor(self) -> Doctor:
        """Finds what differs, and mends it."""
        return Doctor(self.checks())

    def close(self) -> None:
        """Let what is under way come to its end, and let go of all connections."""
        self.beside.close()
        for let_go in self._let_go:
            let_go()
