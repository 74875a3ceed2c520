"""The administrators and operators: they edit, publish, suspend, import, and the machine that they run on fails."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Final

import msgspec

from offhook.core.base import Reprovisioning
from offhook.core.dialplan import QuickDial
from offhook.core.secret import Secret
from offhook.portal.app import App, value
from offhook.portal.versions import State as VersionState
from offhook.provider.change import Change, Never
from offhook.provider.subscriber import Override, State
from offhook.provider.tenant import Credential
from offhook.provider.tenant import Tenant as Settings
from tests.simulation import departures
from tests.simulation.clock import DAY_S, HOUR_S, Heap
from tests.simulation.network import Net
from tests.simulation.server import Server, ServerCrash
from tests.simulation.trouble import TROUBLE, Troubled
from tests.simulation.truth import APP_MARK, COMMON_MARK, DIAL_MARK, USER_MARK, Install, Tenant, Truth, User

DEEDS: Final = {
    "edit_user": 20,
    "edit_template": 4,
    "edit_common": 4,
    "set_dial": 6,
    "publish": 4,
    "change_theme": 2,
    "restore": 2,
    "suspend": 6,
    "suspend_many": 1,
    "let_expire": 2,
    "remove": 2,
    "revoke": 5,
    "revoke_user": 2,
    "import_users": 3,
    "new_password": 2,
    "new_sip_password": 2,
    "guard": 2,
}


class Intervals(msgspec.Struct, frozen=True):
    """How often phones ask, in seconds."""

    account: int = 6 * HOUR_S
    common: int = 12 * HOUR_S
    portal: int = DAY_S


class Administrators(Troubled):
    """Everybody on the server's side. What they do they also tell the truth, so that it can be measured against."""

    def __init__(
        self, heap: Heap, server: Server, net: Net, truth: Truth, seed: str, *, every_s: float, faults: float
    ) -> None:
        self.heap, self.server, self.net, self.truth, self.random = heap, server, net, truth, Random(seed)
        self.every_s, self.calm, self.done = every_s, False, 0
        deeds = DEEDS | (TROUBLE if faults else {})
        self.deeds, self.weights = list(deeds), list(deeds.values())

    # --- before anything happens -------------------------------------------------------------------------------------

    def found(self, cloud_id: str, names: list[str], credential: Credential, intervals: Intervals) -> Tenant:
        """A Cloud ID with its app and users."""
        tenant = self.truth.tenants[cloud_id] = Tenant(cloud_id, keeps_passwords=credential is Credential.PASSWORD)
        self.intervals = intervals
        self._put_tenant(tenant, credential)
        theme = self.truth.theme_of("0")
        self.server.desk.portal.create(self._app(tenant), theme)
        tenant.versions[self.server.desk.portal.publish(cloud_id).number] = ("0", "0")
        for name in names:
            self.add(tenant, name)
        return tenant

    def add(self, tenant: Tenant, name: str) -> None:
        """A user, with a password that bears the mark of a secret."""
        user = User(tenant.cloud_id, name, f"5EC2E75EC2E7-{name}-{self.truth.next_mark()}")
        change = Change(
            attributes={"tier": "0"}, overrides={USER_MARK: Override("0")}, quick_dials={DIAL_MARK: _dial("0")}
        )
        self.server.desk.directory.add(tenant.cloud_id, name, Secret(user.password), change)
        known = tenant.users.get(name)
        if known is None:
            tenant.users[name] = user
        else:
            # Whoever comes back under the old name has nothing of before but the name.
            known.password, known.exists, known.suspended, known.expires_s = user.password, True, False, None
            for marks in (known.mark, known.tier, known.dial):
                marks.set(self.heap.now_s, "0")

    def _app(self, tenant: Tenant) -> App:
        account = {
            "title": value(tenant.cloud_id),
            "host": value("sip.example.com"),
            APP_MARK: value(tenant.app.now),
            "extProvInterval": value(str(self.intervals.account)),
            "extGlobalProvInterval": value(str(self.intervals.common)),
        }
        plan = Reprovisioning(interval_s=self.intervals.portal)
        return App(tenant.cloud_id, tenant.cloud_id, account=account, features={"push": "1"}, reprovisioning=plan)

    def _put_tenant(self, tenant: Tenant, credential: Credential | None = None) -> None:
        template = (
            f"<account><X-mark-tenant>{tenant.template.now}</X-mark-tenant><X-mark-import>{{tier}}</X-mark-import>"
            f"<X-own-1>of the provider</X-own-1>{tenant.password_keys}{tenant.more_keys}</account>"
        )
        common = f"<a><preferences><{COMMON_MARK}>{tenant.common.now}</{COMMON_MARK}></preferences></a>"
        tenants = self.server.desk.tenants
        new = Settings(tenant.cloud_id, logout_limits=departures.LIMITS)
        settings = msgspec.structs.replace(new, credential=credential) if credential else tenants.get(tenant.cloud_id)
        tenants.put(msgspec.structs.replace(settings, template=template, common=common))

    # --- the days ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Go to work."""
        self._plan()
        self.heap.after(600, self._flush)

    def _flush(self) -> None:
        try:
            self.server.flush()
        except ServerCrash:
            self.net.crash_server()
        self.heap.after(600, self._flush)

    def _plan(self) -> None:
        self.heap.after(self.random.expovariate(1 / self.every_s), self._do_something)

    def _do_something(self) -> None:
        if self.calm:
            return
        if self.server.is_up:
            # Changes often come together, some of them within one second.
            for number in range(self.random.choice([1, 1, 1, 2, 3])):
                self.heap.after(number * self.random.choice([0.0, 0.3, 0.9, 30.0]), self._do_one)
        self._plan()

    def _do_one(self) -> None:
        if self.server.is_up and not self.calm:
            self.done += 1
            getattr(self, f"_{self.random.choices(self.deeds, self.weights)[0]}")()

    def calm_down(self) -> None:
        """Put everything right, and change nothing any more."""
        self.calm = True
        if not self.server.is_up:
            self.net.recover()
        self.server.database.crash_before_commit = self.server.database.crash_after_commit = False
        self.server.database.full = False
        self.server.database.set_unreadable(unreadable=False)
        for tenant in self.truth.tenants.values():
            self._release(tenant)

    def _tenant(self) -> Tenant:
        return self.random.choice(list(self.truth.tenants.values()))

    def _user(self, tenant: Tenant) -> User | None:
        users = [user for user in tenant.users.values() if user.exists]
        return self.random.choice(users) if users else None

    def _change(self, user: User, change: Change) -> None:
        self.server.desk.directory.change(user.cloud_id, user.name, change)

    # --- what changes answers ----------------------------------------------------------------------------------------

    def _edit_user(self) -> None:
        if user := self._user(self._tenant()):
            self._mark(user)

    def _mark(self, user: User) -> None:
        mark = self.truth.next_mark()
        own = {"X-own-2": Override(f"of the provider {mark}")} if self.random.random() < 0.3 else {}
        self._change(user, Change(overrides={USER_MARK: Override(mark), **own}))
        user.mark.set(self.heap.now_s, mark)

    def _edit_template(self) -> None:
        tenant = self._tenant()
        tenant.template.set(self.heap.now_s, self.truth.next_mark())
        self._put_tenant(tenant)

    def _edit_common(self) -> None:
        tenant = self._tenant()
        tenant.common.set(self.heap.now_s, self.truth.next_mark())
        self._put_tenant(tenant)

    def _set_dial(self) -> None:
        if user := self._user(self._tenant()):
            mark = self.truth.next_mark()
            self._change(user, Change(quick_dials={DIAL_MARK: _dial(mark)}))
            user.dial.set(self.heap.now_s, mark)

    def _publish(self) -> None:
        tenant = self._tenant()
        tenant.app.set(self.heap.now_s, self.truth.next_mark())
        self._go_live(tenant)

    def _change_theme(self) -> None:
        tenant = self._tenant()
        tenant.theme.set(self.heap.now_s, self.truth.next_mark())
        self._go_live(tenant)

    def _go_live(self, tenant: Tenant) -> None:
        portal = self.server.desk.portal
        portal.accept(portal.propose(self._app(tenant), self.truth.theme_of(tenant.theme.now)))
        tenant.versions[portal.publish(tenant.cloud_id).number] = (tenant.app.now, tenant.theme.now)

    def _restore(self) -> None:
        tenant = self._tenant()
        number = self.random.choice(list(tenant.versions))
        app, theme = tenant.versions[number]
        live = self.server.desk.portal.show(tenant.cloud_id, VersionState.LIVE).number
        if number != live:
            tenant.versions[self.server.desk.portal.restore(tenant.cloud_id, number).number] = (app, theme)
            tenant.app.set(self.heap.now_s, app)
            tenant.theme.set(self.heap.now_s, theme)

    def _import_users(self) -> None:
        """A file with a new tier for some users."""
        tenant, mark = self._tenant(), self.truth.next_mark()
        users = [user for user in tenant.users.values() if user.exists and self.random.random() < 0.3]
        if users:
            self._import(tenant, "username,attribute:tier\n" + "".join(f"{user.name},{mark}\n" for user in users))
            for user in users:
                user.tier.set(self.heap.now_s, mark)

    def _import(self, tenant: Tenant, written: str) -> None:
        importer = self.server.desk.importer
        plan = importer.plan_own(io.BytesIO(written.encode()), tenant.cloud_id)
        importer.carry_out(plan)
        plan.waiting.close()

    def _new_password(self) -> None:
        if user := self._user(self._tenant()):
            user.password = f"5EC2E75EC2E7-{user.name}-{self.truth.next_mark()}"
            self.server.desk.directory.change(user.cloud_id, user.name, Change(), Secret(user.password))

    def _new_sip_password(self) -> None:
        if user := self._user(self._tenant()):
            password = f"5EC2E75EC2E7SIP{self.truth.next_mark()}"
            self._change(user, Change(secrets={"password": Secret(password)}))

    # --- who may stay ------------------------------------------------------------------------------------------------

    def _suspend(self) -> None:
        if user := self._user(self._tenant()):
            self._suspend_user(user)

    def _suspend_user(self, user: User) -> None:
        if not user.suspended:
            self._decide(user.cloud_id, [user])
        self.server.desk.directory.suspend(user.cloud_id, user.name)
        self._is_suspended(user)

    def _decide(self, cloud_id: str, gone: Sequence[User | Install], users: int = 1) -> None:
        self.truth.departures.decide(gone, cloud_id, users, self.server.clock.now_s())

    def _is_suspended(self, user: User) -> None:
        user.suspended = True
        self.heap.after(self.random.expovariate(1 / (2 * DAY_S)), partial(self._resume, user))

    def _resume(self, user: User) -> None:
        if not self.server.is_up:
            self.heap.after(HOUR_S, partial(self._resume, user))
        elif user.exists:
            self.server.desk.directory.resume(user.cloud_id, user.name)
            user.suspended = False

    def _suspend_many(self) -> None:
        """What the fleet guard is for: one by one, as a script does, or with one file."""
        tenant = self._tenant()
        users = [user for user in tenant.users.values() if user.exists and self.random.random() < 0.4]
        if self.random.random() < 0.5:
            for user in users:
                self._suspend_user(user)
        elif users:
            known = [user for user in users if not user.suspended]
            self._decide(tenant.cloud_id, known, len(known))
            self._import(tenant, "username,state\n" + "".join(f"{user.name},suspended\n" for user in users))
            for user in users:
                self._is_suspended(user)

    def _let_expire(self) -> None:
        if user := self._user(self._tenant()):
            expires_s = self.server.clock.now_s() + self.random.randint(-HOUR_S, 2 * DAY_S)
            self.truth.departures.date(user.cloud_id, self.server.clock.now_s())
            self._change(user, Change(expires_s=expires_s))
            user.expires_s = expires_s
            self.heap.after(self.random.expovariate(1 / (3 * DAY_S)), partial(self._prolong, user))

    def _prolong(self, user: User) -> None:
        if not self.server.is_up:
            self.heap.after(HOUR_S, partial(self._prolong, user))
        elif user.exists:
            self._change(user, Change(expires_s=Never()))
            user.expires_s = None

    def _remove(self) -> None:
        tenant = self._tenant()
        if user := self._user(tenant):
            self._decide(user.cloud_id, self._active(user))
            self.server.desk.directory.remove(user.cloud_id, user.name)
            user.exists = False
            for install in self._active(user):
                install.ended = "deleted"
            self.heap.after(self.random.expovariate(1 / (2 * DAY_S)), partial(self._add_again, tenant, user.name))

    def _add_again(self, tenant: Tenant, name: str) -> None:
        if not self.server.is_up:
            self.heap.after(HOUR_S, partial(self._add_again, tenant, name))
        else:
            self.add(tenant, name)

    def _active(self, user: User) -> list[Install]:
        return [one for one in self.truth.installs.values() if one.user is user and not one.ended]

    def _revoke(self) -> None:
        active = [one for one in self.truth.installs.values() if not one.ended]
        if active:
            install = self.random.choice(active)
            self._decide(install.user.cloud_id, [install])
            self.server.desk.installs.revoke(install.id)
            install.ended = "revoked"

    def _revoke_user(self) -> None:
        if user := self._user(self._tenant()):
            self._decide(user.cloud_id, self._active(user))
            self.server.desk.installs.revoke_user(user.cloud_id, user.name)
            for install in self._active(user):
                install.ended = "revoked"

    def _guard(self) -> None:
        """Look whether logouts are held back, and let them go or withdraw them."""
        tenant = self._tenant()
        held = self.server.desk.guarding.show(tenant.cloud_id)
        if not any(report.count for report in held) or self.server.database.in_trouble:
            return
        if self.random.random() < 0.7:
            self._release(tenant)
            return
        self._flush_now()
        self.truth.departures.settle(tenant.cloud_id)
        numbers = self.server.desk.guarding.show(tenant.cloud_id)[0].numbers
        self.server.desk.guarding.cancel(tenant.cloud_id, numbers)
        self._learn(tenant)

    def _release(self, tenant: Tenant) -> None:
        self._flush_now()
        self.truth.departures.settle(tenant.cloud_id)
        guarding = self.server.desk.guarding
        while (report := guarding.show(tenant.cloud_id)[0]).decisions:
            going_on = (one.no for one in report.decisions if not one.held)
            guarding.release(tenant.cloud_id, (*report.numbers, *going_on))

    def _flush_now(self) -> None:
        """Whatever is about to crash, does so at another time."""
        database = self.server.database
        database.crash_before_commit = database.crash_after_commit = False
        self.server.flush()

    def _learn(self, tenant: Tenant) -> None:
        """Whom withdrawing has resumed is in the database alone."""
        for user in self.server.desk.directory.list(tenant.cloud_id):
            tenant.users[user.username].suspended = user.state is State.SUSPENDED
            tenant.users[user.username].expires_s = user.expires_s
        query = "SELECT id, ended FROM install WHERE cloud_id = ?"
        for install_id, ended in self.server.database.reader.execute(query, (tenant.cloud_id,)):
            if install_id in self.truth.installs:
                self.truth.installs[install_id].ended = ended


def _dial(mark: str) -> QuickDial:
    return QuickDial(DIAL_MARK, mark, "sip:mark@example.com")
