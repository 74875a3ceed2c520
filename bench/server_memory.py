"""Memory of a serving process with 100,000 users in its store, after sign-ins, against one with a single user."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import httpx2

from bench.import_csv import TEMPLATE, write
from offhook import wiring

USERS: Final = 100_000
SIGN_INS: Final = 40


def run() -> dict[str, Any]:
    alone_mib, full_mib = (resident_mib(users) for users in (1, USERS))
    return {
        "users": USERS,
        "mebibytes": round(full_mib),
        "ratio": round(full_mib / alone_mib, 2),
        "baseline": f"the same with one user: {alone_mib:.0f} MiB",
    }


def resident_mib(users: int) -> float:
    """The most that a server kept in memory until its sign-ins were done."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        write(path / "users.csv", users)
        with (
            wiring.administration(path) as desk,
            (path / "users.csv").open("rb") as file,
            closing(desk.importer.plan_vendor(file, "BENCH", TEMPLATE)) as plan,
        ):
            desk.importer.carry_out(plan)
            first = next(desk.directory.list("BENCH")).username
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        command = [str(Path(sys.executable).with_name("offhook")), "serve", "--data", folder, "--listen", address]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            ask(f"http://{address}/prov", first)
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text())
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    assert found is not None
    return int(found.group(1)) / 1024


def ask(url: str, username: str) -> None:
    """Wait until it serves, then sign in again and again, half of them wrongly, from the one address."""
    form = {"cloud_id": "BENCH", "cloud_username": username, "cloud_password": "password-0"}
    with httpx2.Client(timeout=30) as client:
        for _ in range(500):
            try:
                client.get(url)
                break
            except httpx2.TransportError:
                time.sleep(0.02)
        for number in range(SIGN_INS):
            wrong = {"cloud_password": "wrong"} if number % 4 == 3 else {}
            answer = client.post(url, data={**form, **wrong})
            assert answer.status_code == (403 if wrong else 200)
