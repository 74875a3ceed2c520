"""`offhook phone run` with its SIP side: phones that register with Kamailio through baresip, and call each other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from offhook.core.webservice import Request, Response
from tests.cli.test_phone import COMMAND, ROOT, run, sign_in
from tests.cli.test_phone_life import say, until
from tests.phone.world_life import LivingWorld, refusal
from tests.real.baresip import add_user, contacts
from tests.real.kamailio import Kamailio
from tests.world_portal import account, served

pytestmark = [pytest.mark.sip, pytest.mark.kamailio, pytest.mark.usefixtures("baresip")]
PASSWORD = "n0b0dy-ever-sees-this"


class Registering(LivingWorld):
    """A provider whose users have an account at a Kamailio, under the names with which they sign in."""

    def __init__(self, kamailio: Kamailio, *users: str, transport: str = "udp") -> None:
        super().__init__()
        self.kamailio, self.users = kamailio, users
        port = kamailio.tls_port if transport == "tls" else kamailio.udp_port
        keys = {"proxy": f"{kamailio.host}:{port}", "transport": transport}
        self.base = msgspec.structs.replace(self.base, account={**self.base.account, **account(keys)})
        self.account = re.sub("<username>.*?<", "<username>{username}<", self.account)
        self.account = re.sub("<password>.*?<", f"<password>{PASSWORD}<", self.account)
        self.passwords = dict.fromkeys(users, "s3cret")
        # How many phones of its users were registered when a removal was reported.
        self.registered: list[int] = []
        for name in users:
            add_user(kamailio, name, PASSWORD)

    def respond(self, request: Request) -> Response:
        if request.url.endswith("/removed"):
            self.registered.append(sum(len(contacts(self.kamailio, name)) for name in self.users))
        return super().respond(request)


@contextmanager
def running(kamailio: Kamailio, state: Path) -> Iterator[subprocess.Popen[str]]:
    """A phone that runs, and is killed in the end unless it was closed."""
    options = ["--sip-listen", "127.0.0.1", "--sip-ca", str(kamailio.ca), "--state", str(state)]
    with subprocess.Popen(
        [*COMMAND, "run", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ) as process:
        # Who waits for a line that never comes reads the end instead.
        patience = threading.Timer(60, process.kill)
        patience.start()
        try:
            yield process
        finally:
            patience.cancel()
            process.kill()


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_a_call_between_two_phones(kamailio: Kamailio, tmp_path: Path, transport: str) -> None:
    """It rings, is answered, holds back what is new, and ends; both histories have it, no output has the password."""
    names = [f"{name}-{transport}" for name in ("ann", "bob")]
    world = Registering(kamailio, *names, transport=transport)
    states = [tmp_path / name for name in names]

    with served(world) as portal, ExitStack() as stack:
        for name, state in zip(names, states, strict=True):
            assert sign_in(portal, state, text=f"{name}@DEMO").exit_code == 0
        # One after the other: a Kamailio with SQLite answers 500 when two of its processes want to write at once.
        with running(kamailio, states[0]) as ann:
            heard = until(ann, f"SIP: registered as {names[0]}@sip.example.com")
            bob = stack.enter_context(running(kamailio, states[1]))
            heard += until(bob, f"SIP: registered as {names[1]}@sip.example.com")
            say(ann, f"call start {names[1]}")
            heard += until(bob, f"{names[0]} calls. Type answer, or hangup.")
            heard += until(ann, f"It rings at {names[1]}.")
            say(bob, "answer")
            heard += until(ann, f"The call with {names[1]} is answered.")
            world.change_account()
            say(ann, "refresh")
            heard += until(ann, "state: waiting for a safe moment")
            say(bob, "hangup")
            heard += until(bob, f"The call with {names[0]} is over")
            heard += until(ann, "state: running")
            say(ann, "answer", "quit")
            heard += until(ann, "Nobody calls.") + until(ann, "The phone is closed.")
            say(bob, "quit")
            heard += until(bob, "The phone is closed.")

    assert PASSWORD not in heard
    assert [contacts(kamailio, name) for name in names] == [[], []]
    histories = [run("show", "--state", state, "--json").stdout for state in states]
    assert ['"incoming": true' in history for history in histories] == [False, True]


def test_a_logout_unregisters_first(kamailio: Kamailio, tmp_path: Path) -> None:
    """When the removal is reported, the SIP server knows of the phone no more."""
    world = Registering(kamailio, "leaving")

    with served(world) as portal:
        sign_in(portal, tmp_path, text="leaving@DEMO")
        with running(kamailio, tmp_path) as ann:
            until(ann, "SIP: registered")
            before = len(contacts(kamailio, "leaving"))
            world.instead["again"] = refusal(410, "Good bye.")
            say(ann, "refresh")
            until(ann, "SIP: not registered")
            until(ann, "The phone is closed.")

    assert before == 1
    assert world.registered == [0]


def test_a_phone_that_is_killed_leaves_nothing_behind(kamailio: Kamailio, tmp_path: Path) -> None:
    """Its SIP agent un-registers, ends and takes its folder with it, though nobody can tell it to any more."""
    world = Registering(kamailio, "powerless")

    with served(world) as portal:
        sign_in(portal, tmp_path, text="powerless@DEMO")
        with running(kamailio, tmp_path) as ann:
            until(ann, "SIP: registered")
            agents = agents_of(ann.pid)
            folders = [(Path("/proc") / pid / "cwd").resolve() for pid in agents]
            ann.send_signal(signal.SIGKILL)
            ann.wait()
            eventually_gone([Path("/proc") / pid for pid in agents] + folders)

    assert len(agents) == 2
    assert contacts(kamailio, "powerless") == []


def agents_of(pid: int) -> list[str]:
    """The processes that were started by one, as far as they run a program of their own."""
    children = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()
    return children + [agent for child in children for agent in _children(child) if b"baresip" in _words(agent)[:30]]


def _children(pid: str) -> list[str]:
    return (Path("/proc") / pid / "task" / pid / "children").read_text().split()


def _words(pid: str) -> bytes:
    return (Path("/proc") / pid / "cmdline").read_bytes()


def eventually_gone(paths: list[Path]) -> None:
    until_s = time.monotonic() + 10
    while left := [path for path in paths if path.exists() and not _buried(path)]:
        assert time.monotonic() < until_s, left
        time.sleep(0.02)


def _buried(path: Path) -> bool:
    """Whether a process has ended, and only waits for its parent to hear of it."""
    try:
        return path.parent == Path("/proc") and (path / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
