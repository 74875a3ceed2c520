"""Joins the parts of a data folder: a desk for administration, a server for phones. The only module that knows all."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from offhook.config import DataFolder
from offhook.core.base import Base
from offhook.core.errors import Conflict, NotFound
from offhook.core.signing import public_text
from offhook.portal import base as portal_base
from offhook.portal.app import App, value
from offhook.portal.catalogue import Portal
from offhook.portal.published import Published
from offhook.portal.versions import State
from offhook.provider.compose import Composer
from offhook.provider.definitions import definitions
from offhook.provider.directory import Directory
from offhook.provider.explain import Explain
from offhook.provider.imports import Importer
from offhook.provider.limits import Attempts
from offhook.provider.passwords import HashPool, hash_password
from offhook.provider.ports import Passwords
from offhook.provider.recent import RecentPasswords
from offhook.provider.sealing import KeyedHash, Sealer
from offhook.provider.signin import SignIn
from offhook.provider.tenant import Tenant
from offhook.storage import keyfiles
from offhook.storage.apps import AppStore, PublishedStore
from offhook.storage.database import Database
from offhook.storage.imports import ImportStore
from offhook.storage.signin import SignInStore
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tenants import TenantStore
from offhook.storage.themes import ThemeStore
from offhook.web import portal, provider
from offhook.web.app import application
from offhook.web.events import EventLog, Events
from offhook.web.http import Handler
from offhook.web.server import Server
from offhook.web.settings import Serving

ROOMS: Final = ("portal", "provider")


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


class Parts:
    """What both a desk and a server are made of."""

    def __init__(self, folder: DataFolder, database: Database) -> None:
        self.database = database
        self.clock, self.chance = SystemClock(), SystemChance()
        keys = keyfiles.sealing_keys(folder.keys)
        self.sealer = Sealer(keys.current, keys.keys, self.chance)
        self.signing_key = keyfiles.portal_key(folder.keys)
        self.tokens = KeyedHash(keyfiles.pepper(folder.keys))
        self.tenants = TenantStore(database, self.clock)
        self.subscribers = SubscriberStore(database)
        self.apps, self.themes = AppStore(database), ThemeStore(folder.themes)
        self.portal = Portal(self.apps, self.themes, self.clock)
        self.composer = Composer(self.sealer)

    def definitions(self, cloud_id: str, public_url: str) -> dict[str, str]:
        """Our own web service definitions for a Cloud ID, also for one that has no tenant here yet."""
        try:
            tenant = self.tenants.get(cloud_id)
        except NotFound:
            tenant = Tenant(cloud_id)
        return definitions(tenant, public_url)


class Desk:
    """Everything an administrator works with."""

    def __init__(self, parts: Parts) -> None:
        self.portal, self.tenants, self.sealer = parts.portal, parts.tenants, parts.sealer
        self.portal_key = public_text(parts.signing_key.public_key())
        self.directory = Directory(
            parts.subscribers, parts.tenants, parts.sealer, hash_password, parts.chance, parts.clock
        )
        self.importer = Importer(
            ImportStore(parts.database, parts.clock),
            parts.subscribers,
            parts.tenants,
            parts.sealer,
            parts.chance,
            parts.clock,
        )
        self.explain = Explain(
            subscribers=parts.subscribers, tenants=parts.tenants, composer=parts.composer, portal=Bases(parts.portal)
        )

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

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def base(self, cloud_id: str, editable: bool) -> Base | None:  # noqa: FBT001 - as the port has it
        """The base configuration of an app, or None when this portal does not have it."""
        try:
            version = self._portal.show(cloud_id, State.EDITABLE if editable else State.LIVE)
        except NotFound:
            return None
        return portal_base.compose(version.app, version.number, {})


@contextmanager
def administration(data: Path | None) -> Iterator[Desk]:
    """A desk on a data folder, which is made when it is not there."""
    folder = DataFolder.choose(data).make()
    with _opened(folder) as database:
        yield Desk(Parts(folder, database))


@contextmanager
def service(
    folder: DataFolder, serving: Serving, rooms: Collection[str] = ROOMS, events: BinaryIO = sys.stderr.buffer
) -> Iterator[Server]:
    """A server on a data folder, ready to run; `rooms` says what it serves, `events` takes a line for each event."""
    with ExitStack() as stack:
        database = stack.enter_context(_opened(folder))
        log = EventLog(events, time.time)
        stack.callback(log.close)
        parts = Parts(folder, database)
        passwords = HashPool(parts.sealer)
        stack.callback(passwords.close)
        handlers = handlers_of(parts, passwords, serving.public_url, log, rooms)
        yield Server(application(handlers, serving.proxies, log), serving, log)


def handlers_of(
    parts: Parts, passwords: Passwords, public_url: str, log: Events, rooms: Collection[str] = ROOMS
) -> dict[str, Handler]:
    """What is served at which path."""
    handlers: dict[str, Handler] = {}
    if "portal" in rooms:
        handlers |= portal.endpoints(_published(parts, public_url), parts.signing_key.public_key(), parts.clock)
    if "provider" in rooms:
        sign_in = SignIn(
            store=SignInStore(parts.database),
            passwords=RecentPasswords(passwords, parts.clock, parts.chance),
            composer=parts.composer,
            tokens=parts.tokens,
            attempts=Attempts(),
            clock=parts.clock,
            chance=parts.chance,
        )
        handlers |= provider.endpoints(sign_in, log)
    return handlers


def _published(parts: Parts, public_url: str) -> Published:
    def ours(cloud_id: str) -> dict[str, str]:
        return parts.definitions(cloud_id, public_url)

    return Published(PublishedStore(parts.database), parts.themes, ours, parts.signing_key, parts.clock)


@contextmanager
def _opened(folder: DataFolder) -> Iterator[Database]:
    database = Database(folder.database)
    try:
        yield database
    finally:
        database.close()
