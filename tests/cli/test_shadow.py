"""`offhook shadow` against a service that is as the vendor's sample, and against our own server."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from offhook.cli.shadow_run import Bounds, Side, run
from offhook.core.login import CloudId, Login
from offhook.core.shadow import Refusal, Said
from tests.cli.test_fleet import _until
from tests.cli.test_serve import served
from tests.world_shell import Shell
from tests.world_vendor import REFUSED, TEMPLATE, USERS, Vendor, serving

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from offhook.cli.main import run; run()", "shadow"]
EXPECTED = {"cloud_password", "X-install-id"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Ours, after the vendor's two files were imported."""
    made = Shell(tmp_path)
    users, template = made.file("users.csv", USERS), made.file("template.xml", TEMPLATE)
    made.does("import", "csv", users, "--template", template, "--cloud-id", "MYAPP", "--host", "sip.example.net")
    return made


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def url(vendor: Vendor) -> Iterator[str]:
    with serving(vendor) as address:
        yield f"{address}/acrobits_prov.php"


def shadow(shell: Shell, url: str, *words: str) -> Result:
    return shell.types("shadow", url, "--cloud-id", "MYAPP", "--rate", "200", "--yes", *words)


def told(result: Result, code: int) -> Any:  # noqa: ANN401 - whatever JSON says
    assert result.exit_code == code, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    return report["alike"], report["different"], report["refused"], report["failed"]


def test_after_an_import_all_are_alike(shell: Shell, vendor: Vendor, url: str) -> None:
    """What has to differ is named, and no install was made by looking."""
    report = told(shadow(shell, url, "--json"), 0)

    assert counts(report) == (2, 0, 0, 0)
    assert {group["key"] for group in report["expected"]} == EXPECTED
    assert report["differences"] == []
    assert shell.tells("install", "list", "MYAPP") == []
    sent = [asked[2] for asked in vendor.asked]
    assert [asked[0] for asked in vendor.asked] == ["GET", "GET"]
    assert min(sent, key=lambda one: one["cloud_username"]) == {
        "cloud_username": "ann",
        "cloud_password": "pa55word-ann",
        "cloud_id": "MYAPP",
        "initialScreen": "1",
    }


def test_differences_are_grouped_by_key(shell: Shell, vendor: Vendor, url: str) -> None:
    """With counts and examples, secrets masked, and the exit code says so."""
    vendor.template = (
        TEMPLATE.replace("0, 8,9", "8,0")
        .replace("<allowMessage>1</allowMessage>", "<allowMessage> 1</allowMessage><X-note>{cloud_password}</X-note>")
        .replace("<password>{password}", "<password>x{password}")
    )

    done = shadow(shell, url, "--json")

    report = told(done, 1)
    groups = {group["key"]: group for group in report["differences"]}
    assert counts(report) == (0, 2, 0, 0)
    assert groups.keys() == {"codecOrder", "X-note", "password"}
    assert (groups["codecOrder"]["what"], groups["codecOrder"]["users"]) == ("value", 2)
    assert {"user": "ann", "theirs": "8,0", "ours": "0, 8,9"} in groups["codecOrder"]["examples"]
    assert {example["theirs"] for example in groups["password"]["examples"]} == {"********"}
    assert (groups["X-note"]["what"], groups["X-note"]["examples"][0]["theirs"]) == ("not_ours", "********")
    assert sorted(report["different_users"]) == ["ann", "bob"]
    assert "pa55word" not in done.stdout
    assert "5ip-secret" not in done.stdout


def test_a_person_reads_it(shell: Shell, vendor: Vendor, url: str) -> None:
    """What will be asked of whom, then tables, and what leads phones back."""
    vendor.template = TEMPLATE.replace("<title>{name}", "<title>{name} &amp; family")

    done = shadow(shell, url)

    assert done.exit_code == 1
    assert "2 questions, at most 200 a second" in done.stderr
    assert "nothing is kept, no install is made" in done.stderr
    assert "2 of 2 users in 1 s: 0 alike, 2 different, 0 refused by both, 0 failed" in done.stdout
    assert "Different: another value" in done.stdout
    assert "& family" in done.stdout
    assert "extProvUrl of ours leads 2 users back" in " ".join(done.stdout.split())


def test_refusals(shell: Shell, vendor: Vendor, url: str) -> None:
    """Refused by both is the same, whatever the words; refused by one is a difference."""
    shell.does("user", "suspend", "ann@MYAPP")
    vendor.instead["ann"] = (410, REFUSED)
    report = told(shadow(shell, url, "--json"), 0)
    shell.does("user", "suspend", "bob@MYAPP")
    other = told(shadow(shell, url, "--json"), 1)

    assert counts(report) == (1, 0, 1, 0)
    assert report["refused_by_both"][0]["theirs"] == "410, Wrong login"
    assert report["refused_by_both"][0]["ours"].startswith("403, Your account is suspended")
    assert counts(other) == (0, 1, 1, 0)
    assert (other["refused_by_one"][0]["theirs"], other["refused_by_one"][0]["examples"]) == ("", ["bob"])
    assert other["different_users"] == ["bob"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((500, "<error><message>no pa55word-ann</message></error>"), "answered 500: no ********"),
        ((429, ""), "answered 429"),
        ((200, "<html>"), "with what no app can use"),
        ((200, "<provisioning/>"), "needs exactly one <account>"),
    ],
)
def test_what_cannot_be_compared(shell: Shell, vendor: Vendor, url: str, answer: tuple[int, str], why: str) -> None:
    """It is counted apart, and the exit code says that something is missing."""
    vendor.instead["ann"] = answer

    report = told(shadow(shell, url, "--json"), 6)

    assert counts(report) == (1, 0, 0, 1)
    assert why in report["failures"][0]["theirs"]


def test_a_service_that_is_too_slow(shell: Shell, vendor: Vendor, url: str) -> None:
    """Nobody waits for longer than was said."""
    vendor.waits_s = 1.5

    report = told(shadow(shell, url, "--timeout", "1", "--limit", "1", "--json"), 6)

    assert report["failures"][0]["theirs"] == "no answer in time"


def many(shell: Shell, users: int) -> str:
    """A file with many users, who are not known here."""
    lines = "".join(f"user{number},pa55-of-{number}\n" for number in range(users))
    return shell.file("many.csv", f"username,password\n{lines}")


def test_it_stops_when_all_fail(shell: Shell, vendor: Vendor, url: str) -> None:
    """So that a production service in trouble is not asked on and on, and nobody is locked out for wrong passwords."""
    vendor.instead = {f"user{number}": (503, "") for number in range(50)}

    report = told(shadow(shell, url, "--users", many(shell, 50), "--stop-after", "3", "--at-once", "1", "--json"), 6)

    assert counts(report) == (0, 0, 0, 3)
    assert len(vendor.asked) <= 4
    assert report["stopped"].startswith("Stopped: of 3 users in a row")
    assert "47 users not compared" in report["notes"][-1]


def test_it_asks_slowly_and_few_at_once(shell: Shell, vendor: Vendor, url: str) -> None:
    """As often a second as was said, and as many at once."""
    vendor.waits_s = 0.05
    everybody = many(shell, 20)

    told(shadow(shell, url, "--users", everybody, "--rate", "40", "--at-once", "3", "--json"), 0)

    gaps = [later - earlier for earlier, later in zip(vendor.at_s, vendor.at_s[1:], strict=False)]
    assert vendor.at_s[-1] - vendor.at_s[0] >= 19 / 40 * 0.9
    assert sum(gaps) / len(gaps) >= 0.022
    assert vendor.most_at_once <= 3


def test_our_own_server_is_like_our_data_folder(shell: Shell) -> None:
    """Asked in the place of the old service: in process and over the network it is the same, quick dials included."""
    shell.does("user", "set", "ann@MYAPP", "--quick-dial", "desk,Front desk,9")
    users = ("--users", str(shell.folder / "users.csv"), "--json")
    with served(shell.folder) as (address, _):
        common = ("--global", f"{address}/prov/global")
        here = told(shadow(shell, f"{address}/prov", *common, *users), 0)
        ours = ("--ours", f"{address}/prov", "--ours-global", f"{address}/prov/global")
        there = told(shadow(shell, f"{address}/prov", *common, *ours, *users), 0)

    assert counts(here) == counts(there) == (2, 0, 0, 0)
    assert (here["ours"], there["ours"]) == (str(shell.folder / "data"), f"{address}/prov")


def test_the_global_part_is_compared(shell: Shell, vendor: Vendor, url: str) -> None:
    """Quick dials and the rest, by what they are called."""
    vendor.common = "<p><quickDial><item id='desk'><uri>9</uri></item></quickDial></p>"

    report = told(shadow(shell, url, "--global", url.replace("acrobits_prov.php", "global"), "--json"), 1)

    assert {group["key"] for group in report["differences"]} == {"quickDial desk/set", "quickDial desk/uri"}
    assert len(vendor.asked) == 4


def test_a_service_that_is_asked_in_its_own_way(shell: Shell, vendor: Vendor, url: str) -> None:
    """POST, a body of its own, headers from the command line and from a file."""
    secret = shell.file("headers", "X-Api-Key: k3y\n")
    body = "cloud_username=%username%&cloud_password=%password%&app=%fullcode%"

    report = told(
        shadow(shell, url, "--post-data", body, "--header", "X-From: shadow", "--headers-file", secret, "--json"), 0
    )

    assert counts(report) == (2, 0, 0, 0)
    method, path, sent, headers = vendor.asked[0]
    assert (method, path, sent["app"]) == ("POST", "/acrobits_prov.php", "MYAPP")
    assert (headers["X-From"], headers["X-Api-Key"]) == ("shadow", "k3y")


def test_a_bare_address_that_takes_post(shell: Shell, vendor: Vendor, url: str) -> None:
    """The usual parameters go into the body."""
    told(shadow(shell, url, "--method", "post", "--json"), 0)

    assert vendor.asked[0][0] == "POST"
    assert vendor.asked[0][2]["cloud_id"] == "MYAPP"


def test_the_users_file_of_the_sample(shell: Shell, url: str) -> None:
    """As it is; who has only a hash there is left out, and counted."""
    users = shell.file("sample.csv", USERS + "eve,bcrypt:$2y$10$abc,Eve,203,x\n")

    report = told(shadow(shell, url, "--users", users, "--json"), 0)

    assert counts(report) == (2, 0, 0, 0)
    assert report["notes"][0] == "1 user left out, since only a hash of the password is known."


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["http://prov.example.net/prov"], 3, "is not https"),
        (["https://prov.example.net/?u=%user%"], 5, "%user% is not known here"),
        (["https://prov.example.net/?u=%username%", "--header", "broken"], 5, "--header"),
        (["https://prov.example.net/", "--post-data", "a=b"], 5, "nothing in this question names the user"),
        (["ftp://prov.example.net/"], 5, "an http or https URL"),
        (["https://prov.example.net/", "--ours", "http://prov.example.net/"], 3, "is not https"),
        (
            ["https://prov.example.net/", "--global", "https://b.example.net/", "--ours", "https://c.example.net/"],
            2,
            "both",
        ),
        (["https://prov.example.net/", "--cloud-id", "NONE", "--users", "users.csv"], 2, "cannot be read"),
        (["https://prov.example.net/", "--method", "FETCH"], 5, "is not one of"),
        (["https://prov.example.net/", "--method", "POST", "--content-type", "text/plain"], 5, "--post-data"),
    ],
)
def test_what_cannot_be_meant(shell: Shell, words: list[str], code: int, said: str) -> None:
    """Each is told how to say it right, and nobody is asked anything."""
    done = shell.types("shadow", "--cloud-id", "MYAPP", "--yes", *words)

    assert done.exit_code == code, done.output
    assert said in done.stderr


def test_nobody_agrees(shell: Shell, vendor: Vendor, url: str) -> None:
    """Without a terminal and without --yes nothing is asked."""
    done = shell.types("shadow", url, "--cloud-id", "MYAPP")

    assert done.exit_code == 2
    assert "2 questions, each with a password?" in done.stderr
    assert vendor.asked == []


def test_nobody_to_ask_about(shell: Shell, vendor: Vendor, url: str) -> None:
    """Where only hashes of passwords are known, and where there are no data, it is said what would help."""
    shell.does("tenant", "create", "OTHER")
    shell.does("user", "add", "eve@OTHER", "--password-stdin", stdin="some password\n")
    hashed = shell.types("shadow", url, "--cloud-id", "OTHER", "--yes")
    missing = shadow(shell, url, "--data", str(shell.folder / "mistyped"))

    assert (hashed.exit_code, missing.exit_code) == (5, 4)
    assert "1 user here, and of each only a hash" in hashed.stderr
    assert "There is no Offhook data in" in missing.stderr
    assert not (shell.folder / "mistyped").exists()
    assert vendor.asked == []


class Here:
    """A service in this process, which breaks at one user."""

    def __init__(self, breaks_at: str = "") -> None:
        self.breaks_at = breaks_at
        self.asked: list[str] = []

    async def ask(self, login: Login) -> Said:
        self.asked.append(login.username)
        await asyncio.sleep(0.001)
        if login.username == self.breaks_at:
            raise RuntimeError(self.breaks_at)
        return Refusal(403)


@pytest.mark.parametrize("breaks_at", ["user3", "user19"])
def test_a_fault_of_ours_is_no_finding(breaks_at: str) -> None:
    """It ends the run and is heard, early or late, and no user is passed over in silence."""
    theirs, ours = Here(), Here(breaks_at)
    logins = [Login(CloudId("MYAPP"), f"user{number}") for number in range(20)]
    sides = (Side("https://old.example.net/", lambda _: theirs, 1), Side("ours", lambda _: ours, 0))

    with pytest.raises(RuntimeError, match=breaks_at):
        asyncio.run(run("MYAPP", logins, *sides, Bounds(2, 5), 0))

    assert len(ours.asked) <= int(breaks_at.removeprefix("user")) + 3


def test_ctrl_c_ends_with_the_report(shell: Shell, vendor: Vendor, url: str) -> None:
    """In a terminal, where a bar says how far it is until then; an interrupted run has its own exit code."""
    everybody = many(shell, 500)
    words = [
        url,
        "--cloud-id",
        "MYAPP",
        "--users",
        everybody,
        "--rate",
        "50",
        "--yes",
        "--data",
        str(shell.folder / "data"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm-256color", "COLUMNS": "120"}
    master, slave = pty.openpty()
    with subprocess.Popen([*COMMAND, *words], stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = _until(master, "4 refused by both")
        process.send_signal(signal.SIGINT)
        shown += _until(master, "")

    assert process.returncode == 130
    assert "It was ended early." in shown
