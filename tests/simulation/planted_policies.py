"""Servers with one plausible bug each in what they make of policies, for the simulation to find."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import sqlalchemy as sa

from offhook.policy import document
from offhook.policy.evaluate import Compiled
from offhook.policy.rules import Policy
from offhook.provider.evidence import Met
from offhook.provider.policyversion import PolicyTransaction
from offhook.provider.population import Member
from offhook.provider.ports import Clock
from offhook.provider.rollouts import Rollouts
from offhook.provider.rulings import Rulings
from offhook.provider.tenant import Tenant
from offhook.storage import policies
from offhook.storage.database import Database
from offhook.storage.policies import PolicyStore
from offhook.storage.population import PopulationStore
from offhook.storage.rollouts import RoundStore
from offhook.storage.rulings import RulingStore
from offhook.storage.tables import tenant as tenants
from offhook.web.http import Handler
from offhook.wiring import Bases
from tests.simulation.server import Server


class _Lowest(Rulings):
    """Of two rules the lower one decides, as if each were laid over the one before."""

    def policy(self, tenant: Tenant) -> Compiled | None:
        known = super().policy(tenant)
        if known is None:
            return None
        return Compiled(msgspec.structs.replace(known.policy, rules=known.policy.rules[::-1]))


class _Timeless(Compiled):
    """When hours and stages begin is no part of what an answer is made from."""

    def changed_s(self, now_s: int) -> int:
        return 0


class _TimelessRulings(Rulings):
    def policy(self, tenant: Tenant) -> Compiled | None:
        known = super().policy(tenant)
        return None if known is None else _Timeless(known.policy)


class _RuledServer(Server):
    rulings_type: type[Rulings] = Rulings

    def build(self) -> dict[str, Handler]:
        self.parts.rulings = self.rulings_type(RulingStore(self.parts.database), self.parts.clock)
        return super().build()


class LowestServer(_RuledServer):
    """The lower rule decides."""

    rulings_type: type[Rulings] = _Lowest


class TimelessServer(_RuledServer):
    """Hours and stages pass unnoticed."""

    rulings_type: type[Rulings] = _TimelessRulings


class _Undated(policies.PolicyTransaction):
    """A rule less is nothing new: the date of everybody's answer stays."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        super().__init__(connection, clock)
        self.connection = connection

    def serve(self, cloud_id: str, number: int) -> None:
        row = self.connection.execute(sa.select(tenants).where(tenants.c.cloud_id == cloud_id)).mappings().one()
        before = msgspec.json.decode(row["settings"], type=Tenant).policy
        super().serve(cloud_id, number)
        if _active(self, cloud_id, number) < _active(self, cloud_id, before):
            dated = sa.update(tenants).where(tenants.c.cloud_id == cloud_id).values(modified_s=row["modified_s"])
            self.connection.execute(dated)


def _active(transaction: PolicyTransaction, cloud_id: str, number: int) -> set[str]:
    version = transaction.numbered(cloud_id, number)
    policy = Policy() if version is None else document.parse(version.text)
    return {rule.id for rule in policy.rules if rule.active}


class _UndatedStore(PolicyStore):
    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self.database, self.clock = database, clock

    @contextmanager
    def begin(self) -> Iterator[policies.PolicyTransaction]:
        with self.database.begin() as connection:
            yield _Undated(connection, self.clock)


class UndatedServer(Server):
    """Pausing and withdrawing a rule have no date."""

    def start(self) -> None:
        """As before, with the bug."""
        super().start()
        store = _UndatedStore(self.database, self.clock)
        self.desk.policies = dataclasses.replace(self.desk.policies, store=store)


class _Rosy(PopulationStore):
    """The columns of the evidence are read in another order, so that nobody is ever late or refused."""

    def all_of(self, cloud_id: str) -> Iterator[Member]:
        for subscriber, phones in super().all_of(cloud_id):
            rosy = [
                msgspec.structs.replace(phone, met=Met(phone.met.last_s, phone.met.before_s, 0, 0)) for phone in phones
            ]
            yield subscriber, rosy


class RosyServer(Server):
    """Its guards see no trouble."""

    def start(self) -> None:
        """As before, with the bug."""
        super().start()
        self.desk.rollouts = Rollouts(
            policies=self.desk.policies,
            tenants=self.parts.tenants,
            population=_Rosy(self.database),
            rounds=RoundStore(self.database),
            portal=Bases(self.parts),
            clock=self.clock,
        )
