"""Signing in: what it costs besides its password hash, and how many there are in a second.

Everything goes through the application as the server calls it, without sockets; ratios are taken within one run.
"""

from __future__ import annotations

import asyncio
import functools
import io
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from offhook.core.secret import Secret
from offhook.provider.compose import Composer
from offhook.provider.limits import Attempts
from offhook.provider.passwords import ARGON2, HashPool, hash_password
from offhook.provider.ports import Passwords
from offhook.provider.recent import RecentPasswords
from offhook.provider.rulings import Rulings
from offhook.provider.sealing import KeyedHash, Sealer, place_of
from offhook.provider.sightings import Sightings
from offhook.provider.signin import SignIn
from offhook.provider.subscriber import Argon2, Override, StoredPassword, Subscriber
from offhook.provider.tenant import Tenant
from offhook.storage.database import Database
from offhook.storage.life import SightingStore
from offhook.storage.rulings import RulingStore
from offhook.storage.signin import SignInStore
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tenants import TenantStore
from offhook.web.app import application
from offhook.web.events import EventLog
from offhook.web.http import Answer, Call, Handler
from offhook.web.provider import HEADERS, endpoints

PASSWORD: Final = "12345678"
USERS: Final = 1000
ROUNDS: Final = 7
TURNS: Final = 5
EACH: Final = 24
CORES: Final = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
TEMPLATE: Final = "".join(
    (
        "<account><title>{display_name}</title><username>{username}</username><password>{password}</password>",
        *(f"<X-key{number}>value {number}</X-key{number}>" for number in range(30)),
        "</account>",
    )
)


class _Clock:
    def now_s(self) -> int:
        return int(time.time())


class _Chance:
    def token(self, size_bytes: int) -> bytes:
        return secrets.token_bytes(size_bytes)


class _Instant:
    """Passwords that cost nothing."""

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        return stored is not None

    async def hash(self, password: Secret) -> Argon2:
        raise AssertionError

    def is_outdated(self, stored: StoredPassword) -> bool:
        return False


def run() -> dict[str, Any]:
    """One object of numbers; the bound is `cpu_to_argon2`, which must not be above 1.1."""
    with _database() as (database, sealer):
        handlers = {**_provider(database, sealer, _Instant()), "/empty": _empty}
        without_hash = application(handlers, [], EventLog(io.BytesIO(), time.time))
        empty_us, sign_in_us = asyncio.run(_cpu_us(without_hash))
        bare, whole = _in_turns(database, sealer)
    return {
        "bench": "sign_in",
        "empty_handler_cpu_us": round(empty_us, 1),
        "sign_in_without_hash_cpu_us": round(sign_in_us, 1),
        "ratio_to_empty_handler": round(sign_in_us / empty_us, 1),
        "argon2_cpu_us": round(bare.cpu_us),
        "sign_in_cpu_us": round(whole.cpu_us),
        "cpu_to_argon2": round(whole.cpu_us / bare.cpu_us, 3),
        "argon2_per_s": round(bare.per_s, 1),
        "sign_ins_per_s": round(whole.per_s, 1),
        "sign_ins_to_argon2": round(whole.per_s / bare.per_s, 3),
        "cores": CORES,
    }


@contextmanager
def _database() -> Iterator[tuple[Database, Sealer]]:
    sealer = Sealer(1, {1: secrets.token_bytes(32)}, _Chance())
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = stack.enter_context(closing(Database(Path(folder) / "bench.sqlite3")))
        TenantStore(database, _Clock()).put(Tenant("EXAMPLE", template=TEMPLATE))
        stored = hash_password(Secret(PASSWORD))
        SubscriberStore(database).put_all(_user(number, stored, sealer) for number in range(USERS))
        yield database, sealer


def _user(number: int, stored: Argon2, sealer: Sealer) -> Subscriber:
    name = f"user{number}"
    return Subscriber(
        "EXAMPLE",
        name,
        stored,
        attributes={"username": str(number), "display_name": f"User {number} & Söhne"},
        secrets={"password": sealer.seal("45F4BF5F0E191F5DCC27", place_of("EXAMPLE", name, "password"))},
        overrides={"allowMessage": Override("0"), "dtmf": Override("info")},
    )


def _provider(database: Database, sealer: Sealer, passwords: Passwords) -> dict[str, Handler]:
    clock, chance = _Clock(), _Chance()
    sign_in = SignIn(
        store=SignInStore(database),
        passwords=RecentPasswords(passwords, clock, chance),
        sightings=Sightings(SightingStore(database)),
        composer=Composer(sealer),
        rulings=Rulings(RulingStore(database), clock),
        tokens=KeyedHash(secrets.token_bytes(32)),
        attempts=Attempts(),
        clock=clock,
        chance=chance,
    )
    return endpoints(sign_in, EventLog(io.BytesIO(), time.time))


async def _empty(call: Call) -> Answer:  # noqa: ARG001 - the shape of a handler
    return Answer(200, dict(HEADERS), b"<account/>")


async def _cpu_us(app: Any) -> tuple[float, float]:  # noqa: ANN401 - an ASGI application
    """CPU of the whole process for a request to each, the median of rounds that take turns."""
    empty, sign_in = [], []
    for _ in range(ROUNDS):
        empty.append(await _spent_us(lambda number: _ask(app, "/empty", number)))
        sign_in.append(await _spent_us(lambda number: _ask(app, "/prov", number)))
    return statistics.median(empty), statistics.median(sign_in)


async def _spent_us(ask: Callable[[int], Awaitable[None]]) -> float:
    started = time.process_time()
    for number in range(USERS):
        await ask(number)
    return (time.process_time() - started) / USERS * 1e6


async def _ask(app: Any, path: str, number: int) -> None:  # noqa: ANN401 - an ASGI application
    body = urlencode({"cloud_id": "EXAMPLE", "cloud_username": f"user{number}", "cloud_password": PASSWORD}).encode()
    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"user-agent", b"CloudSoftphone/1.5.6")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": (f"198.51.100.{number % 250}", 1),
    }
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        if "status" in message:
            statuses.append(message["status"])

    await app(scope, receive, send)
    assert statuses == [200]


class Pace(msgspec.Struct, frozen=True):
    """How quickly something went, and what each cost."""

    count: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        return self.count / self.wall_s

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / self.count * 1e6

    def and_then(self, other: Pace) -> Pace:
        return Pace(self.count + other.count, self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


def _in_turns(database: Database, sealer: Sealer) -> tuple[Pace, Pace]:
    """Bare verifications on all cores and whole sign-ins, by turns, since the machine may have other things to do."""
    bare, whole = [], []
    with closing(HashPool(sealer, cores=CORES)) as pool, ThreadPoolExecutor(CORES) as threads:
        app = application(_provider(database, sealer, pool), [], EventLog(io.BytesIO(), time.time))
        stored = hash_password(Secret(PASSWORD)).text
        for turn in range(TURNS):
            bare.append(_pace(lambda: list(threads.map(lambda _: ARGON2.verify(stored, PASSWORD), range(EACH)))))
            numbers = range(turn * EACH, (turn + 1) * EACH)
            whole.append(_pace(functools.partial(asyncio.run, _all_of(app, numbers))))
    return functools.reduce(Pace.and_then, bare), functools.reduce(Pace.and_then, whole)


def _pace(work: Callable[[], object]) -> Pace:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return Pace(EACH, time.perf_counter() - wall_s, time.process_time() - cpu_s)


async def _all_of(app: Any, numbers: range) -> None:  # noqa: ANN401 - an ASGI application
    """Phones that sign in all at once."""
    await asyncio.gather(*(_ask(app, "/prov", number) for number in numbers))


if __name__ == "__main__":
    print(msgspec.json.encode(run()).decode())
