"""`offhook user`, `tenant` and `import` as they are typed: words in, words and exit codes out."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from offhook import wiring
from offhook.cli.main import app

PASSWORD: Final = "12345678"
SIP_PASSWORD: Final = "45F4BF5F0E191F5DCC27"
USERS_CSV: Final = """cloud_username,cloud_password,username,password,display_name
ann,sesame,2001,sip-one,Ann Adler
bob,bcrypt:<hash>,2002,sip-two,Bob Brandt
"""
TEMPLATE_XML: Final = (
    "<account><title>{display_name}</title><cloud_password>{cloud_password}</cloud_password></account>"
)


class Shell:
    """Types commands on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def types(self, *words: str, stdin: str = "") -> Result:
        env = {"OFFHOOK_DATA": str(self.folder / "data"), "COLUMNS": "120"}
        return CliRunner().invoke(app, words, input=stdin, env=env, catch_exceptions=False)

    def does(self, *words: str, stdin: str = "") -> str:
        """Type a command that works."""
        result = self.types(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def tells(self, *words: str, stdin: str = "") -> Any:  # noqa: ANN401 - whatever JSON says
        """Type a command that works, with --json."""
        return json.loads(self.does(*words, "--json", stdin=stdin))

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content, encoding="utf-8")
        return str(self.folder / name)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def example(shell: Shell) -> Shell:
    """The documentation's example, prepared as its user would."""
    shell.does("tenant", "create", "example", "--credential", "sip")
    shell.does(
        *("user", "add", "johndow@EXAMPLE", "--password-stdin", "--sip-username", "B63349F4EE"),
        *("--sip-password-file", "-", "--set", "allowMessage=0"),
        stdin=f"{PASSWORD}\n{SIP_PASSWORD}\n",
    )
    return shell


def test_the_documented_example_is_prepared(example: Shell) -> None:
    """Two commands make the Cloud ID and the user whom the documentation's request asks for."""

    shown = example.tells("user", "show", "johndow@example", "--reveal-secrets")

    assert shown["attributes"] == {"username": "B63349F4EE"}
    assert shown["secrets"] == {"password": SIP_PASSWORD}
    assert shown["overrides"]["allowMessage"]["value"] == "0"
    assert (shown["password"], shown["state"], shown["sip_generated"]) == ("argon2", "active", False)
    with wiring.administration(example.folder / "data") as desk:
        assert desk.tenants.get("EXAMPLE").credential == "sip"


def test_secrets_are_shown_only_when_asked_for(example: Shell) -> None:
    """Neither table nor JSON nor list nor CSV shows the SIP password or the hash."""
    outputs = [
        example.does("user", "show", "johndow@EXAMPLE"),
        example.does("user", "show", "johndow@EXAMPLE", "--json"),
        example.does("user", "list", "EXAMPLE"),
        example.does("user", "list", "EXAMPLE", "--json"),
        example.does("user", "export", "EXAMPLE"),
        example.does("user", "set", "johndow@EXAMPLE", "--attribute", "tier=gold", "--json"),
    ]

    assert not [output for output in outputs if SIP_PASSWORD in output or "$argon2" in output or PASSWORD in output]
    assert SIP_PASSWORD in example.does("user", "show", "johndow@EXAMPLE", "--reveal-secrets")


def test_a_password_can_be_made_up(example: Shell) -> None:
    """It is shown once, and it is the one that counts."""

    made = example.tells("user", "add", "ann@EXAMPLE", "--generate-password")["made"]

    assert len(made) == 19
    assert f"Password, shown only now: {made}" not in example.does("user", "show", "ann@EXAMPLE", "--reveal-secrets")
    assert "Password, shown only now: " in example.does("user", "set", "ann@EXAMPLE", "--generate-password")


def test_a_user_is_changed_by_words(example: Shell) -> None:
    """Attributes, keys, quick dials and secrets are set and taken away; what is odd is said."""
    pin = example.file("pin", "4711\nnot this\n")
    words = ["--attribute", "tier=gold", "--set", "title=a=b", "--priority", "30", "--secret-file"]
    example.does("user", "set", "johndow@EXAMPLE", *words, f"pin={pin}", "--quick-dial", 'd,"Desk, front",200')
    first = example.tells("user", "show", "johndow@EXAMPLE", "--reveal-secrets")

    taken = [
        "--remove-attribute",
        "tier",
        "--unset",
        "title",
        "--remove-secret",
        "pin",
        "--remove-quick-dial",
        "d",
        "--new-sip-password",
    ]
    result = example.types("user", "set", "johndow@EXAMPLE", *taken, "--set-xml", "rewriting=<rule/>")

    second = example.tells("user", "show", "johndow@EXAMPLE", "--reveal-secrets")
    assert first["attributes"]["tier"] == "gold"
    assert (first["overrides"]["title"]["value"], first["overrides"]["title"]["rank"]) == ("a=b", 30)
    assert first["secrets"]["pin"] == "4711"
    assert first["quick_dials"]["items"][0]["display_name"] == "Desk, front"
    assert "Note: title: is sent no longer" in result.stderr
    assert second["attributes"] == {"username": "B63349F4EE"}
    assert list(second["overrides"]) == ["allowMessage", "rewriting"]
    assert second["overrides"]["rewriting"]["markup"] is True
    assert list(second["secrets"]) == ["password"]
    assert second["secrets"]["password"] != SIP_PASSWORD
    assert second["sip_generated"]


def test_a_key_that_is_a_secret_comes_from_a_file(example: Shell) -> None:
    """It is set as others are, hidden where users are shown, and left out of a file that is to have no secrets."""
    file = example.file("token", "canary\nnot this\n")

    told = example.types("user", "set", "johndow@EXAMPLE", "--set-file", f"wsContactsAuthPassword={file}")

    assert (told.exit_code, "kept readable in the database" in told.stderr) == (0, True)
    shown = example.tells("user", "show", "johndow@EXAMPLE", "--reveal-secrets")
    assert shown["overrides"]["wsContactsAuthPassword"]["value"] == "canary"
    assert "canary" not in example.does("user", "show", "johndow@EXAMPLE") + example.does("user", "export", "EXAMPLE")


@pytest.mark.parametrize("priority", ["-5", "1001", "9" * 26])
def test_a_priority_has_limits(example: Shell, priority: str) -> None:
    """One that is no rank is refused before it is stored."""
    assert example.types("user", "set", "johndow@EXAMPLE", "--set", "title=x", "--priority", priority).exit_code == 2


def test_users_are_listed_suspended_and_removed(example: Shell) -> None:
    """A list for programs has tabs; removing needs a yes."""
    example.does("user", "add", "Ann@EXAMPLE", "--generate-password", "--sip-username", "2001")
    example.does("user", "suspend", "ann@EXAMPLE")

    rows = [line.split("\t") for line in example.does("user", "list", "EXAMPLE").splitlines()]
    refused = example.types("user", "remove", "ann@EXAMPLE")
    removed = example.tells("user", "remove", "ann@EXAMPLE", "--yes")

    assert [row[:3] for row in rows] == [["Ann", "suspended", "2001"], ["johndow", "active", "B63349F4EE"]]
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert removed == {"removed": "Ann@EXAMPLE"}
    assert [user["username"] for user in example.tells("user", "list", "EXAMPLE")] == ["johndow"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["user", "show", "ann@EXAMPLE"], 4, "There is no user ann@EXAMPLE."),
        (["user", "add", "ann@NONE", "--generate-password"], 4, "offhook tenant create NONE"),
        (["user", "add", "JOHNDOW@EXAMPLE", "--generate-password"], 8, "already a user"),
        (["user", "add", "@EXAMPLE", "--generate-password"], 5, "names nobody"),
        (["user", "add", "ann@EXAMPLE"], 2, "--password-stdin"),
        (["user", "add", "ann@EXAMPLE", "--password-stdin"], 5, "password: must not be empty"),
        (["user", "add", "ann@EXAMPLE", "--password-stdin", "--generate-password"], 2, "choose"),
        (["user", "set", "johndow@EXAMPLE", "--attribute", "pin=1"], 2, "--secret-file pin=FILE"),
        (["user", "set", "johndow@EXAMPLE", "--ask-password"], 2, "--password-stdin"),
        (["user", "set", "johndow@EXAMPLE", "--new-sip-password", "--sip-password-file", "-"], 2, "choose"),
        (["user", "set", "johndow@EXAMPLE", "--set", "pushToken=1"], 2, "--set-file pushToken=FILE"),
        (["user", "set", "johndow@EXAMPLE", "--set-xml", "pushToken=<a/>"], 2, "override:pushToken"),
        (["user", "set", "johndow@EXAMPLE", "--set", "novalue"], 2, "has no '=' behind its name"),
        (["user", "set", "johndow@EXAMPLE", "--quick-dial", "a,b"], 2, "has 2 parts"),
        (["user", "set", "johndow@EXAMPLE", "--sip-password-file", "/nowhere/x"], 2, "cannot be read"),
        (["user", "set", "johndow@EXAMPLE", "--set", "1x=y", "--set", "maxCalls=z"], 5, "1x: is not a possible name"),
        (["tenant", "create", "EXAMPLE"], 8, "offhook tenant set EXAMPLE"),
        (["tenant", "create", "B D"], 5, "cannot be one"),
        (["tenant", "set", "EXAMPLE", "--name", "login=x"], 2, "is none of username"),
        (["tenant", "set", "EXAMPLE", "--logout-status", "403"], 5, "403 is not a status"),
        (["user", "export", "EXAMPLE", "--json"], 2, "--to"),
        (["user", "export", "EXAMPLE", "--to", "/nowhere/x.csv"], 2, "cannot be written"),
        (["user", "import", "EXAMPLE", "/nowhere/x.csv"], 2, "cannot be read"),
    ],
)
def test_what_goes_wrong_says_how_to_mend_it(example: Shell, words: Sequence[str], code: int, says: str) -> None:
    """Each kind of failure has its exit code and its sentence, for people and for programs."""

    told, as_json = example.types(*words), example.types(*words, "--json")

    assert (told.exit_code, as_json.exit_code) == (code, code)
    assert says in (told.stderr or told.stdout)
    assert "Traceback" not in told.output
    assert json.loads(as_json.stdout)["error"]["exit_code"] == code


def test_a_cloud_id_is_set_up_and_shown(shell: Shell) -> None:
    """Documents come from files, names and credential from words; taking them away works as well."""
    template, common = shell.file("t.xml", TEMPLATE_XML), shell.file("c.xml", "<g/>")
    shell.does("tenant", "create", "SHOP", "--template", template, "--common", common, "--name", "username=login")

    shown = shell.tells("tenant", "show", "SHOP")
    changed = shell.tells("tenant", "set", "SHOP", "--no-template", "--no-common", "--logout-status", "401")

    assert (shown["template"], shown["common"], shown["names"]["username"]) == (TEMPLATE_XML, "<g/>", "login")
    assert (changed["template"], changed["common"], changed["logout_status"]) == ("", "", 401)
    assert shell.tells("tenant", "list")[0]["users"] == 0
    assert "login" in shell.does("tenant", "show", "SHOP")
    assert "SHOP" in shell.does("tenant", "list")


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
    example.does("tenant", "create", "COPY")

    again = example.tells("user", "import", "EXAMPLE", str(to))
    copied = example.tells("user", "import", "COPY", "-", stdin=to.read_text("utf-8"))

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

    result = example.types("user", "export", "EXAMPLE", "--to", str(example.folder / "out" / "users.csv"))

    assert (result.exit_code, "cannot be written" in result.stderr) == (2, True)
    assert [path.name for path in (example.folder / "out").iterdir()] == ["users.csv"]


def test_help_has_examples(shell: Shell) -> None:
    """Whoever asks for help finds a line to begin with, unbroken."""
    assert "offhook user add ann@EXAMPLE --generate-password" in shell.does("user", "add", "--help")
    assert "--template extProv/SAMPLE.xml --cloud-id SAMPLE" in shell.does("import", "csv", "--help")


def test_a_person_is_asked_for_the_password(example: Shell) -> None:
    """At a terminal the password is asked for twice, unseen, and it counts."""
    words = [sys.executable, "-c", "from offhook.cli.main import run; run()", "user", "add", "ann@EXAMPLE"]
    here, there = pty.openpty()
    environment = {**os.environ, "OFFHOOK_DATA": str(example.folder / "data"), "PYTHONPATH": os.pathsep.join(sys.path)}

    with subprocess.Popen(
        words, stdin=there, stdout=there, stderr=there, env=environment, start_new_session=True
    ) as command:
        os.close(there)
        seen = b""
        for _ in range(2):
            prompt = b""
            while not prompt.endswith(b": "):
                prompt += os.read(here, 1024)
            os.write(here, b"correct horse\n")
            seen += prompt
        code = command.wait(30)
        seen += os.read(here, 1024)
    os.close(here)

    assert code == 0
    assert b"correct horse" not in seen
    assert example.tells("user", "show", "ann@EXAMPLE")["password"] == "argon2"


def test_a_database_without_its_keys_is_not_used(example: Shell) -> None:
    """Whoever restored only half of the backup is told so, and nothing is written under wrong keys."""
    keys = example.folder / "data" / "keys"
    keys.rename(example.folder / "elsewhere")

    refused = example.types("user", "list", "EXAMPLE")
    keys.rmdir()
    (example.folder / "elsewhere").rename(keys)

    assert (refused.exit_code, "restore the keys from the backup" in refused.stderr) == (5, True)
    assert example.tells("user", "show", "johndow@EXAMPLE", "--reveal-secrets")["secrets"] == {"password": SIP_PASSWORD}
