"""What the doctor looks at: numbers against the users who have them, and whether new users can get what they need."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid, NotFound
from offhook.provider.change import Change
from offhook.provider.doctor import Finding
from offhook.provider.numbering import Numbering
from offhook.provider.numbers import Kept, Stock, Use, Wanted
from offhook.provider.onboarding import ByUpstream, SignUp
from offhook.provider.ports import TenantStore
from offhook.provider.sagas import SagaStore
from offhook.provider.subscriber import State, Subscriber, username_key
from offhook.provider.tenant import Tenant

# A pool that is nearly empty is told of before somebody has to wait.
FEW: Final = 0.05
_GIVE_BACK: Final = "give it back"
_AGREE: Final = "write it into the user's record"
_GIVE: Final = "give one"


class NumberCheck:
    """Compares the pools with the users. Users whose things are being made are left alone."""

    def __init__(self, numbering: Numbering, sagas: SagaStore) -> None:
        self._numbering, self._sagas = numbering, sagas

    def find(self) -> Iterator[Finding]:
        """As the port says."""
        for tenant in self._numbering.tenants.all():
            kept = self._numbering.store.kept(tenant.cloud_id)
            if kept or tenant.numbers:
                users = {one.id: one for one in self._numbering.subscribers.all_of(tenant.cloud_id)}
                for one in kept:
                    if one.subscriber_id:
                        yield from self._of(one, users.get(one.subscriber_id))
                yield from self._strangers(tenant, {one.number: one for one in kept}, users.values())
                yield from self._without(tenant, users.values())

    def mend(self, finding: Finding) -> None:
        """As the port says: of two records, the pool's is the right one."""
        cloud_id, _, number = finding.name.partition(" ")
        numbering, now_s = self._numbering, self._numbering.clock.now_s()
        if finding.remedy == _GIVE:
            username, _, attribute = number.rpartition(" ")
            self._give(numbering.tenants.get(cloud_id), username, attribute, now_s)
            return
        kept = next(iter(numbering.store.kept(cloud_id, number=number)), None)
        if kept is None or not kept.subscriber_id:
            raise NotFound(f"Nobody has {number} any more.")
        if finding.remedy == _GIVE_BACK:
            numbering.store.give_back(cloud_id, kept.subscriber_id, kept.attribute, now_s)
            return
        numbering.store.confirm(cloud_id, kept.subscriber_id, now_s)
        numbering.directory.change(cloud_id, kept.username, Change(attributes={kept.attribute: number}))

    def _give(self, tenant: Tenant, username: str, attribute: str, now_s: int) -> None:
        """As the saga of a new user does: reserved, written into their record, and then theirs."""
        numbering, pools = self._numbering, {one.attribute: one.pool for one in tenant.numbers}
        user = numbering.subscribers.get(tenant.cloud_id, username_key(username))
        wanted = Wanted(tenant.cloud_id, pools[attribute], user.id, username_key(username), attribute)
        number = numbering.store.take(wanted, "", now_s)
        numbering.directory.change(tenant.cloud_id, username, Change(attributes={attribute: number}))
        numbering.store.confirm(tenant.cloud_id, user.id, now_s)

    def _without(self, tenant: Tenant, users: Collection[Subscriber]) -> Iterator[Finding]:
        """Users who were there before their Cloud ID had numbers to give, or whom the operator added."""
        for user in (one for one in users if one.state is not State.PENDING):
            for one in tenant.numbers:
                if not user.attributes.get(one.attribute) and not self._is_under_way(user.cloud_id, user.id):
                    name = f"{tenant.cloud_id} {user.username} {one.attribute}"
                    yield Finding("", user.name, f"has no {one.attribute} from the pool {one.pool}.", _GIVE, name)

    def _of(self, one: Kept, user: Subscriber | None) -> Iterator[Finding]:
        name = f"{one.cloud_id} {one.number}"
        if self._is_under_way(one.cloud_id, one.subscriber_id):
            return
        if user is None or user.state is State.PENDING:
            yield Finding("", one.number, "is given to a user who is not there.", _GIVE_BACK, name)
        elif user.attributes.get(one.attribute) != one.number:
            said = user.attributes.get(one.attribute, "nothing")
            text = f"is given to {user.name}, whose {one.attribute} says {said}."
            yield Finding("", one.number, text, _AGREE, name)
        elif one.use is Use.RESERVED:
            yield Finding("", one.number, f"is only reserved, though {user.name} has it.", _AGREE, name)

    def _strangers(self, tenant: Tenant, kept: Mapping[str, Kept], users: Collection[Subscriber]) -> Iterator[Finding]:
        """Users with a number of ours in their record that is not given to them: somebody wrote it there."""
        for user in users:
            for name in sorted({one.attribute for one in tenant.numbers} & user.attributes.keys()):
                number = user.attributes[name]
                known = kept.get(number)
                if (known is None or known.subscriber_id != user.id) and self._is_ours(tenant.cloud_id, number):
                    there = "is free" if known is None else f"is {known.use} for {known.username or 'nobody'}"
                    text = f"is the {name} of {user.name}, and {there} in its pool."
                    yield Finding(
                        "", number, f"{text} `offhook numbers assign {number} {user.name}`, or change the user."
                    )

    def _is_under_way(self, cloud_id: str, subscriber_id: int) -> bool:
        return self._sagas.of_user(cloud_id, subscriber_id) is not None

    def _is_ours(self, cloud_id: str, number: str) -> bool:
        try:
            self._numbering.store.pool_of(cloud_id, number)
        except (Invalid, NotFound):
            return False
        return True


class OnboardingCheck:
    """Looks whether everything is there that new users need: pools with numbers, hooks, upstreams, a way for codes."""

    def __init__(
        self,
        tenants: TenantStore,
        numbering: Numbering,
        *,
        hooks: Collection[str],
        upstreams: Collection[str],
        senders: Collection[str],
    ) -> None:
        self._tenants, self._numbering = tenants, numbering
        self._hooks, self._upstreams, self._senders = hooks, upstreams, senders

    def find(self) -> Iterator[Finding]:
        """As the port says."""
        for tenant in self._tenants.all():
            for one in self.missing(tenant):
                yield Finding("", f"{tenant.cloud_id}, {one.place}", one.text)

    def mend(self, finding: Finding) -> None:
        """There is nothing to mend by itself."""
        raise NotFound("This is for somebody to decide.")

    def missing(self, tenant: Tenant) -> Iterator[Diagnostic]:
        """What new users of a Cloud ID would wait for."""
        stocks = {one.pool.name: one for one in self._numbering.stocks(tenant.cloud_id)} if tenant.numbers else {}
        for wanted in tenant.numbers:
            yield from _of_pool(tenant.cloud_id, wanted.pool, stocks.get(wanted.pool))
        for name in tenant.hooks:
            if name not in self._hooks:
                yield Diagnostic(f"hook {name}", "is not in the file of connections: new users wait for it")
        match tenant.onboarding:
            case ByUpstream(upstream) if upstream not in self._upstreams:
                yield Diagnostic(f"upstream {upstream}", "is not in the file of connections: nobody new can sign in")
            case SignUp(sender) if sender not in self._senders:
                named = f"hook {sender}" if sender else "mail"
                yield Diagnostic(named, "is not in the file of connections: no code can be sent")
            case _:
                pass


def _of_pool(cloud_id: str, name: str, stock: Stock | None) -> Iterator[Diagnostic]:
    if stock is None:
        yield Diagnostic(f"pool {name}", f"is not there: `offhook numbers add {cloud_id} {name} ...` makes it")
    elif stock.free == 0:
        yield Diagnostic(f"pool {name}", "is empty: new users wait until it has numbers")
    elif stock.free < FEW * len(stock.pool):
        yield Diagnostic(f"pool {name}", f"is nearly empty: {stock.free:,} of {len(stock.pool):,} numbers are free")
