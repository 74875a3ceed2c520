"""Asking again: what a 304 and a 200 cost, against a handler that does nothing, within one run and without sockets."""

from __future__ import annotations

import asyncio
import io
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from offhook import wiring
from offhook.config import DataFolder
from offhook.core.secret import Secret
from offhook.provider.ports import NewInstall
from offhook.provider.sealing import place_of
from offhook.provider.subscriber import Argon2, Override, StoredPassword, Subscriber
from offhook.provider.tenant import Tenant
from offhook.storage.database import Database
from offhook.storage.signin import SignInStore
from offhook.web.app import application
from offhook.web.events import EventLog
from offhook.web.http import Answer, Call

USERS: Final = 1000
ROUNDS: Final = 9
TOKEN: Final = "4f1dcfa2b1c94d0f8a5d4f1dcfa2b1c94d0f8a5d"
TEMPLATE: Final = "".join(
    (
        "<account><title>{display_name}</title><username>{username}</username><password>{password}</password>",
        *(f"<X-key{number}>value {number}</X-key{number}>" for number in range(30)),
        "</account>",
    )
)


class _NoPasswords:
    """Nobody signs in here."""

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        raise AssertionError

    async def hash(self, password: Secret) -> Argon2:
        raise AssertionError

    def is_outdated(self, stored: StoredPassword) -> bool:
        raise AssertionError


def run() -> dict[str, Any]:
    """One object of numbers."""
    with ExitStack() as stack:
        folder = DataFolder(Path(stack.enter_context(tempfile.TemporaryDirectory()))).make()
        database = stack.enter_context(closing(Database(folder.database, inline=True, flushed=False)))
        parts = wiring.Parts(folder, database)
        log = EventLog(io.BytesIO(), time.time)
        stack.callback(log.close)
        asyncio.run(_populate(parts))
        handlers = wiring.handlers_of(parts, _NoPasswords(), "https://prov.example.net", log, ("provider",))
        app = application({**handlers, "/empty": _empty}, [], log)
        return {"bench": "again", **asyncio.run(_measured(app, parts))}


async def _populate(parts: wiring.Parts) -> None:
    parts.tenants.put(Tenant("EXAMPLE", template=TEMPLATE))
    users = (
        Subscriber(
            "EXAMPLE",
            f"user{number}",
            Argon2("x"),
            attributes={"username": str(number), "display_name": f"User {number} & Söhne"},
            secrets={
                "password": parts.sealer.seal("45F4BF5F0E191F5D", place_of("EXAMPLE", f"user{number}", "password"))
            },
            overrides={"allowMessage": Override("0"), "dtmf": Override("info")},
        )
        for number in range(USERS)
    )
    parts.subscribers.put_all(users)
    store, hashed = SignInStore(parts.database), parts.tokens.of(Secret(TOKEN))
    for user in parts.subscribers.all_of("EXAMPLE"):
        install = NewInstall(f"I-{user.username}", "EXAMPLE", user.id, hashed, "", "bench", 1)
        await store.issue(install, None, user.password)


async def _empty(call: Call) -> Answer:  # noqa: ARG001 - the shape of a handler
    return Answer(200, {"Content-Type": "application/xml; charset=utf-8"}, b"<account/>")


async def _measured(app: Any, parts: wiring.Parts) -> dict[str, Any]:  # noqa: ANN401 - an ASGI application
    tags = [(await _ask(app, "/prov/again", number, b"", 200))[b"etag"] for number in range(USERS)]
    spent: dict[str, list[float]] = {"empty": [], "unchanged": [], "fresh": []}
    for _ in range(ROUNDS):
        spent["empty"].append(await _spent_us(lambda number: _ask(app, "/empty", number, tags[number], 200)))
        spent["unchanged"].append(await _spent_us(lambda number: _ask(app, "/prov/again", number, tags[number], 304)))
        spent["fresh"].append(await _spent_us(lambda number: _ask(app, "/prov/again", number, b"", 200)))
        parts.sightings.flush()
    empty_us, unchanged_us, fresh_us = (statistics.median(spent[name]) for name in spent)
    return {
        "empty_handler_cpu_us": round(empty_us, 1),
        "304_cpu_us": round(unchanged_us, 1),
        "200_cpu_us": round(fresh_us, 1),
        "304_to_empty_handler": round(unchanged_us / empty_us, 2),
        "200_to_empty_handler": round(fresh_us / empty_us, 2),
    }


async def _spent_us(ask: Callable[[int], Awaitable[object]]) -> float:
    started = time.process_time()
    for number in range(USERS):
        await ask(number)
    return (time.process_time() - started) / USERS * 1e6


async def _ask(app: Any, path: str, number: int, tag: bytes, expected: int) -> dict[bytes, bytes]:  # noqa: ANN401 - as above
    sent = {
        "cloud_id": "EXAMPLE",
        "cloud_username": f"user{number}",
        "cloud_password": TOKEN,
        "install_id": f"I-user{number}",
    }
    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"user-agent", b"CloudSoftphone/1.5.6")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [*headers, (b"if-none-match", tag)] if tag else headers,
        "client": (f"198.51.100.{number % 250}", 1),
    }
    begun: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": urlencode(sent).encode()}

    async def send(message: dict[str, Any]) -> None:
        begun.append(message)

    await app(scope, receive, send)
    assert begun[0]["status"] == expected, begun
    return dict(begun[0]["headers"])


if __name__ == "__main__":
    print(msgspec.json.encode(run()).decode())
