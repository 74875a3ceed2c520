"""Joins what users have in other systems: SIP accounts, the sagas that make them, and what is done beside requests."""

from __future__ import annotations

from collections.abc import Mapping

from offhook.connections import Connections
from offhook.provider.beside import Beside
from offhook.provider.chores import Chore
from offhook.provider.doctor import Check, Doctor
from offhook.provider.knownlines import KnownLines
from offhook.provider.ports import Chance, Clock, SubscriberStore, TenantStore
from offhook.provider.saga import Activate, Enter, MakeSip
from offhook.provider.sagas import Doers, Sagas
from offhook.provider.sealing import Sealer
from offhook.provider.sipdoctor import LineCheck, SagaCheck
from offhook.provider.siplines import Settling, SipLines
from offhook.provider.sipsteps import SipStep
from offhook.provider.usersteps import ActivateStep, EnterStep
from offhook.sip.systems import open_system
from offhook.storage.database import Database
from offhook.storage.sagas import PendingUsers, SagaStore
from offhook.storage.sipaccounts import SipRegister


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
    ) -> None:
        self.connections = connections
        self._database, self._subscribers, self._tenants, self._clock = database, subscribers, tenants, clock
        self.register = SipRegister(database)
        self.systems = {
            name: open_system(settings, KnownLines(self.register, name, sealer))
            for name, settings in connections.sip.items()
        }
        self.lines = SipLines(register=self.register, systems=self.systems, sealer=sealer, chance=chance, clock=clock)
        self.sagas = Sagas(store=SagaStore(database), doers=self.doers(), clock=clock, chance=chance)
        self.beside = Beside()

    def doers(self) -> Doers:
        """Who does which kind of step; a new kind is one class, and one name here."""
        users = PendingUsers(self._database)
        return {
            Enter: EnterStep(users, self._clock),
            MakeSip: SipStep(self.lines, self._subscribers, self._tenants),
            Activate: ActivateStep(users, self._clock),
        }

    def chores(self) -> Mapping[str, Chore]:
        """What a server does beside requests; a new chore is one class, and one name here."""
        return {"sip": self.lines, "settling": Settling(self.lines, self._clock), "sagas": self.sagas}

    def checks(self) -> Mapping[str, Check]:
        """What the doctor looks at; a new check is one class, and one name here."""
        return {"sip": LineCheck(self.lines, self._clock), "sagas": SagaCheck(self.sagas, self._clock)}

    def doctor(self) -> Doctor:
        """Finds what differs, and mends it."""
        return Doctor(self.checks())
