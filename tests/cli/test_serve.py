"""`offhook serve` as a process: it says when it serves, serves what it was told to, and ends in order."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from offhook import wiring

OFFHOOK = Path(sys.executable).with_name("offhook")
CANARY = "canary-4e2d"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(folder: Path, *words: str) -> Iterator[tuple[str, Path]]:
    """The address of a server while it serves, and the file its events go to."""
    port = free_port()
    log = folder / "log"
    with log.open("wb") as events:
        command = [str(OFFHOOK), "serve", "--data", str(folder / "data"), "--listen", f"127.0.0.1:{port}", *words]
        server = subprocess.Popen(command, stderr=events)
        try:
            for _ in range(1000):
                if b"Serving" in log.read_bytes():
                    break
                assert server.poll() is None, log.read_text()
                with pytest.raises(subprocess.TimeoutExpired):
                    server.wait(0.02)
            yield f"http://127.0.0.1:{port}", log
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(10) == 0


def test_it_serves_and_writes_no_password(tmp_path: Path) -> None:
    """Portal and provider answer; the log has the paths and not the passwords, also when the query holds one."""
    with served(tmp_path) as (url, log):
        key = httpx2.get(f"{url}/portal/key")
        refused = httpx2.get(f"{url}/prov?cloud_id=NONE&cloud_username=ann&cloud_password={CANARY}")

    events = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert key.text.startswith("ed25519:")
    assert refused.status_code == 404
    assert [event["path"] for event in events if event["event"] == "http.request"] == ["/portal/key", "/prov"]
    assert CANARY not in log.read_text()


@pytest.mark.parametrize(
    ("role", "answers", "silent"), [("portal", "/portal/key", "/prov"), ("provider", "/prov", "/portal/key")]
)
def test_one_room_alone(tmp_path: Path, role: str, answers: str, silent: str) -> None:
    """A vendor may serve only the portal, a provider only its web services."""
    with served(tmp_path, "--role", role) as (url, _):
        statuses = [httpx2.get(url + path).status_code for path in (answers, silent)]

    assert statuses[0] in {200, 400}
    assert statuses[1] == 404


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--listen", "8080"], "--listen"),
        (["--tls-cert", "chain.pem"], "--tls-key"),
        (["--tls-cert", "nowhere.pem", "--tls-key", "key.pem"], "--tls-cert: nowhere.pem cannot be read: No such file"),
        (
            ["--tls-cert", "/dev/null", "--tls-key", "nowhere.pem"],
            "--tls-key: nowhere.pem cannot be read: No such file",
        ),
        (["--trust-proxy", "proxy"], "--trust-proxy"),
        (["--listen", "localhost:8080"], "--listen"),
        (["--listen", "127.0.0.1:0"], "--listen"),
        (["--public-url", "javascript:alert(1)"], "--public-url: is not of the form"),
        (["--public-url", "prov.example.net"], "--public-url: is not of the form"),
        (["--role", "portal", "--provider-url", "javascript:1"], "--provider-url: is not of the form"),
        (["--provider-url", "https://prov.example.net"], "--provider-url: is for --role portal"),
        (["--listen", "0.0.0.0:18080"], "--public-url: is needed with 0.0.0.0"),
        (["--listen", "[::]:18080"], "--public-url: is needed with ::"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, words: list[str], told: str) -> None:
    """The message names the option; nothing is served."""
    ended = subprocess.run(
        [str(OFFHOOK), "serve", "--data", str(tmp_path), *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 5
    assert told in ended.stderr


def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    """A second server on the same address says so and ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = subprocess.run(
            [str(OFFHOOK), "serve", "--data", str(tmp_path), "--listen", address],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert ended.returncode == 8
    assert f"{address} is in use" in ended.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "http://127.0.0.1"),
        (["--public-url", "http://192.0.2.1/phones/"], "http://192.0.2.1/phones/prov"),
        (["--role", "portal", "--public-url", "https://portal.example.net"], ""),
        (["--role", "portal", "--provider-url", "https://prov.example.net"], "https://prov.example.net/prov"),
    ],
    ids=["both", "behind a proxy", "portal alone", "portal with a provider elsewhere"],
)
def test_which_provider_service_phones_are_told(tmp_path: Path, words: list[str], named: str) -> None:
    """A portal names the provider service it was told, itself only when it is one, and otherwise none."""
    with wiring.administration(tmp_path / "data") as desk:
        desk.make_app("EXAMPLE")

    with served(tmp_path, *words) as (url, log):
        base = httpx2.get(f"{url}/portal/EXAMPLE/base").text
        said = log.read_text()

    assert named in base
    assert ("initialProvisioningUrl" in base or "InitialProvisioningUrl" in base) == bool(named)
    assert ("asterisks" in said) == ("192.0.2.1" in named)
