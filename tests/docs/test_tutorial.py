"""The tutorial is true: every command of it is run as written, and shows what the page says it shows."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
PORT = "8080"


class Step(NamedTuple):
    """A command and what the page shows behind it; `...` stands for anything."""

    command: str
    shows: str


def steps(page: str) -> Iterator[Step]:
    """The commands of all console blocks: each begins with `$ `, its further lines with `> `."""
    for block in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            shown = (number for number, line in enumerate(lines) if number and not line.startswith("> "))
            more = next(shown, len(lines))
            command = "\n".join((lines[0], *(line.removeprefix("> ") for line in lines[1:more])))
            yield Step(command, "\n".join(lines[more:]))


def fits(shown: str, printed: str) -> bool:
    """Whether what was printed is what the page shows, whatever the width of its columns."""
    pattern = re.escape(_even(shown)).replace(r"\ \.\.\.", r"(\ .*?)?").replace(r"\.\.\.", r".*?")
    return re.fullmatch(pattern, _even(printed), re.DOTALL) is not None


def _even(text: str) -> str:
    """The text with single blanks between words, and none around lines."""
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


class Reader:
    """Somebody who follows the tutorial in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "100",
            "USER": "you",
        }
        self.servers: list[subprocess.Popen[str]] = []

    def follow(self, step: Step) -> None:
        """Run one command and compare."""
        command, shows = (text.replace(PORT, self.port) for text in step)
        printed = self.start(command.removesuffix("&")) if command.endswith("&") else self.run(command)
        assert fits(shows, printed), f"$ {command}\n--- the page shows\n{shows}\n--- it printed\n{printed}"

    def run(self, command: str) -> str:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        ).stdout

    def start(self, command: str) -> str:
        """Leave a server running; what it says first."""
        server = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.servers.append(server)
        assert server.stdout is not None
        return server.stdout.readline()

    def leave(self) -> None:
        """Stop what was started."""
        for server in self.servers:
            server.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 10
        for server in self.servers:
            server.communicate(timeout=max(0.1, deadline - time.monotonic()))


@pytest.mark.skipif(not shutil.which("curl"), reason="the tutorial uses curl: apt install curl, or brew install curl")
def test_every_command_shows_what_the_page_says(tmp_path: Path) -> None:
    """A newcomer who types the tutorial sees the tutorial."""
    reader = Reader(tmp_path)
    try:
        for step in steps(TUTORIAL.read_text()):
            reader.follow(step)
    finally:
        reader.leave()


def test_the_comparison_can_fail() -> None:
    """Anything fits three dots, and nothing else fits but itself."""
    assert fits("a ... c\nend", "a b\nb c  \nend\n")
    assert fits("a ...", "a")
    assert not fits("a ... c", "a b d")
    assert not fits("", "something")
    assert list(steps("```console\n$ one \\\n> two\nshown\n$ three\n```\n")) == [
        Step("one \\\ntwo", "shown"),
        Step("three", ""),
    ]
