"""A running phone of a fleet: the memory it takes, and what asking again costs, against the real server's handlers.

Everything happens in one process and without sockets. What the server keeps of a phone is counted, too.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import io
import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from offhook import wiring
from offhook.config import DataFolder
from offhook.core.login import CloudId, Login
from offhook.core.secret import Secret
from offhook.core.webservice import Response
from offhook.phone.commands import Answer, Fetch
from offhook.phone.fleet import Fleet, Pace
from offhook.phone.portal import Portal
from offhook.phone.steps import Ended, Event
from offhook.phone.talk import ACCOUNT_PART
from offhook.portal.app import App, value
from offhook.provider.subscriber import Argon2, StoredPassword, Subscriber
from offhook.provider.tenant import Tenant
from offhook.storage.database import Database
from offhook.web.app import application
from offhook.web.events import EventLog

CLOUD_ID: Final = "LOAD"
URL: Final = "http://127.0.0.1:8080"
PHONES: Final = 2000
WARMING_UP: Final = 20
INTERVAL_S: Final = 30
BOUND_BYTES: Final = 30_000
PASSWORD: Final = Secret("12345678")
KEYS: Final = 30
TEMPLATE: Final = "".join(
    (
        "<account><title>{display_name}</title><username>{username}</username>",
        "<cloud_username>{cloud_username}</cloud_username><cloud_password>{cloud_password}</cloud_password>",
        *(f"<X-key{number}>value {number}</X-key{number}>" for number in range(KEYS)),
        "</account>",
    )
)


class Quick:
    """Checks passwords in no time, since the phones are what is measured."""

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        return stored == await self.hash(password)

    async def hash(self, password: Secret) -> Argon2:
        return Argon2(hashlib.sha256(password.reveal().encode()).hexdigest())

    def is_outdated(self, stored: StoredPassword) -> bool:
        return False


class Handed:
    """Hands requests to the server's application, without a network between."""

    def __init__(self, app: Any, told: Callable[[Event], None]) -> None:  # noqa: ANN401 - an ASGI application
        self.app, self.told = app, told

    async def ask(self, fetch: Fetch) -> Answer:
        request, place = fetch.request, urlsplit(fetch.request.url)
        scope = {
            "type": "http",
            "method": request.method,
            "path": place.path,
            "raw_path": place.path.encode(),
            "root_path": "",
            "query_string": place.query.encode(),
            "headers": [(name.lower().encode(), text.encode()) for name, text in request.headers],
            "client": ("127.0.0.1", 1),
        }
        came: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.body}

        async def send(message: dict[str, Any]) -> None:
            came.append(message)

        begin = time.perf_counter()
        await self.app(scope, receive, send)
        status = came[0]["status"]
        self.told(Ended(fetch.service, str(status), time.perf_counter() - begin, status))
        headers = {name.decode(): text.decode() for name, text in came[0]["headers"]}
        return Response(status, headers, came[1]["body"])


def run() -> dict[str, Any]:
    """One object of numbers."""
    with ExitStack() as stack:
        folder = DataFolder(Path(stack.enter_context(tempfile.TemporaryDirectory()))).make()
        database = stack.enter_context(closing(Database(folder.database, inline=True, flushed=False)))
        parts = wiring.Parts(folder, database)
        log = EventLog(io.BytesIO(), time.time)
        stack.callback(log.close)
        _populate(parts)
        app = application(wiring.handlers_of(parts, Quick(), URL, log), [], log)
        asyncio.run(_lived(app, 0, WARMING_UP, 1))
        fleet, size_bytes = asyncio.run(_lived(app, WARMING_UP, WARMING_UP + PHONES, INTERVAL_S))
        report = fleet.report()
        asked = {service.name: service.answers for service in report.services}
        assert report.states == {"running": PHONES}, report.states
        assert not report.errors, report.errors
        return {
            "bench": "fleet",
            "phones": PHONES,
            "keys_of_an_account": KEYS,
            "bytes_for_a_running_phone": round(size_bytes),
            "share_of_bound": round(size_bytes / BOUND_BYTES, 2),
            "answers": asked,
        }


def _populate(parts: wiring.Parts) -> None:
    parts.tenants.put(Tenant(CLOUD_ID, template=TEMPLATE))
    password = asyncio.run(Quick().hash(PASSWORD))
    parts.subscribers.put_all(
        Subscriber(CLOUD_ID, f"user{number}", password, attributes={"username": str(number), "display_name": "A user"})
        for number in range(WARMING_UP + PHONES)
    )
    parts.portal.create(App(CLOUD_ID, CLOUD_ID, account={"host": value("sip.example.net")}), note="a bench")
    parts.portal.publish(CLOUD_ID)


async def _lived(app: Any, first: int, after: int, interval_s: int) -> tuple[Fleet, float]:  # noqa: ANN401 - as above
    """A fleet in which every phone has signed in and asked again; the bytes each of them takes."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    logins = [Login(CloudId.parse(CLOUD_ID), f"user{number}", PASSWORD) for number in range(first, after)]
    fleet = Fleet(logins, Portal(URL), Pace(interval_s=interval_s))
    living = asyncio.ensure_future(fleet.run(Handed(app, fleet.told), for_s=600))
    while not _has_asked_again(fleet):  # noqa: ASYNC110 - nobody tells; it is only looked at
        await asyncio.sleep(0.2)
    gc.collect()
    now, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    living.cancel()
    await asyncio.wait([living])
    return fleet, (now - before) / len(logins)


def _has_asked_again(fleet: Fleet) -> bool:
    report = fleet.report()
    asked = {service.name: sum(service.answers.values()) for service in report.services}
    return report.states == {"running": len(fleet.members)} and asked.get(ACCOUNT_PART, 0) >= 2 * len(fleet.members)


if __name__ == "__main__":
    print(json.dumps(run()))
