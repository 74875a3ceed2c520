"""A provider to sign in at: real database, real use cases, a clock that is set and dice that are loaded."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

import bcrypt
import msgspec
from argon2 import PasswordHasher
from lxml import etree

from offhook.core.dialplan import QuickDials
from offhook.policy import document
from offhook.provider.authenticity import Authenticity
from offhook.provider.compose import Composer
from offhook.provider.fleetguard import FleetGuard
from offhook.provider.guarding import Guarding
from offhook.provider.installs import Installs
from offhook.provider.limits import Attempts, Limits
from offhook.provider.lineatsignin import LineAtSignIn
from offhook.provider.passwords import HashPool
from offhook.provider.policyversion import PolicyVersion
from offhook.provider.policyversion import State as PolicyState
from offhook.provider.recent import RecentPasswords
from offhook.provider.reports import Reports
from offhook.provider.reprovision import Reprovision
from offhook.provider.rulings import Rulings
from offhook.provider.sealing import SIGN_IN_PASSWORD, KeyedHash, Sealer, place_of
from offhook.provider.sightings import Sightings
from offhook.provider.signin import SignIn
from offhook.provider.siplines import SipLines
from offhook.provider.subscriber import (
    Argon2,
    Bcrypt,
    Override,
    Sealed,
    State,
    StoredPassword,
    Subscriber,
    username_key,
)
from offhook.provider.tenant import Tenant
from offhook.storage.database import Database
from offhook.storage.guard import GuardStore
from offhook.storage.installs import InstallStore
from offhook.storage.life import LifeStore, SightingStore
from offhook.storage.policies import PolicyStore
from offhook.storage.rulings import RulingStore
from offhook.storage.signin import SignInStore
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tenants import TenantStore
from offhook.web import again
from offhook.web.events import Field
from offhook.web.http import Answer, Call, Handler
from offhook.web.provider import endpoints

NOON_S = 1_800_000_000
CLIENT = "192.0.2.7"
T = TypeVar("T")


class SetClock:
    """Stands still until it is set."""

    def __init__(self, now_s: int = NOON_S) -> None:
        self.time_s = now_s

    def now_s(self) -> int:
        return self.time_s


class LoadedDice:
    """The same bytes in every run, and never the same twice within one."""

    def __init__(self) -> None:
        self.thrown = 0

    def token(self, size_bytes: int) -> bytes:
        self.thrown += 1
        return sha256(str(self.thrown).encode()).digest()[:size_bytes].ljust(size_bytes, b"-")


class QuickArgon2(PasswordHasher):
    """Argon2id with next to no memory, which counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.lock = threading.Lock()
        self.verified = 0
        self.hashed = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's own name
        with self.lock:
            self.verified += 1
        return super().verify(hash, password)

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self.lock:
            self.hashed += 1
        return super().hash(password, salt=salt)


class Noted:
    """What was logged."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Field]]] = []

    def __call__(self, event: str, **fields: Field) -> None:
        self.events.append((event, fields))


class Provider:
    """One provider service with its database in a folder."""

    def __init__(
        self, folder: Path, *, limits: Limits | None = None, cores: int = 2, waiting: int = 64, flushed: bool = True
    ) -> None:
        self.clock, self.dice, self.argon2, self.noted = SetClock(), LoadedDice(), QuickArgon2(), Noted()
        self.seconds, self.slept = 0.0, list[float]()
        self.loop = asyncio.Runner()
        (folder / "provider.sqlite3").write_bytes(empty_database())
        self.database = Database(folder / "provider.sqlite3", flushed=flushed)
        self.sealer = Sealer(1, {1: b"k" * 32}, self.dice)
        self.tokens = KeyedHash(b"p" * 32)
        self.pool = HashPool(self.sealer, argon2=self.argon2, cores=cores, waiting_per_core=waiting)
        self.passwords = RecentPasswords(self.pool, self.clock, self.dice)
        self.store = SignInStore(self.database)
        self.tenants = TenantStore(self.database, self.clock)
        self.subscribers = SubscriberStore(self.database)
        self.composer = Composer(self.sealer)
        self.policies = PolicyStore(self.database, self.clock)
        self.rulings = Rulings(RulingStore(self.database), self.clock)
        self.sightings = Sightings(SightingStore(self.database))
        self.sign_in = SignIn(
            store=self.store,
            passwords=self.passwords,
            sightings=self.sightings,
            composer=self.composer,
            rulings=self.rulings,
            tokens=self.tokens,
            attempts=Attempts(limits),
            clock=self.clock,
            chance=self.dice,
        )
        self.handlers: dict[str, Handler] = endpoints(
            self.sign_in, self.noted, seconds=lambda: self.seconds, sleep=self._sleep
        )
        self.installs_desk = Installs(InstallStore(self.database), self.subscribers, self.tenants, self.clock)
        self.guarding = Guarding(GuardStore(self.database), self.subscribers, self.tenants, self.clock)
        self.restart()
        self.argon2.hashed = 0

    def has_lines(self, lines: SipLines) -> None:
        """Have whoever signs in wait for SIP systems, in this same thread unless a test says otherwise."""

        async def aside(work: Callable[..., T], *arguments: object) -> T:
            return work(*arguments)

        self.sign_in._lines = LineAtSignIn(lines, aside=aside, sleep=self._sleep, seconds=lambda: self.seconds)

    def restart(self) -> None:
        """The services for installs, with nothing in mind."""
        self.life = LifeStore(self.database)
        self.authenticity = Authenticity(
            store=self.life,
            tokens=self.tokens,
            passwords=self.passwords,
            composer=self.composer,
            rulings=self.rulings,
            attempts=Attempts(by_address=False),
            clock=self.clock,
        )
        reprovision = Reprovision(
            authenticity=self.authenticity,
            store=self.life,
            guard=FleetGuard(self.life, lambda: self.seconds),
            sightings=self.sightings,
            composer=self.composer,
            rulings=self.rulings,
            tokens=self.tokens,
            clock=self.clock,
        )
        reports = Reports(authenticity=self.authenticity, store=self.life, sealer=self.sealer, clock=self.clock)
        self.handlers |= again.endpoints(
            reprovision, reports, self.noted, seconds=lambda: self.seconds, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def close(self) -> None:
        self.loop.close()
        self.pool.close()
        self.database.close()

    # --- who is there ---

    def has_tenant(self, tenant: Tenant) -> Tenant:
        self.tenants.put(tenant)
        return tenant

    def has_policy(self, text: str, cloud_id: str = "EXAMPLE", author: str = "ann") -> int:
        """Publish a policy, as its use case does; returns its number."""
        with self.policies.begin() as policies:
            live, number = policies.standing(cloud_id, PolicyState.LIVE), policies.latest(cloud_id)[0] + 1
            if live is not None:
                policies.put(msgspec.structs.replace(live, state=PolicyState.PAST))
            policy = document.parse(text)
            rules = tuple(msgspec.structs.replace(rule, version=number, author=author) for rule in policy.rules)
            written = document.dumps(msgspec.structs.replace(policy, number=number, rules=rules))
            now_s = self.clock.now_s()
            policies.put(PolicyVersion(cloud_id, number, PolicyState.LIVE, written, author, changed_s=now_s))
            policies.serve(cloud_id, number)
        return number

    def has_user(
        self,
        name: str,
        password: str = "12345678",
        *,
        attributes: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        overrides: Mapping[str, str | Override] | None = None,
        quick_dials: QuickDials | None = None,
        state: State = State.ACTIVE,
    ) -> Subscriber:
        """A user `name@CLOUDID`; the password may be written `bcrypt:...` or `sealed:...` to be kept in that way."""
        username, _, cloud_id = name.rpartition("@")
        key = username_key(username)
        user = Subscriber(
            cloud_id=cloud_id,
            username=username,
            password=self.kept(password, place_of(cloud_id, key, SIGN_IN_PASSWORD)),
            secrets={
                name: self.sealer.seal(text, place_of(cloud_id, key, name)) for name, text in (secrets or {}).items()
            },
            overrides={
                name: Override(value) if isinstance(value, str) else value for name, value in (overrides or {}).items()
            },
            attributes=dict(attributes or {}),
            quick_dials=quick_dials or QuickDials(),
            state=state,
        )
        return self.subscribers.add(user)

    def kept(self, password: str, place: str) -> StoredPassword:
        kind, _, text = password.partition(":")
        if kind == "bcrypt":
            return Bcrypt(bcrypt.hashpw(text.encode(), b"$2b$04$" + b"abcdefghijklmnopqrstuu").decode())
        if kind == "sealed":
            return Sealed(self.sealer.seal(text, place))
        return Argon2(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password))

    def suspend(self, user: Subscriber) -> None:
        known = self.subscribers.get(user.cloud_id, username_key(user.username))
        self.subscribers.replace(msgspec.structs.replace(known, state=State.SUSPENDED))

    # --- what is asked ---

    def call(self, call: Call) -> Answer:
        """The answer to one request."""
        path, parameters = call.path, {}
        parts = call.path.split("/")
        if len(parts) == 4 and path not in self.handlers:
            path, parameters = f"/prov/{{cloud_id}}/{parts[3]}", {"cloud_id": parts[2]}
        asked = msgspec.structs.replace(call, parameters=parameters, client=call.client or CLIENT)
        return self.loop.run(_waited(self.handlers[path](asked)))

    def get(self, path: str = "/prov", **parameters: str) -> Answer:
        return self.call(Call("GET", path, urlencode(parameters)))

    def signs_in(self, username: str = "johndow", password: str = "12345678", **others: str) -> Answer:
        wanted = {"cloud_id": "EXAMPLE", "cloud_username": username, "cloud_password": password}
        return self.get(**wanted | others)

    def phone(self, username: str = "johndow", cloud_id: str = "EXAMPLE", **others: str) -> Phone:
        """A phone that has just signed in."""
        answer = self.signs_in(username, cloud_id=cloud_id, **others)
        assert answer.status == 200, answer.body
        return Phone(self, cloud_id, answer)

    def installs(self) -> list[dict[str, Any]]:
        with self.database.begin() as connection:
            return [dict(row) for row in connection.exec_driver_sql("SELECT * FROM install ORDER BY rowid").mappings()]


class Phone:
    """What a phone keeps of its answers, and how it asks again."""

    def __init__(self, provider: Provider, cloud_id: str, answer: Answer) -> None:
        self.provider, self.cloud_id = provider, cloud_id
        self.account = {str(node.tag): node.text or "" for node in etree.fromstring(answer.body)}
        self.validators: dict[str, dict[str, str]] = {}
        self.bodies: dict[str, bytes] = {}
        self.keeps("/prov/again", answer)

    def identity(self) -> dict[str, str]:
        sip = "cloud_password" not in self.account
        username, password = ("username", "password") if sip else ("cloud_username", "cloud_password")
        return {
            "cloud_id": self.cloud_id,
            "cloud_username": self.account.get(username, ""),
            "cloud_password": self.account.get(password, ""),
            "install_id": self.account["X-install-id"],
        }

    def asks(
        self, path: str = "/prov/again", *, tags: bool = True, keep: bool = True, client: str = "", **sent: str
    ) -> Answer:
        """Ask with what was kept of the last answer, and keep what comes; `sent` is what else the app says."""
        headers = {"content-type": "application/x-www-form-urlencoded", **self.validators.get(path, {})}
        if not tags:
            headers.pop("if-none-match", None)
        body = urlencode(self.identity() | sent).encode()
        answer = self.provider.call(Call("POST", path, "", headers, body, client=client))
        if answer.status in {200, 304} and keep:
            self.keeps(path, answer)
        if answer.status == 200 and keep:
            self.bodies[path] = answer.body
            if path == "/prov/again":
                self.account |= {str(node.tag): node.text or "" for node in etree.fromstring(answer.body)}
        return answer

    def keeps(self, path: str, answer: Answer) -> None:
        """Keep what an answer says of itself."""
        known = {"ETag": "if-none-match", "Last-Modified": "if-modified-since"}
        new = {known[name]: text for name, text in answer.headers.items() if name in known}
        self.validators[path] = {**self.validators.get(path, {}), **new}

    def reports(self, path: str = "/prov/removed", **sent: str) -> Answer:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return self.provider.call(Call("POST", path, "", headers, urlencode({**self.identity(), **sent}).encode()))


@cache
def empty_database() -> bytes:
    """One with all tables, made once, since making them takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite3"
        Database(path).close()
        return path.read_bytes()


def run(work: Awaitable[T]) -> T:
    """What an async function says."""

    return asyncio.run(_waited(work))


async def _waited(work: Awaitable[T]) -> T:
    return await work
