"""The server under SIGKILL: whatever it told a phone is true after the restart, and nothing is left half done."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import re
import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from offhook import wiring
from offhook.config import DataFolder
from offhook.core.secret import Secret
from offhook.provider.subscriber import Argon2, Sealed, read_password
from offhook.provider.tenant import Tenant
from offhook.web.settings import Listen, Serving

KILLS = 200
CALM = 3
TEMPLATE = "<account><title>{display_name}</title></account>"

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["offhook.wiring", __name__])


def serve(folder: Path, port: int) -> None:
    """A serving process."""
    serving = Serving(Listen("127.0.0.1", port), f"http://127.0.0.1:{port}")
    with (folder / "events").open("ab") as events, wiring.service(DataFolder(folder), serving, events=events) as server:
        asyncio.run(server.run())


def prepare(folder: Path, users: int) -> None:
    """A Cloud ID whose users came by import, with passwords that are replaced at their first sign-in."""
    rows = [f"user{number},secret{number},{number},sip{number},User {number}" for number in range(users)]
    header = "cloud_username,cloud_password,username,password,display_name"
    (folder / "users.csv").write_text("\n".join((header, *rows)))
    with wiring.administration(folder) as desk, (folder / "users.csv").open("rb") as file:
        with closing(desk.importer.plan_vendor(file, "CRASH", TEMPLATE)) as plan:
            desk.importer.carry_out(plan)
        assert desk.tenants.get("CRASH") == Tenant("CRASH", TEMPLATE)


def sign_in(port: int, number: int, got: list[str]) -> None:
    """One request of a phone; what it was answered, if it was."""
    form = {"cloud_id": "CRASH", "cloud_username": f"user{number}", "cloud_password": f"secret{number}"}
    try:
        with httpx2.Client(verify=False, timeout=5) as client:  # plain HTTP; certificates take long to load
            answer = client.post(f"http://127.0.0.1:{port}/prov", data=form)
    except httpx2.TransportError:
        return
    if answer.status_code == 200:
        got.append(answer.text)


def wait_until_open(port: int) -> None:
    for _ in range(1000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.005)
    pytest.fail("the server did not come up")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve_one(folder: Path, number: int, kill_after_s: float | None) -> tuple[list[str], float]:
    """A server for one sign-in, killed in the middle or not at all: what the phone was told, and how long it took."""
    port = free_port()
    server = _context.Process(target=serve, args=(folder, port), daemon=True)
    server.start()
    wait_until_open(port)
    got: list[str] = []
    phone = threading.Thread(target=sign_in, args=(port, number, got))
    began = time.monotonic()
    phone.start()
    phone.join(kill_after_s)
    took_s = time.monotonic() - began
    server.kill()
    server.join()
    phone.join()
    return got, took_s


@pytest.mark.crash
def test_what_a_phone_was_told_survives_sigkill(tmp_path: Path) -> None:
    """200 servers are killed in the middle of a sign-in; each leaves the old state or the new one."""
    prepare(tmp_path, KILLS + CALM)
    chance = random.Random(410)
    told = 0
    # The first ones are left alone, and show how long a sign-in takes here and now.
    within_s = 1.5 * min(serve_one(tmp_path, KILLS + number, None)[1] for number in range(CALM))
    for number in range(KILLS):
        got, _ = serve_one(tmp_path, number, chance.uniform(0, within_s))
        told += len(got)
        check(tmp_path, number, got)
        # A machine that gets busier, or less so, must not make all kills come too early or too late.
        within_s *= 0.97 if got else 1.02

    # Otherwise the kills all came too early, or all too late, to prove anything.
    assert KILLS * 0.05 < told < KILLS * 0.95


def check(folder: Path, number: int, got: list[str]) -> None:
    """The database is sound; install and better password are both there or both not, and there if a phone was told."""
    with wiring.administration(folder) as desk:
        connection = sqlite3.connect(folder / "offhook.sqlite3")
        try:
            (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
            password, subscriber_id = connection.execute(
                "SELECT password, id FROM subscriber WHERE username = ?", (f"user{number}",)
            ).fetchone()
            installs = connection.execute("SELECT id FROM install WHERE subscriber_id = ?", (subscriber_id,)).fetchall()
        finally:
            connection.close()
        secrets = desk.directory.open_secrets(desk.directory.get("CRASH", f"user{number}"))
    assert sound == "ok"
    assert secrets["password"] == Secret(f"sip{number}")
    assert (type(read_password(password)), len(installs)) in {(Sealed, 0), (Argon2, 1)}
    for document in got:
        (told_id,) = re.findall("<X-install-id>([0-9A-F]{32})</X-install-id>", document)
        assert installs == [(told_id,)]
