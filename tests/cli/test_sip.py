"""`offhook sip` as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, SipAccount
from offhook.sip import settings
from offhook.sip.asterisk import Asterisk
from tests.sip import asterisk_schema
from tests.world_shell import Shell

SWITCH = """
[sip.paris]
kind = "freeswitch"
username = "freeswitch"
password = "hidden-password"
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An installation with one SIP system, where Ann has an account with two passwords."""
    url = f"sqlite:///{tmp_path / 'asterisk.sqlite3'}"
    asterisk_schema.make(url, recent=True)
    ann = SipAccount(Address("ann", "sip.example.com"), Secret("hidden-new"), Secret("hidden-old"), aliases=("100",))
    Asterisk(settings.Asterisk(Secret(url))).ensure(ann, "1:1")
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    shell.file("data/connections.toml", f'[sip.berlin]\nkind = "asterisk"\ndatabase = "{url}"\n')
    return shell


def more(shell: Shell, text: str) -> None:
    file = shell.folder / "data" / "connections.toml"
    file.write_text(file.read_text() + text)


def test_an_account_is_shown_without_its_passwords(shell: Shell) -> None:
    """Only how many are good."""
    shown = shell.does("sip", "show", "ann@sip.example.com")

    told = shell.tells("sip", "show", "ann@sip.example.com", "--system", "berlin")
    assert told == {
        "address": "ann@sip.example.com",
        "system": "berlin",
        "enabled": True,
        "registered": False,
        "passwords": 2,
        "aliases": ["100"],
    }
    assert [line.split()[1] for line in shown.splitlines()] == [
        "ann@sip.example.com",
        "berlin",
        "yes",
        "no",
        "2",
        "100",
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "bob@sip.example.com"), 4),
        (("show", "ann@sip.example.com", "--system", "rome"), 4),
        (("show", "ann"), 2),
        (("check", "rome"), 4),
    ],
)
def test_what_is_not_there_is_said_to_be_so(shell: Shell, words: tuple[str, ...], code: int) -> None:
    """By the exit code, too."""
    assert shell.types("sip", *words).exit_code == code
    assert json.loads(shell.types("sip", *words, "--json").stdout)["error"]["exit_code"] == code


def test_systems_are_listed_and_checked(shell: Shell) -> None:
    """A check that finds something ends with 1, and says how to mend it; nothing shows a password."""
    assert shell.tells("sip", "check") == {"berlin": []}
    assert "can be used" in shell.does("sip", "check")

    more(shell, SWITCH)

    assert shell.tells("sip", "list")["paris"] == {"kind": "freeswitch", "where": "FreeSWITCH, its profile internal"}
    assert "Asterisk" in shell.does("sip", "list")
    checked = shell.types("sip", "check")
    assert checked.exit_code == 1
    assert "Name its event socket" in checked.stdout
    assert json.loads(shell.types("sip", "check", "--json").stdout)["paris"]
    assert shell.types("sip", "show", "ann@sip.example.com").exit_code == 2
    assert shell.types("sip", "show", "ann@sip.example.com", "--system", "paris").exit_code == 6
    assert "hidden" not in checked.stdout


def test_without_systems_nothing_is_listed(tmp_path: Path) -> None:
    """That is no fault: SIP credentials are then given to users as before."""
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")

    assert "no SIP system" in shell.does("sip", "list")
    assert shell.tells("sip", "check") == {}
