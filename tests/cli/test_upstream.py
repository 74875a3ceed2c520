"""`offhook upstream` as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.identity import places
from tests.world_shell import Shell

KNOWN = {"username": "ann", "attributes": {"email": "ann@example.com"}, "groups": ["office, north", "sales"]}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An installation with a database as upstream, and one that is not there."""
    places.sqlite(tmp_path)
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    settings = """
kind = "sql"
query = "SELECT login, hash, mail FROM users WHERE login = :username"
username = "login"
password = "hash"
attributes = { email = "mail" }
groups = "SELECT team FROM memberships WHERE login = :username"
"""
    url = f"sqlite:///{tmp_path}"
    text = f'[upstream.shop]{settings}database = "{url}/people.sqlite3"\n'
    shell.file("data/connections.toml", f'{text}[upstream.gone]{settings}database = "{url}/gone.sqlite3"\n')
    return shell


def test_a_user_is_tried_step_by_step(shell: Shell) -> None:
    """What the upstream said, attributes and groups; and no password."""
    shown = shell.does("upstream", "try", "shop", "ann", "--password-stdin", stdin="ann-right\n")
    told = shell.tells("upstream", "try", "shop", "ann", "--password-stdin", stdin="ann-right\n")

    assert shown.splitlines()[-3:] == [
        "shop vouches for ann.",
        "  email = ann@example.com",
        "  groups: office, north, sales",
    ]
    assert told == {"upstream": "shop", "steps": told["steps"]} | KNOWN
    assert any("fits the hash" in step for step in told["steps"])
    assert "ann-right" not in f"{shown}{told}"


def test_a_password_is_asked_for_unseen(shell: Shell) -> None:
    """Or nobody is asked for one."""
    assert "ann-right" not in shell.does("upstream", "try", "shop", "ann", stdin="ann-right\n")
    assert shell.tells("upstream", "try", "shop", "ann", "--look-up")["groups"] == KNOWN["groups"]


@pytest.mark.parametrize(
    ("words", "stdin", "code"),
    [
        (("try", "shop", "ann", "--password-stdin"), "wrong\n", 3),
        (("try", "shop", "nobody", "--look-up"), "", 4),
        (("try", "gone", "ann", "--look-up"), "", 6),
        (("try", "rome", "ann", "--look-up"), "", 4),
        (("check", "rome"), "", 4),
    ],
)
def test_exit_codes_say_what_happened(shell: Shell, words: tuple[str, ...], stdin: str, code: int) -> None:
    """With --json as well, with the steps up to there."""
    assert shell.types("upstream", *words, stdin=stdin).exit_code == code
    told = json.loads(shell.types("upstream", *words, "--json", stdin=stdin).stdout)
    assert told["error"]["exit_code"] == code


def test_upstreams_are_listed_and_checked(shell: Shell) -> None:
    """A check that finds something ends with 1, and says what happened."""
    assert shell.tells("upstream", "check", "shop") == {"shop": []}
    assert "shop: can be used" in shell.does("upstream", "check", "shop")
    checked = shell.types("upstream", "check")
    assert checked.exit_code == 1
    assert "SQLITE_CANTOPEN" in checked.stdout
    assert json.loads(shell.types("upstream", "check", "--json").stdout)["gone"]
    assert shell.tells("upstream", "list")["shop"]["kind"] == "sql"
    assert "people.sqlite3" in shell.does("upstream", "list")


def test_without_upstreams_nothing_is_listed(tmp_path: Path) -> None:
    """That is no fault."""
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")

    assert "no upstream" in shell.does("upstream", "list")
    assert shell.tells("upstream", "check") == {}
