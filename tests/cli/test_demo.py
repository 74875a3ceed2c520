"""The demo: what a stranger sees first."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from offhook.cli.demo import Demo
from offhook.core.errors import OffhookError, Unavailable
from offhook.core.login import CloudId, Link
from offhook.core.secret import Secret

OFFHOOK = Path(sys.executable).with_name("offhook")


def demo(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder), "HOME": str(folder), "COLUMNS": "100", **variables}
    return subprocess.run(
        [str(OFFHOOK), "demo", "--once", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_phone_is_signed_in_and_nothing_is_left_behind(tmp_path: Path) -> None:
    """Without a terminal the demo ends by itself, well, and its folder is gone; it can be run again."""
    first = demo(tmp_path)
    second = demo(tmp_path)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "account part   200" in first.stdout
    assert "Ann Adler" in first.stdout
    assert "Front desk" in first.stdout
    assert first.stderr == ""
    assert not list(tmp_path.glob("offhook-demo-*"))


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither the password that is typed nor the ones that come back appear."""
    shown = demo(tmp_path).stdout

    assert "demo-ann" not in shown
    assert "********" in shown


def test_a_locale_that_knows_only_ascii(tmp_path: Path) -> None:
    """All files are read as what they are, and what the terminal cannot show does not end the demo."""
    done = demo(tmp_path, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    assert (done.returncode, done.stderr) == (0, "")
    assert "Ann Adler" in done.stdout


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The message speaks of the option that the demo has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = demo(tmp_path, "--port", str(taken.getsockname()[1]))

    assert ended.returncode == 8
    assert "is in use. Choose another one with --port." in ended.stderr


class Silent:
    """A server that may take connections, and is told to stop by somebody after a while."""

    def __init__(self, *, ready: bool, stops_after_s: float) -> None:
        self.ready, self.stops_after_s = ready, stops_after_s
        self.stopped = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        if self.ready:
            ready()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopped.wait(), self.stops_after_s)

    def stop(self) -> None:
        self.stopped.set()


def company(folder: Path, port: int) -> Demo:
    one = Demo(Console(file=io.StringIO()), folder, port, stay=True)
    one.link = Link(CloudId.parse("DEMO"), "ann", Secret("x"))
    return one


def test_nobody_can_be_reached(tmp_path: Path) -> None:
    """Where the loopback interface is down the demo ends after a while, and says what to look at."""
    server = Silent(ready=False, stops_after_s=30)

    with pytest.raises(Unavailable, match="Is the loopback interface up"):
        asyncio.run(company(tmp_path, 9).run(server, ready_within_s=0.05))

    assert server.stopped.is_set()


def test_an_end_while_the_phone_signs_in(tmp_path: Path) -> None:
    """Ctrl-C stops the server, and the phone with it: nothing goes on in the folder that is about to go."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()

        with pytest.raises(OffhookError, match="before the phone had signed in"):
            asyncio.run(company(tmp_path, mute.getsockname()[1]).run(Silent(ready=True, stops_after_s=0.2)))


def test_in_a_terminal_it_stays(tmp_path: Path) -> None:
    """It shows what to try next, the code whole on 24 lines, and goes in order at Ctrl-C, with its folder."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    command = [str(OFFHOOK), "demo"]
    with subprocess.Popen(command, env=environment, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        shown, deadline = "", time.monotonic() + 30
        while "Ctrl-C ends the demo." not in shown and time.monotonic() < deadline:
            shown += os.read(master, 65536).decode("utf-8", "ignore")
        process.send_signal(signal.SIGINT)
        code = process.wait(15)
    os.close(master)

    assert code == 0
    assert "offhook phone sign-in bob@DEMO --portal http://127.0.0.1:" in shown
    assert "▀" in shown.splitlines()[-10]
    assert "It names no portal: this one is http://127.0.0.1:" in shown
    assert not list(tmp_path.glob("offhook-demo-*"))
