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
import trustme

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

    assert ended.returncode == 2
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


def issued(folder: Path, kind: trustme.KeyType = trustme.KeyType.ECDSA) -> tuple[Path, Path]:
    """A certificate and its key, of this kind."""
    certificate, key = folder / f"{kind.name}.pem", folder / f"{kind.name}.key"
    made = trustme.CA().issue_cert("127.0.0.1", key_type=kind)
    made.cert_chain_pems[0].write_to_path(certificate)
    made.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    return certificate, key


def test_what_phones_cannot_reach_is_said(tmp_path: Path) -> None:
    """An address without TLS that a server with TLS has, and a key that everybody can read."""
    certificate, key = issued(tmp_path)
    key.chmod(0o644)
    words = ("--tls-cert", str(certificate), "--tls-key", str(key), "--public-url", "http://127.0.0.1:80")

    with served(tmp_path, *words) as (_, log):
        said = log.read_text()

    assert "Warning: --public-url: is http, and this server speaks https only" in said
    assert f"Warning: {key} can be read by every user of this machine; mend it: chmod o-r {key}" in said


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    """Also of another kind: it is said that the two do not belong together."""
    certificate, _ = issued(tmp_path)
    _, key = issued(tmp_path, trustme.KeyType.RSA)

    ended = subprocess.run(
        [str(OFFHOOK), "serve", "--data", str(tmp_path), "--tls-cert", str(certificate), "--tls-key", str(key)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 5
    assert f"{certificate} is the certificate of another key than {key}" in ended.stderr
