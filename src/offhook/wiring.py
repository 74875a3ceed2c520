"""Joins the parts of a data folder: a desk for administration, a server for phones. The only module that knows all."""

from __future__ import annotations

import asyncio
import secrets
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from offhook import connections
from offhook.config import DataFolder
from offhook.core.base import Base
from offhook.core.errors import Conflict, NotFound, Unavailable
from offhook.core.signing import public_text
from offhook.elsewhere import Elsewhere
from offhook.portal import base as portal_base
from offhook.portal.app import App, value
from offhook.portal.catalogue import Portal
from offhook.portal.published import Published
from offhook.portal.versions import State
from offhook.provider import template
from offhook.provider.authenticity import Authenticity
from offhook.provider.chores import rounds
from offhook.provider.compose import Composer
from offhook.provider.definitions import UNKNOWN_URL, all_keys
from offhook.provider.directory import Directory
from offhook.provider.explain import Explain
from offhook.provider.fleetguard import FleetGuard
from offhook.provider.guarding import Guarding
from offhook.provider.imports import Importer
from offhook.provider.installs import Installs
from offhook.provider.keyring import Keyring, Reloading
from offhook.provider.limits import Attempts
from offhook.provider.lineatsignin import LineAtSignIn
from offhook.provider.passwords import HashPool, hash_password
from offhook.provider.policies import Policies
from offhook.provider.ports import Chance, Clock, Passwords
from offhook.provider.recent import RecentPasswords
from offhook.provider.registrations import SipRegistrations
from offhook.provider.reports import Reports
from offhook.provider.reprovision import Reprovision
from offhook.provider.rollouts import Rollouts
from offhook.provider.rulings import Rulings
from offhook.provider.sealing import KeyedHash, Sealer
from offhook.provider.sightings import Sightings
from offhook.provider.signin import SignIn
from offhook.provider.siprotation import SipRotation
from offhook.provider.tenant import Tenant
from offhook.release.releases import Releases
from offhook.storage import keyfiles
from offhook.storage.apps import AppStore, PublishedStore
from offhook.storage.database import Database
from offhook.storage.guard import GuardStore
from offhook.storage.imports import ImportStore
from offhook.storage.installs import InstallStore
from offhook.storage.life import LifeStore, SightingStore
from offhook.storage.policies import PolicyStore
from offhook.storage.population import PopulationStore
from offhook.storage.releases import ReleaseStore
from offhook.storage.resealing import SealedTexts
from offhook.storage.rollouts import RoundStore
from offhook.storage.rulings import RulingStore
from offhook.storage.signin import SignInStore
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tenants import ServedTenants, TenantStore
from offhook.storage.themes import ThemeStore
from offhook.web import again, freeswitch, invitations, portal, provider
from offhook.web.app import application
from offhook.web.beside import beside
from offhook.web.events import EventLog, Events, Field
from offhook.web.http import Handler
from offhook.web.server import Server
from offhook.web.settings import Serving

ROOMS: Final = ("portal", "provider")
FLUSH_EVERY_S: Final = 2.0
# Whether anything is due is seen from a few rows; how often it is, the rollouts say.
LOOK_EVERY_S: Final = 60.0
# Between two batches of users, so that requests never wait long for a census.
REST_S: Final = 0.02


class SystemClock:
    """The time of this machine."""

    def now_s(self) -> int:
        """Whole seconds since 1970."""
        return int(time.time())


class SystemChance:
    """The randomness of this machine."""

    def token(self, size_bytes: int) -> bytes:
        """Bytes that nobody can guess."""
        return secrets.token_bytes(size_bytes)


class World(NamedTuple):
    """What acts in time: a clock that never goes back, and waiting.

    With an inline database, a world of its own and a loop without threads, a simulation runs the handlers in one.
    """

    seconds: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Parts:
    """What both a desk and a server are made of. A simulation brings its own clock and chance.

    The author is who decides at the desk.
    """

    def __init__(
        self,
        folder: DataFolder,
        database: Database,
        clock: Clock | None = None,
        chance: Chance | None = None,
        author: str = "",
    ) -> None:
        self.database, self.author = database, author
        self.clock, self.chance = clock or SystemClock(), chance or SystemChance()
        self.key_file = keyfiles.SealingFile(folder.keys)
        self.sealer = Sealer(*self.key_file.read(), self.chance, self.key_file.read)
        self.signing_key = keyfiles.portal_key(folder.keys)
        self.tokens = KeyedHash(keyfiles.pepper(folder.keys))
        self.tenants, self.served_tenants = TenantStore(database, self.clock), ServedTenants(database)
        self.subscribers = SubscriberStore(database, author)
        self.apps, self.themes = AppStore(database), ThemeStore(folder.themes)
        self.portal = Portal(self.apps, self.themes, self.clock)
        self.composer = Composer(self.sealer)
        self.policies = PolicyStore(database, self.clock)
        self.rulings = Rulings(RulingStore(database), self.clock)
        self.sightings = Sightings(SightingStore(database))
        file = folder.path / connections.FILE
        self.elsewhere = Elsewhere(
            database,
            connections.read(file),
            exposed=lambda: connections.exposed(file),
            subscribers=self.subscribers,
            tenants=self.tenants,
            sealer=self.sealer,
            chance=self.chance,
            clock=self.clock,
            tokens=self.tokens,
            app_name=self.app_name,
        )

    def app_name(self, cloud_id: str) -> str:
        """How the portal calls an app; nothing when it does not have it."""
        try:
            return self.portal.show(cloud_id, State.LIVE).app.name
        except NotFound:
            return ""

    def close(self) -> None:
        """Let go of other systems; the database is its owner's."""
        self.elsewhere.close()

    def definitions(self, cloud_id: str, public_url: str) -> Mapping[str, str]:
        """Our own web service definitions for a Cloud ID, also for one that has no tenant here yet."""
        tenant = self.served_tenants.find(cloud_id) or Tenant(cloud_id)
        return all_keys(tenant, public_url)


class Desk:
    """Everything an administrator works with."""

    def __init__(self, parts: Parts) -> None:
        self.portal, self.tenants, self.sealer = parts.portal, parts.tenants, parts.sealer
        self.portal_key = public_text(parts.signing_key.public_key())
        self.directory = Directory(
            parts.subscribers, parts.tenants, parts.sealer, hash_password, parts.chance, parts.clock
        )
        self.importer = Importer(
            ImportStore(parts.database, parts.clock, parts.author),
            parts.subscribers,
            parts.tenants,
            parts.sealer,
            parts.chance,
            parts.clock,
        )
        self.installs = Installs(
            InstallStore(parts.database, parts.author), parts.subscribers, parts.tenants, parts.clock
        )
        self.guarding = Guarding(
            GuardStore(parts.database, parts.author), parts.subscribers, parts.tenants, parts.clock
        )
        self.policies = Policies(parts.policies, parts.tenants, Bases(parts), parts.clock, self.directory.columns)
        population = PopulationStore(parts.database)
        self.releases = Releases(
            store=ReleaseStore(parts.database, parts.clock),
            portal=parts.portal,
            policies=self.policies,
            tenants=parts.tenants,
            population=population,
            live=Bases(parts),
            definitions=lambda cloud_id: parts.definitions(cloud_id, UNKNOWN_URL),
            clock=parts.clock,
        )
        self.rollouts = Rollouts(
            policies=self.policies,
            tenants=parts.tenants,
            population=population,
            rounds=RoundStore(parts.database),
            portal=Bases(parts),
            clock=parts.clock,
            registrations=SipRegistrations(parts.elsewhere.register, parts.elsewhere.systems),
        )
        self.doctor, self.connections = parts.elsewhere.doctor(), parts.elsewhere.connections
        self.keyring = Keyring(parts.key_file, SealedTexts(parts.database), parts.sealer, parts.clock)
        self.rotation = SipRotation(parts.elsewhere.register, parts.subscribers, parts.tenants, parts.clock)
        self.numbering, self.onboarding, self.clock = parts.elsewhere.numbering, parts.elsewhere.onboarding, parts.clock
        self.invitations, self.elsewhere = parts.elsewhere.invitations, parts.elsewhere
        self.explain = Explain(
            subscribers=parts.subscribers,
            tenants=parts.tenants,
            composer=parts.composer,
            rulings=parts.rulings,
            portal=Bases(parts),
            accounts=parts.elsewhere.register,
        )

    def host_of(self, tenant: Tenant) -> str:
        """The SIP host that phones by our own portal get: the Live app's, else one for all users in the template.

        Only the portal's counts without a licence (D18), so that the app which an import makes needs that one, too.
        """
        try:
            return self.portal.show(tenant.cloud_id, State.LIVE).app.account["host"].content
        except (NotFound, KeyError):
            entry = template.parse(tenant.template).entries.get("host")
            return entry.value.content if entry and not entry.columns else ""

    def make_app(self, cloud_id: str, host: str = "") -> bool:
        """Give a Cloud ID a Live app of its own, so that a phone can sign in; False when it has one already."""
        account = {"title": value(cloud_id), **({"host": value(host)} if host else {})}
        app = App(cloud_id, cloud_id, account=account)
        try:
            self.portal.create(app, note="made by an import")
        except Conflict:
            return False
        self.portal.publish(cloud_id)
        return True


class Bases:
    """The portal's part of an account, for whoever explains one."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def base(self, cloud_id: str, editable: bool) -> Base | None:  # noqa: FBT001 - as the port has it
        """The base configuration of an app, or None when this portal does not have it."""
        try:
            version = self._parts.portal.show(cloud_id, State.EDITABLE if editable else State.LIVE)
        except NotFound:
            return None
        try:
            tenant = self._parts.tenants.get(cloud_id)
        except NotFound:
            tenant = Tenant(cloud_id)
        # Not by the connection of the device plane, which belongs to the event loop.
        return portal_base.compose(version.app, version.number, all_keys(tenant, UNKNOWN_URL))


@contextmanager
def administration(data: Path | None, author: str = "") -> Iterator[Desk]:
    """A desk on a data folder, which is made when it is not there, for whoever decides there."""
    folder = DataFolder.choose(data).make()
    with _opened(folder) as database, closing(Parts(folder, database, author=author)) as parts:
        yield Desk(parts)


@contextmanager
def looking(data: Path | None) -> Iterator[tuple[Desk, dict[str, Handler]]]:
    """A desk, and beside it what a server of the data folder answers at which path.

    Asked with HEAD, it answers in full and keeps nothing. No event is written, and no refusal is held back.
    """
    folder = DataFolder.choose(data).make()
    with _opened(folder) as database, ExitStack() as stack:
        parts = stack.enter_context(closing(Parts(folder, database)))
        passwords = HashPool(parts.sealer)
        stack.callback(passwords.close)
        world = World(sleep=_at_once)
        yield Desk(parts), handlers_of(parts, passwords, "", _unheard, ["provider"], world=world)


async def _at_once(seconds: float) -> None:
    """Wait for nothing."""


def _unheard(event: str, **fields: Field) -> None:
    """Note nothing."""


@contextmanager
def service(
    folder: DataFolder, serving: Serving, rooms: Collection[str] = ROOMS, events: BinaryIO = sys.stderr.buffer
) -> Iterator[Server]:
    """A server on a data folder, ready to run; `rooms` says what it serves, `events` takes a line for each event."""
    with ExitStack() as stack:
        database = stack.enter_context(_opened(folder))
        log = EventLog(events, time.time)
        stack.callback(log.close)
        parts = stack.enter_context(closing(Parts(folder, database)))
        passwords = HashPool(parts.sealer)
        stack.callback(passwords.close)
        stack.enter_context(_flushing(parts.sightings, log))
        if "provider" in rooms:
            stack.enter_context(guarding(Desk(parts).rollouts, log))
        parts.elsewhere.public_url = parts.elsewhere.public_url or serving.public_url
        for reason in connections.exposed(folder.path / connections.FILE):
            log("connections.exposed", reason=reason)
        chores = {**parts.elsewhere.chores(), "keys": Reloading(parts.sealer, parts.clock)}
        stack.enter_context(rounds(chores, lambda chore, why: log("chore.failed", chore=chore, reason=why)))
        handlers = handlers_of(parts, passwords, serving.public_url, log, rooms)
        yield Server(application(handlers, serving.proxies, log), serving, log, folder.path / "tls")


def handlers_of(
    parts: Parts,
    passwords: Passwords,
    public_url: str,
    log: Events,
    rooms: Collection[str] = ROOMS,
    *,
    world: World | None = None,
) -> dict[str, Handler]:
    """What is served at which path; the portal names a provider service at `public_url`, if there is any.

    Whoever calls it flushes `parts.sightings` from time to time.
    """
    world = world or World()
    handlers: dict[str, Handler] = {}
    if "portal" in rooms:
        published = _published(parts, public_url)
        handlers |= portal.endpoints(published, parts.signing_key.public_key(), parts.clock)
    if "provider" in rooms:
        handlers |= _provider(parts, RecentPasswords(passwords, parts.clock, parts.chance), log, world)
    return handlers


def _provider(parts: Parts, passwords: Passwords, log: Events, world: World) -> dict[str, Handler]:
    composer, tokens, clock = parts.composer, parts.tokens, parts.clock
    attempts = Attempts()
    reception = parts.elsewhere.reception(
        attempts,
        tokens,
        lambda reason: log("code.not_sent", reason=reason),
        seconds=world.seconds,
        sleep=world.sleep,
    )
    sign_in = SignIn(
        store=SignInStore(parts.database),
        passwords=passwords,
        sightings=parts.sightings,
        composer=composer,
        rulings=parts.rulings,
        tokens=tokens,
        attempts=attempts,
        clock=clock,
        chance=parts.chance,
        reception=reception,
        lines=LineAtSignIn(
            parts.elsewhere.lines, aside=parts.elsewhere.beside, sleep=world.sleep, seconds=world.seconds
        ),
    )
    store = LifeStore(parts.database)
    # Phones that were forgotten go on asking; what they try must not keep anybody from signing in behind their address.
    authenticity = Authenticity(
        store=store,
        tokens=tokens,
        passwords=passwords,
        composer=composer,
        rulings=parts.rulings,
        attempts=Attempts(by_address=False),
        clock=clock,
    )
    reprovision = Reprovision(
        authenticity=authenticity,
        store=store,
        guard=FleetGuard(store, world.seconds),
        sightings=parts.sightings,
        composer=composer,
        rulings=parts.rulings,
        tokens=tokens,
        clock=clock,
    )
    reports = Reports(authenticity=authenticity, store=store, sealer=parts.sealer, clock=clock)
    return {
        **provider.endpoints(sign_in, log, seconds=world.seconds, sleep=world.sleep),
        **again.endpoints(reprovision, reports, log, seconds=world.seconds, sleep=world.sleep),
        **invitations.endpoints(
            parts.elsewhere.invited.find, parts.elsewhere.wordings.of, clock, parts.elsewhere.beside
        ),
        **freeswitch.endpoints(parts.elsewhere.directories),
    }


@contextmanager
def _flushing(sightings: Sightings, log: Events) -> Iterator[None]:
    """Keeps what was noted, every few seconds and at the end, in a thread of its own."""

    def flush() -> None:
        try:
            sightings.flush()
        except Unavailable as error:
            log("sightings.unavailable", reason=error.text)

    try:
        with beside("sightings", FLUSH_EVERY_S, lambda _: flush(), lambda why: log("sightings.failed", reason=why)):
            yield
    finally:
        flush()


@contextmanager
def guarding(rollouts: Rollouts, log: Events, every_s: float = LOOK_EVERY_S) -> Iterator[None]:
    """Lets the guards of rollouts look at their phones from time to time, in a thread of its own."""

    def look(over: threading.Event) -> None:
        def rest() -> None:
            if over.wait(REST_S):
                raise Unavailable("The server is being stopped.")

        try:
            for done in rollouts.look(rest):
                log(done.event, tenant=done.cloud_id, rule=done.rule, said=str(done.ruling))
        except Unavailable as error:
            log("rollouts.unavailable", reason=error.text)

    with beside("rollouts", every_s, look, lambda why: log("rollouts.failed", reason=why)):
        yield


def _published(parts: Parts, public_url: str) -> Published:
    def ours(cloud_id: str) -> Mapping[str, str]:
        return parts.definitions(cloud_id, public_url) if public_url else {}

    store = PublishedStore(parts.database)
    return Published(store, parts.themes, ours, parts.signing_key, parts.clock)


@contextmanager
def _opened(folder: DataFolder) -> Iterator[Database]:
    keyfiles.ready(folder.keys, folder.database)
    database = Database(folder.database)
    try:
        yield database
    finally:
        database.close()
