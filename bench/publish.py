"""Publishing beside a server: how long it takes, and how long until the server answers by it, with 1,000 rules."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx2

from offhook import wiring
from offhook.config import DataFolder
from offhook.core.secret import Secret
from offhook.core.theme import Theme
from offhook.policy import document
from offhook.policy.effects import SetKey
from offhook.policy.facts import Attribute
from offhook.policy.rules import Policy, Rule
from offhook.portal.reading import from_document
from offhook.provider.change import Change
from offhook.provider.tenant import Tenant
from offhook.release.records import Signature
from offhook.web.settings import Listen, Serving

ROUNDS: Final = 15
RULES: Final = 1000
BOUND_MS: Final = 1000


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        path = Path(folder)
        with wiring.administration(path) as desk:
            desk.tenants.put(Tenant("BENCH"))
            desk.directory.add("BENCH", "ann", Secret("12345678"), Change(), author="bench")
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(path, port), daemon=True)
        server.start()
        try:
            return measure(path, f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
            server.join()


def serve(folder: Path, port: int) -> None:
    serving = Serving(Listen("127.0.0.1", port), f"http://127.0.0.1:{port}")
    with (
        (folder / "events").open("ab") as events,
        wiring.service(DataFolder(folder), serving, events=events) as server,
    ):
        asyncio.run(server.run())


def measure(folder: Path, url: str) -> dict[str, Any]:
    publishing_ms, base_ms, account_ms = list[float](), list[float](), list[float]()
    form = {"cloud_id": "BENCH", "cloud_username": "ann", "cloud_password": "12345678"}
    with wiring.administration(folder) as desk, httpx2.Client(timeout=30) as client:
        for number in range(ROUNDS + 1):
            content = {"cloud_id": "BENCH", "account": {"title": f"Edition {number}"}}
            change = desk.releases.propose("BENCH", (from_document(content), Theme()), policy(number))
            began_s = time.perf_counter()
            desk.releases.publish(change, Signature("bench"))
            published_s = time.perf_counter()
            awaited(client, f"{url}/portal/key")
            asked_s = time.perf_counter()
            base = client.get(f"{url}/portal/BENCH/base")
            based_s = time.perf_counter()
            account = client.post(f"{url}/prov", data=form)
            ended_s = time.perf_counter()
            assert f"Edition {number}<" in base.text
            assert f"<X-edition>{number}<" in account.text
            if number:
                publishing_ms.append(1000 * (published_s - began_s))
                base_ms.append(1000 * (based_s - asked_s))
                account_ms.append(1000 * (ended_s - based_s))
    return {
        "rules": RULES,
        "bound_ms": BOUND_MS,
        "publishing_ms": round(statistics.median(publishing_ms), 1),
        "next_base_ms": round(statistics.median(base_ms), 1),
        "next_sign_in_ms": round(statistics.median(account_ms), 1),
        "slowest_next_ms": round(max(*base_ms, *account_ms), 1),
    }


def awaited(client: httpx2.Client, url: str) -> None:
    """Wait until the server is there at all."""
    for _ in range(500):
        try:
            client.get(url)
        except httpx2.TransportError:
            time.sleep(0.02)
        else:
            return


def policy(number: int) -> str:
    others = (
        Rule(f"rule-{n}", when=Attribute("tier", is_=f"{n}"), effects=(SetKey("X-a", f"{n}"),)) for n in range(RULES)
    )
    return document.dumps(Policy(rules=(Rule("edition", effects=(SetKey("X-edition", f"{number}"),)), *others)))
