"""Records docs/sessions/life.md: a phone lives beside a server, in real terminals; `play` gives the page anew.

python scripts/session.py
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, assert_never

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "sessions" / "life.md"
PORT: Final = "8080"
PATIENCE_S: Final = 30.0
# The phone is at rest when it says this, and gone when it says that.
REST, GONE = "next check: ", "The phone is closed."


class Text(NamedTuple):
    """Something to read between two commands."""

    words: str


class Run(NamedTuple):
    """A command in the operator's terminal."""

    command: str


class Serve(NamedTuple):
    """A command of the operator's that goes on in the background once it has said its first line."""

    command: str


class Phone(NamedTuple):
    """The phone's own terminal: what is typed there, and what is waited for."""

    typed: str
    until: str = REST


Step: TypeAlias = Text | Run | Serve | Phone

SIGN_IN: Final = (
    "printf '{password}\\n' | offhook phone sign-in {user}@EXAMPLE --password-stdin --portal http://127.0.0.1:8080 "
    "--state phone | tail -n 1"
)
CODECS: Final = "offhook phone show --state phone | grep codecOrder"
OWN: Final = (
    'offhook phone show --state phone --json | grep -E \'"(id|number|key)": "(mum|204|ringtone|dtmfOrder|codecOrder)"\''
)
INSTALLS: Final = (
    "offhook install list EXAMPLE --ended --json --data phones | "
    """grep -oE '"(user|ended)":"[a-z]*"' | paste -d' ' - -"""
)
SESSION: Final[tuple[Step, ...]] = (
    Text("""\
# A session: the life of a phone

<!-- Written by scripts/session.py, which runs every line of it. -->

Two terminals: the operator's, and the phone's, where `<` stands before what its user types; `...` stands for what is
different each time. The phone looks for changes by itself, once an hour unless told otherwise; `refresh` is the button
for those who cannot wait.

## An app, two users, a server
"""),
    Run("offhook tenant create EXAMPLE --data phones"),
    Run("printf '12345678\\n' | offhook user add ann@EXAMPLE --password-stdin --data phones"),
    Run("printf '87654321\\n' | offhook user add bob@EXAMPLE --password-stdin --data phones"),
    Run('offhook app create EXAMPLE --name "Example Telephone" --host sip.example.net --data phones'),
    Run("offhook app publish EXAMPLE --yes --data phones | tail -n 1"),
    Serve("offhook serve --data phones --listen 127.0.0.1:8080 2>&1"),
    Text("""\
## Ann signs in

She makes the phone hers: a preference of the app, which no service knows of. Then the phone is left running.
"""),
    Run(SIGN_IN.format(user="ann", password="12345678")),
    Run("offhook phone edit ringtone bell --preference --state phone"),
    Phone("offhook phone run --no-sip --state phone"),
    Phone("dial mum 'My mother' 100"),
    Phone("edit dtmfOrder info"),
    Text("""\
## An edit on the server appears
"""),
    Run("offhook user set ann@EXAMPLE --set codecOrder=9,8,0 --data phones"),
    Phone("refresh"),
    Run(CODECS),
    Text("""\
## During a call it waits

The phone fetches the change and holds it back until the call is over.
"""),
    Phone("call start 204"),
    Run("offhook user set ann@EXAMPLE --set codecOrder=8 --data phones"),
    Phone("refresh"),
    Run(CODECS),
    Phone("call end"),
    Run(CODECS),
    Text("""\
## A suspended user is logged out

What the operator decides reaches the phone with its next question. It reports the removal, keeps what is Ann's in an
encrypted backup, and erases the rest.
"""),
    Run("offhook user suspend ann@EXAMPLE --data phones"),
    Phone("refresh", GONE),
    Run("offhook phone show --state phone"),
    Run(INSTALLS),
    Text("""\
## Somebody else uses the device

Bob finds nothing of Ann's.
"""),
    Run(SIGN_IN.format(user="bob", password="87654321")),
    Run(f"{OWN} || echo nothing"),
    Text("""\
## Ann returns

Resumed by the operator and signed in again, she has her preference, her setting, her quick dial and her call history
back. Bob is signed out by that; the report of his removal is in the phone's queue, and goes out as soon as it runs.
"""),
    Run("offhook user resume ann@EXAMPLE --data phones"),
    Run(SIGN_IN.format(user="ann", password="12345678")),
    Run(OWN),
    Run("offhook phone refresh --state phone | tail -n 1"),
    Run(INSTALLS),
)

# What is different each time.
_VARIES: Final = (
    (re.compile(r"next check: .*"), "next check: ..."),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "..."),
    (re.compile(r"\b[0-9A-F]{32}\b"), "..."),
    (re.compile(r"  +"), "  "),
    # Both are asked for at the same time.
    (re.compile(r"(theme: \d+)\n(base: \d+)"), r"\2\n\1"),
)


class Stage:
    """The folder, the server and the phone of one recording."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "160",
            "USER": "you",
        }
        offhook = folder / "bin" / "offhook"
        offhook.parent.mkdir()
        offhook.write_text(
            f'#!/bin/sh\nexec {sys.executable} -c "from offhook.cli.main import run; run()" "$@"\n', "utf-8"
        )
        offhook.chmod(0o700)
        self.started: list[subprocess.Popen[bytes]] = []
        self.phone: subprocess.Popen[bytes] | None = None

    def run(self, command: str) -> str:
        """What a command prints, on both outputs."""
        done = subprocess.run(  # noqa: S603 - the session's own commands
            ["/bin/sh", "-c", self._moved(command)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.stdout.decode()

    def serve(self, command: str) -> str:
        """The first line of a command that goes on."""
        return self._heard(self._start(command), "\n")

    def type(self, typed: str, until: str) -> str:
        """What the phone says to a typed line; the first one starts it."""
        if self.phone is None:
            self.phone = self._start(typed)
        else:
            assert self.phone.stdin is not None
            self.phone.stdin.write(f"{typed}\n".encode())
            self.phone.stdin.flush()
        return self._heard(self.phone, until)

    def end(self) -> None:
        """Stop what still runs."""
        for one in self.started:
            if one.poll() is None:
                one.send_signal(signal.SIGTERM)
        for one in self.started:
            one.communicate(timeout=PATIENCE_S)

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        one = subprocess.Popen(  # noqa: S603 - as above
            ["/bin/sh", "-c", f"exec {self._moved(command)}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self.started.append(one)
        return one

    def _heard(self, one: subprocess.Popen[bytes], until: str) -> str:
        """The lines up to the one with these words."""
        assert one.stdout is not None
        heard, deadline = "", time.monotonic() + PATIENCE_S
        while line := one.stdout.readline().decode():
            heard += line
            if until in line:
                return heard
            if time.monotonic() > deadline:
                break
        raise RuntimeError(f"{until!r} was waited for in vain; there was:\n{heard}")

    def _moved(self, command: str) -> str:
        return command.replace(PORT, self.port)


def play(folder: Path) -> str:
    """Run the session in an empty folder; the page that it makes."""
    with _stage(folder) as stage:
        told = [_tell(step, stage) for step in SESSION]
    # What follows in the same terminal is one block.
    return "\n".join(
        _written(kind, "".join(text for _, text in some)) for kind, some in groupby(told, lambda one: one[0])
    )


@contextmanager
def _stage(folder: Path) -> Iterator[Stage]:
    stage = Stage(folder)
    try:
        yield stage
    finally:
        stage.end()


def _tell(step: Step, stage: Stage) -> tuple[str, str]:
    """The kind of block a step belongs to, and what it adds to it."""
    match step:
        case Text(words):
            return "", words
        case Run(command):
            return "console", f"$ {command}\n{_tidy(stage.run(command), stage)}"
        case Serve(command):
            return "console", f"$ {command} &\n{_tidy(stage.serve(command), stage)}"
        case Phone(typed, until):
            mark = "<" if stage.phone else "$"
            return "text", f"{mark} {typed}\n{_tidy(stage.type(typed, until), stage)}"
        case _:
            assert_never(step)


def _tidy(printed: str, stage: Stage) -> str:
    for varies, text in _VARIES:
        printed = varies.sub(text, printed)
    return "".join(f"{line.rstrip()}\n" for line in printed.replace(stage.port, PORT).splitlines())


def _written(kind: str, text: str) -> str:
    return f"```{kind}\n{text}```\n" if kind else text


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="offhook-session-") as temporary:
        PAGE.write_text(play(Path(temporary)), "utf-8")
