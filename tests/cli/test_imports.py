"""`offhook import csv`, `user import` and `user export`: files in and out, and what is said of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from offhook import wiring
from tests.world_shell import SIP_PASSWORD, Shell, documented

USERS_CSV: Final = """cloud_username,cloud_password,username,password,display_name
ann,sesame,2001,sip-one,Ann Adler
bob,bcrypt:<hash>,2002,sip-two,Bob Brandt
"""
TEMPLATE_XML: Final = (
    "<account><title>{display_name}</title><cloud_password>{cloud_password}</cloud_password></account>"
)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def example(shell: Shell) -> Shell:
    return documented(shell)


def test_the_vendors_files_are_imported(shell: Shell) -> None:
    """The Cloud ID and its app are made, the plan and the next steps are shown, nobody is asked."""
    users, template = shell.file("users.csv", USERS_CSV), shell.file("template.xml", TEMPLATE_XML)

    output = shell.does("import", "csv", users, "--template", template, "--cloud-id", "shop")

    assert "into SHOP (a new Cloud ID)" in output
    assert "2 users written to SHOP" in output
    assert "line 3: what bob has behind bcrypt: is no bcrypt hash" in output
    assert "offhook definitions SHOP --public-url https://YOUR-SERVER" in output
    assert "--data-urlencode cloud_username=ann" in output
    assert "sesame" not in output
    with wiring.administration(shell.folder / "data") as desk:
        assert desk.portal.show("SHOP").cloud_id == "SHOP"


@pytest.mark.parametrize(
    ("more", "template", "lacks"),
    [
        ((), TEMPLATE_XML, True),
        (("--host", "sip.x"), TEMPLATE_XML, False),
        ((), "<account><host>h</host></account>", False),
    ],
)
def test_a_missing_sip_host_is_said_loudly(shell: Shell, more: Sequence[str], template: str, lacks: bool) -> None:
    """Without one every phone refuses its account, so whoever imports learns it before any phone does."""
    words = ("import", "csv", shell.file("users.csv", USERS_CSV), "--template", shell.file("t.xml", template), *more)

    dry = shell.types(*words, "--cloud-id", "SHOP", "--dry-run")
    done = shell.types(*words, "--cloud-id", "SHOP")
    explained = shell.does("explain", "ann@SHOP")

    assert (dry.exit_code, done.exit_code) == (0, 0)
    assert ["Warning: neither --host nor the template" in told.stderr for told in (dry, done)] == [lacks, lacks]
    assert ("offhook app edit SHOP --set account.host=SIPHOST" in done.stdout) is lacks
    assert ("host: is empty: phones refuse this account" in explained) is lacks
    assert shell.tells(*words, "--cloud-id", "TWO")["lacks_host"] is lacks


def test_a_file_without_users_is_told_as_such(shell: Shell) -> None:
    """A header alone makes the Cloud ID and its app, and nobody is told that nothing happened."""
    users = shell.file("users.csv", USERS_CSV.partition("\n")[0] + "\n")

    made = shell.does("import", "csv", users, "--cloud-id", "SHOP", "--host", "sip.x")
    again = shell.does("import", "csv", users, "--cloud-id", "SHOP")
    changed = shell.does(
        *("import", "csv", users, "--cloud-id", "SHOP", "--template", shell.file("t.xml", TEMPLATE_XML), "--yes")
    )

    assert "Note: line 1: names the columns, and no user follows" in made
    assert "SHOP was made. No user was written." in made
    assert "Nothing was changed." in again
    assert "SHOP was changed. No user was written." in changed


def test_an_empty_sip_password_is_noticed(example: Shell) -> None:
    """Nobody means one: a command refuses it, and an import of many says of whom it is."""
    empty = example.file("empty", "\n")
    users = example.file("users.csv", "cloud_username,cloud_password,username,password\neva,x,2004,\n")

    added = example.types("user", "add", "eva@EXAMPLE", "--generate-password", "--sip-password-file", empty)
    changed = example.types("user", "set", "johndow@EXAMPLE", "--sip-password-file", empty)
    imported = example.tells("import", "csv", users, "--cloud-id", "EXAMPLE")

    assert (added.exit_code, changed.exit_code) == (5, 5)
    assert "SIP password: must not be empty" in added.stderr
    assert "line 2: eva has an empty SIP password" in " ".join(
        f"{note['place']}: {note['text']}" for note in imported["notes"]
    )


def test_a_weak_hash_is_noticed(example: Shell) -> None:
    """It is taken over and made anew at the next sign-in; one line says so for all of them."""
    weak = "argon2:$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21l$" + "A" * 43
    users = example.file("users.csv", f'username,password\nu1,"{weak}"\nu2,"{weak}"\n')

    told = example.tells("user", "import", "EXAMPLE", users)

    assert [note["place"] for note in told["notes"] if "weaker than those made here" in note["text"]] == ["line 2"]


def test_an_import_asks_before_it_changes_what_exists(shell: Shell) -> None:
    """Adding needs no yes, changing does; a dry run only shows."""
    users, template = shell.file("users.csv", USERS_CSV), shell.file("template.xml", TEMPLATE_XML)
    words = ("import", "csv", users, "--cloud-id", "SHOP")
    shell.does(*words, "--template", template)
    shell.file("users.csv", USERS_CSV.replace("Adler", "Alder") + "carla,x,2003,sip-three,Carla\n")

    dry = shell.tells(*words, "--dry-run")
    refused = shell.types(*words)
    done = shell.tells(*words, "--yes")
    again = shell.tells(*words)

    assert {name: dry[name] for name in ("added", "changed", "unchanged", "written")} == {
        "added": 1,
        "changed": 1,
        "unchanged": 1,
        "written": 0,
    }
    assert (refused.exit_code, "Change 1 user?" in refused.stderr) == (2, True)
    assert (done["written"], done["app_made"]) == (2, False)
    assert (again["unchanged"], again["written"]) == (3, 0)


def test_an_import_that_is_invalid_changes_nothing(shell: Shell) -> None:
    """All faults of both files are told, and there is no Cloud ID afterwards."""
    users, template = shell.file("users.csv", USERS_CSV + "x\x07,,,,\n"), shell.file("template.xml", "<account>")

    result = shell.types("import", "csv", users, "--template", template, "--cloud-id", "SHOP", "--json")

    error = json.loads(result.stdout)["error"]
    assert result.exit_code == 5
    assert [fault["place"].partition(",")[0] for fault in error["faults"]] == ["template", "line 4"]
    assert shell.tells("tenant", "list") == []


def test_users_go_out_and_come_in(example: Shell) -> None:
    """What was exported is imported without a change, from a file or from the standard input."""
    to = example.folder / "users.csv"
    example.does("user", "export", "EXAMPLE", "--to", str(to))
    refused = example.types("user", "export", "EXAMPLE", "--to", str(to))
    example.does("user", "export", "EXAMPLE", "--to", str(to), "--force")
    example.does("tenant", "create", "COPY")

    again = example.tells("user", "import", "EXAMPLE", str(to))
    copied = example.tells("user", "import", "COPY", "-", stdin=to.read_text("utf-8"))

    assert (refused.exit_code, "exists. Choose another name, or replace it with --force." in refused.stderr) == (
        8,
        True,
    )
    assert to.stat().st_mode & 0o077 == 0
    (row,) = csv.DictReader(io.StringIO(to.read_text("utf-8")))
    assert (row["username"], row["override:allowMessage"]) == ("johndow", "0")
    assert (again["unchanged"], again["written"]) == (1, 0)
    assert (copied["added"], copied["written"]) == (1, 1)
    assert "has no password" in copied["notes"][0]["text"]
    assert SIP_PASSWORD in example.does("user", "export", "EXAMPLE", "--with-secrets")


def test_a_person_is_told_what_an_import_of_users_does(example: Shell) -> None:
    """The plan is counted, a change is asked for, and a password that is hashed here is said to stay."""
    users = example.file("u.csv", "username,password,state\njohndow,other,suspended\nann,secret,\n")

    refused = example.types("user", "import", "EXAMPLE", users)
    dry = example.does("user", "import", "EXAMPLE", users, "--dry-run")
    done = example.does("user", "import", "EXAMPLE", users, "--yes")
    again = example.does("user", "import", "EXAMPLE", users)

    assert (refused.exit_code, "Change 1 user?" in refused.stderr) == (2, True)
    assert "1 of them have a password that is hashed here already: it stays." in dry
    assert "Nothing was changed." in dry
    assert "2 users written to EXAMPLE" in done
    assert "Nothing was changed." in again
    assert example.tells("user", "resume", "johndow@EXAMPLE")["state"] == "active"


def test_an_export_that_fails_leaves_no_file(example: Shell) -> None:
    """A file that cannot take the place of what is there is not left beside it."""
    (example.folder / "out" / "users.csv").mkdir(parents=True)

    result = example.types("user", "export", "EXAMPLE", "--force", "--to", str(example.folder / "out" / "users.csv"))

    assert (result.exit_code, "cannot be written" in result.stderr) == (2, True)
    assert [path.name for path in (example.folder / "out").iterdir()] == ["users.csv"]


def test_a_dry_run_leaves_nothing(shell: Shell) -> None:
    """Neither a data folder where there was none, nor a change in one that is there."""
    words = ("import", "csv", shell.file("users.csv", USERS_CSV), "--cloud-id", "SHOP", "--dry-run")

    alone = shell.tells(*words)

    assert alone["dry_run"]
    assert not (shell.folder / "data").exists()
