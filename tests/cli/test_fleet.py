"""`offhook fleet` as a person and a program run it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offhook.cli.main import app
from tests.phone.world_life import LivingWorld
from tests.world_portal import served

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from offhook.cli.main import run; run()", "fleet"]


@pytest.fixture
def world() -> LivingWorld:
    return LivingWorld()


@pytest.fixture
def portal(world: LivingWorld) -> Iterator[str]:
    with served(world) as address:
        yield address


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.csv"
    path.write_text("username,password,title\n" + "ann,s3cret,Ann\n" * 3)
    return path


def fleet(*words: str | Path, given: str | None = None, phones: int = 2) -> Result:
    fixed = ["fleet", "--phones", str(phones), "--cloud-id", "DEMO", "--for", "0.5s", "--ramp", "0"]
    return CliRunner().invoke(app, [*fixed, *map(str, words)], input=given)


def test_a_report_for_a_program(portal: str, users: Path) -> None:
    """What each service answered how quickly, how old everything is, and that nothing went wrong."""
    done = fleet("--portal", portal, "--users", users, "--json")

    report = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (report["phones"], report["states"], report["errors"], report["error"]) == (2, {"running": 2}, {}, None)
    services = {service["name"]: service for service in report["services"]}
    assert services["account part"]["answers"] == {"200": 2}
    assert services["account part"]["latency"]["count"] == 2
    assert report["ages"]["base"]["count"] == 2
    assert report["waited_for_connection"]["count"] >= 10


def test_a_report_for_a_person(portal: str) -> None:
    """Tables; what went wrong comes with the words for it."""
    done = fleet("--portal", portal, "--user-prefix", "nobody", "--password-stdin", given="guess\n")

    assert done.exit_code == 0
    assert "2 phones after 0:00:0" in done.stdout
    assert "2 could not sign in" in done.stdout
    assert "sign-in: global part answered 403" in done.stdout


def test_changes_are_shown(world: LivingWorld, portal: str, users: Path) -> None:
    """With the time that each of them took."""
    world.revisions["again"] = 10**9

    done = fleet("--portal", portal, "--users", users, "--interval", "1", "--for", "2.5s")

    assert "Age of what phones have" in done.stdout
    assert "from the server" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--portal", "https://prov.example.net", "--user-prefix", "x"], 3, "--yes-really"),
        (["--portal", "http://127.0.0.1:1"], 2, "either --users FILE, or --user-prefix"),
        (["--portal", "http://127.0.0.1:1", "--user-prefix", "x"], 2, "--password-stdin"),
        (["--portal", "http://127.0.0.1:1", "--users", "nothing.csv"], 2, "cannot be read"),
        (["--portal", "http://127.0.0.1:1", "--user-prefix", "x", "--for", "soon"], 2, "is not a time"),
        (["--portal", "nowhere"], 2, "is not an address"),
    ],
)
def test_what_cannot_be_meant(words: list[str], code: int, said: str) -> None:
    """Each is told how to say it right."""
    done = fleet(*words)

    assert done.exit_code == code
    assert said in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,secret\nann,s3cret\n", "names the columns username and password"),
        ("username,password\nann,s3cret\n", "has 1 users, and each of 2 phones needs its own"),
        ("username,password\nann," + "x" * 200_000 + "\nbob,y\n", "after line 1"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    """The reason comes with the name of the file."""
    (tmp_path / "users.csv").write_text(text)

    done = fleet("--portal", "http://127.0.0.1:1", "--users", tmp_path / "users.csv")

    assert done.exit_code == 5
    assert said in done.stderr


def test_ctrl_c_ends_with_the_report(portal: str, users: Path) -> None:
    """In a terminal, where it is alive until then."""
    master, slave = pty.openpty()
    words = ["--phones", "2", "--portal", portal, "--cloud-id", "DEMO", "--users", str(users), "--for", "1h"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen([*COMMAND, *words], stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = _until(master, "2 running")
        process.send_signal(signal.SIGINT)
        shown += _until(master, "")

    assert process.returncode == 0
    assert "The fleet itself" in shown


def _until(terminal: int, words: str) -> str:
    """What the terminal shows until these words, or until it is closed."""
    shown, deadline = "", time.monotonic() + 20
    while (not words or words not in shown) and time.monotonic() < deadline:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece.decode("utf-8", "replace")
    return shown
