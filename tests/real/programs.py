"""Real programs that tests start: where they are, what they are told apart by, and how they end."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

PLACES = ("/usr/sbin", "/usr/local/sbin")


def program(name: str, package: str, *folders: str) -> str:
    """Where a program is. Without it the test is skipped; where OFFHOOK_REAL=all, that is an error."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *PLACES, *folders))
    found = shutil.which(name, path=path)
    if found is None:
        _without(name, package)
    return found


def module(name: str, package: str, *folders: str) -> None:
    """A part of a program that comes in a package of its own; without it, as without the program."""
    if not any(any(Path("/").glob(f"{folder}/{name}")) for folder in folders):
        _without(name, package)


def _without(name: str, package: str) -> NoReturn:
    text = f"{name} is not installed: run scripts/real, or apt-get install {package}"
    if os.environ.get("OFFHOOK_REAL") == "all":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


def free_port_of_both() -> int:
    """A port of loopback that is free for UDP and TCP, as is the one behind it, which SIP over TLS takes.

    It lies below those that systems give to connections by themselves, so that none of these takes it meanwhile.
    """
    while True:
        port = random.randrange(20_000, 32_000, 2)
        if all(_is_free(port + behind, kind) for behind in (0, 1) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)):
            return port


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    *,
    as_user: Sequence[str] = (),
    patience_s: float = 20,
    ends_s: float = 5,
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, from when it is ready; it ends with the block, and with the tests when they are killed.

    `as_user` is the command that starts another as somebody else.
    """
    if setpriv := shutil.which("setpriv"):
        command = (setpriv, "--pdeathsig", "TERM", *command)
    command = (*as_user, *command)
    with log.open("ab") as written, subprocess.Popen(command, stdout=written, stderr=written) as started:
        try:
            until = time.monotonic() + patience_s
            while not ready():
                if started.poll() is not None or time.monotonic() > until:
                    pytest.fail(
                        f"{command[0]} did not start:\n{log.read_text(errors='replace')[-4000:]}", pytrace=False
                    )
                time.sleep(0.02)
            yield started
        finally:
            started.terminate()
            try:
                started.wait(ends_s)
            except subprocess.TimeoutExpired:
                started.kill()
