"""A telephone company on this machine: a data folder that is served by a process, and phones that are processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2

from offhook.config import DataFolder
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address
from offhook.storage.database import Database
from offhook.wiring import Parts
from tests.cli.test_phone import COMMAND, ROOT, run
from tests.e2e.leaks import Evidence
from tests.real.kamailio import Kamailio
from tests.real.programs import free_port
from tests.real.sipclient import phone as sip_phone
from tests.world_shell import Shell

OFFHOOK: Final = Path(sys.executable).with_name("offhook")
ENVIRONMENT: Final = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "120"}
PATIENCE_S: Final = 20.0


def eventually(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until it is so."""
    until = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < until, f"not yet: {what}"
        time.sleep(0.05)


class Company:
    """What is typed and asked at one server; all that comes of it is evidence."""

    def __init__(self, folder: Path, evidence: Evidence) -> None:
        self.folder, self.evidence = folder, evidence
        self._shell = Shell(folder)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "server.log"
        evidence.folder(folder / "data", frozenset({"connections.toml"}))

    @contextmanager
    def served(self, connections: str) -> Iterator[None]:
        """Serve, connected as this file says."""
        data = self.folder / "data"
        data.mkdir()
        (data / "connections.toml").write_text(connections)
        (data / "connections.toml").chmod(0o600)
        command = [str(OFFHOOK), "serve", "--data", str(data), "--listen", self.url.removeprefix("http://")]
        with self.log.open("wb") as events:
            server = subprocess.Popen(command, stdout=events, stderr=events, env=ENVIRONMENT)
            try:
                eventually(lambda: b"Serving" in self.log.read_bytes() or server.poll() is not None, "serving")
                assert server.poll() is None, self.log.read_text()
                yield
            finally:
                server.send_signal(signal.SIGTERM)
                ended = server.wait(20)
                self.evidence.text("the server's log", self.log.read_text())
        assert ended == 0, self.log.read_text()

    def types(self, *words: str, stdin: str = "", status: int = 0) -> str:
        """Type a command at the desk; what it shows."""
        result = self._shell.types(*words, stdin=stdin)
        shown = self.evidence.text(f"the output of {' '.join(words[:3])}", result.output)
        assert result.exit_code == status, shown
        return shown

    def tells(self, *words: str, stdin: str = "") -> Any:  # noqa: ANN401 - whatever JSON says
        """Type a command with --json."""
        told = self._shell.tells(*words, stdin=stdin)
        self.evidence.text(f"the JSON of {' '.join(words[:3])}", str(told))
        return told

    def file(self, name: str, content: str) -> str:
        """A file for a command."""
        return self._shell.file(name, content)

    def opens(self, cloud_id: str, host: str, template: Mapping[str, str], *words: str) -> None:
        """Make a Cloud ID with an app, whose accounts have these keys."""
        keys = "".join(f"<{key}>{text}</{key}>" for key, text in template.items())
        path = self.file(f"{cloud_id}.xml", f"<account><title>{cloud_id}</title>{keys}</account>")
        self.types("tenant", "create", cloud_id, "--template", path)
        if words:
            self.types("tenant", "set", cloud_id, *words)
        self.types("app", "create", cloud_id, "--name", cloud_id, "--host", host)
        self.types("app", "publish", cloud_id, "--yes")

    def has_user(self, user: str, password: str, *words: str) -> None:
        """Add somebody with a login password."""
        self.evidence.secret(f"the login password of {user}", password)
        self.types("user", "add", user, "--password-stdin", *words, stdin=f"{password}\n")

    def asks(self, path: str = "/prov", **query: str) -> httpx2.Response:
        """What the provider answers; one that is no account is a page like any other."""
        answer = httpx2.post(self.url + path, data=query, timeout=30)
        if answer.status_code != 200:
            self.evidence.text(f"the answer {answer.status_code} of {path}", f"{answer.headers} {answer.text}")
        return answer

    def settles(self) -> None:
        """What time alone changes comes about at once: a chore that any server of the folder may do, else in 30 s."""
        folder = DataFolder(self.folder / "data")
        with closing(Database(folder.database)) as database, closing(Parts(folder, database)) as parts:
            parts.elsewhere.chores()["settling"].do("all")


class Line:
    """The SIP account that a phone was given, used beside the phone."""

    def __init__(self, kamailio: Kamailio, account: Mapping[str, str], transport: str = "udp") -> None:
        self._kamailio, self._transport = kamailio, transport
        self.address = Address(account["username"], account["host"])
        self.password = account["password"]

    def register(self) -> int:
        """What the registrar says of the credentials; the phone's own registration stays as it is."""
        return self._asks(0)

    def _asks(self, expires_s: int) -> int:
        there = self._kamailio
        port = there.tls_port if self._transport == "tls" else there.udp_port
        transport = self._transport.upper()
        ca = there.ca if self._transport == "tls" else None
        with sip_phone((there.host, port), self.address, transport, ca) as client:
            return client.register(self.password, expires_s=expires_s)


class Handset:
    """A phone with a folder of its own; signed in with commands, and then a process that runs."""

    def __init__(self, company: Company, name: str) -> None:
        self.company, self.name = company, name
        self.state = company.folder / f"phone-{name}"
        self._process: subprocess.Popen[str] | None = None
        self._heard: list[str] = []
        self._news = threading.Condition()

    def types(self, *words: str, stdin: str | None = None) -> tuple[int, str]:
        """A command of the phone; its exit code, and what it shows."""
        result = run(*words, "--state", self.state, given=stdin, portal=self.company.url)
        shown = self.company.evidence.text(f"the output of phone {words[0]} of {self.name}", result.output)
        return result.exit_code, shown

    def signs_in(self, user: str, password: str) -> None:
        """With the user's name and password; the secrets that come back are remembered as such."""
        code, shown = self.types("sign-in", user, "--password-stdin", stdin=f"{password}\n")
        assert code == 0, shown
        self.note_secrets()

    @property
    def account(self) -> dict[str, str]:
        """The account as the phone keeps it; this is not shown to anybody."""
        result = run("show", "--json", "--reveal-secrets", "--state", self.state)
        return {row["key"]: row["value"] for row in json.loads(result.stdout)["account"] if row["value"]}

    def note_secrets(self) -> None:
        """What the phone keeps that nobody may write down."""
        account, evidence = self.account, self.company.evidence
        evidence.secret(f"the token of {self.name}", account["cloud_password"])
        if "password" in account:
            evidence.secret(f"the SIP password of {self.name}", account["password"])
            address = Address(account["username"], account["host"])
            evidence.secret(f"the HA1 of {self.name}", address.ha1(Secret(account["password"])).reveal())

    @contextmanager
    def running(self, ca: Path) -> Iterator[None]:
        """Let it run, registered."""
        words = ["run", "--sip-listen", "127.0.0.1", "--sip-ca", str(ca), "--state", str(self.state)]
        with subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ENVIRONMENT,
        ) as self._process:
            reader = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
            reader.start()
            try:
                self.hears("SIP: registered as")
                yield
            finally:
                if self._process.poll() is None:
                    self.says("quit")
                try:
                    self._process.wait(PATIENCE_S)
                finally:
                    self._process.kill()
                reader.join()
                self.company.evidence.text(f"the output of phone run of {self.name}", "".join(self._heard))

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            with self._news:
                self._heard.append(line)
                self._news.notify_all()

    def says(self, *lines: str) -> None:
        """Type something at the phone that runs."""
        assert self._process
        assert self._process.stdin
        self._process.stdin.write("".join(f"{line}\n" for line in lines))
        self._process.stdin.flush()

    def hears(self, words: str, after: int = 0) -> int:
        """Wait until the phone shows it, in a line behind so many; how many lines there are then."""
        until = time.monotonic() + PATIENCE_S
        with self._news:
            while True:
                for number, line in enumerate(self._heard[after:], after + 1):
                    if words in line:
                        return number
                left = until - time.monotonic()
                assert left > 0, f"{self.name} does not show {words!r}, but:\n{''.join(self._heard[after:])}"
                self._news.wait(left)

    @property
    def lines(self) -> int:
        """How many lines it has shown so far."""
        return len(self._heard)

    @property
    def is_closed(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None


def processes() -> str:
    """The command lines of whatever of ours runs here, as everybody on this machine sees them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        # The tests' own Kamailio has its database in its command line.
        lines += [words] if ("offhook" in words or "baresip" in words) and "kamailio" not in words else []
    assert any("baresip" in words for words in lines)
    return "\n".join(lines)


def install_of(told: Mapping[str, str]) -> str:
    """The id of an install, by the account of its phone."""
    return next(text for key, text in told.items() if re.fullmatch(r"(?i)x-install-id", key))
