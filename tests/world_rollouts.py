"""Users with a phone each under a guarded rollout, a day of theirs, and the guards that look on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from offhook.core.base import Base
from offhook.core.mergeable import PORTAL, Value
from offhook.policy import document
from offhook.policy.rules import Policy
from offhook.provider.policies import Policies
from offhook.provider.policyversion import State
from offhook.provider.rollouts import EVERY_S, Registrations, Report, Rollouts
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Tenant
from offhook.storage.population import PopulationStore
from offhook.storage.rollouts import RoundStore
from tests.world_provider import NOON_S, Phone, Provider

HOUR_S: Final = 3600
NAMES: Final = tuple(f"user-{number:02}" for number in range(24))


class Portal:
    """An app whose phones ask every so often, if it says so."""

    def __init__(self, interval_s: int | None = None) -> None:
        self.interval_s = interval_s

    def base(self, cloud_id: str, editable: bool) -> Base | None:
        if editable or self.interval_s is None:
            return None
        written = Value(str(self.interval_s), PORTAL, "portal")
        return Base(cloud_id, 1, {"extProvInterval": written} if self.interval_s else {}, {}, {})


class Known:
    """A SIP system that knows of these users that no phone of theirs is registered, and of no others."""

    def __init__(self, missing: Collection[str] = ()) -> None:
        self.missing = missing

    def registered(self, users: Sequence[Subscriber]) -> Mapping[int, bool]:
        return {user.id: False for user in users if user.username in self.missing}


class Fleet:
    """Two dozen users; their phones ask every hour when they are told to."""

    def __init__(self, provider: Provider, interval_s: int = HOUR_S) -> None:
        self.provider, self.clock = provider, provider.clock
        template = f"<account><extProvInterval>{interval_s}</extProvInterval></account>"
        provider.has_tenant(Tenant("EXAMPLE", template=template))
        for name in NAMES:
            provider.has_user(f"{name}@EXAMPLE")
        self.policies = Policies(provider.policies, provider.tenants, Portal(), self.clock)
        self.phones: dict[str, Phone] = {}

    def guards(self, registrations: Registrations | None = None, portal: Portal | None = None) -> Rollouts:
        """Those of one server process."""
        return Rollouts(
            policies=self.policies,
            tenants=self.provider.tenants,
            population=PopulationStore(self.provider.database),
            rounds=RoundStore(self.provider.database),
            portal=portal or Portal(),
            clock=self.clock,
            registrations=registrations,
        )

    def publishes(self, text: str) -> None:
        self.policies.publish(self.policies.propose("EXAMPLE", text, "ann"), "ann")
        self.later(60)

    def sign_in(self, names: Collection[str] = NAMES) -> None:
        for name in names:
            self.phones[name] = self.provider.phone(name, installid=name)

    def ask(self, *, but: Collection[str] = ()) -> list[int]:
        """All phones ask but some; what was noted is kept."""
        statuses = [phone.asks().status for name, phone in self.phones.items() if name not in but]
        self.provider.sightings.flush()
        return statuses

    def later(self, seconds: int) -> None:
        self.clock.time_s += seconds

    def ruled(self, guards: Rollouts | None = None) -> list[str]:
        """What guards do who look now."""
        self.provider.sightings.flush()
        self.later(EVERY_S)
        ruled = [f"{one.rule} {one.ruling}" for one in (guards or self.guards()).look()]
        self.later(60)
        return ruled

    def report(self) -> Report:
        """What was found last of the first rollout."""
        report = self.guards().show(self.policies.show("EXAMPLE", State.LIVE))[0].report
        assert report is not None
        return report

    @property
    def live(self) -> Policy:
        return document.parse(self.policies.show("EXAMPLE", State.LIVE).text)

    @property
    def treated(self) -> set[str]:
        """Whose phones have what the rule says."""
        return {name for name, phone in self.phones.items() if phone.account.get("X-new")}


def rollout(then: str = '{ do = "set", key = "X-new", value = "1" }', *, phones: int = 5, more: str = "") -> str:
    """A rule for half of the users, and for all of them three hours later."""
    stages = [(NOON_S, 50), (NOON_S + 3 * HOUR_S, 100)]
    written = ", ".join(
        f"{{ since = {datetime.fromtimestamp(since_s, UTC).isoformat()}, percent = {percent} }}"
        for since_s, percent in stages
    )
    guard = f"{{ phones = {phones}, excess = 10.0 }}"
    return f'[[rules]]\nid = "new"\n{more}rollout = {{ stages = [{written}], guard = {guard} }}\nthen = [{then}]\n'
