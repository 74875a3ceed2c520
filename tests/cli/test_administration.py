"""`offhook user` and `tenant` as they are typed: words in, words and exit codes out."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from offhook import wiring
from tests.world_shell import PASSWORD, SIP_PASSWORD, Shell, documented

TEMPLATE_XML: Final = (
    "<account><title>{display_name}</title><cloud_password>{cloud_password}</cloud_password></account>"
)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def example(shell: Shell) -> Shell:
    return documented(shell)


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

    assert told.exit_code == 0
    shown = example.tells("user", "show", "johndow@EXAMPLE", "--reveal-secrets")
    assert shown["overrides"]["wsContactsAuthPassword"]["value"] == "canary"
    assert "canary" not in example.does("user", "show", "johndow@EXAMPLE") + example.does("user", "export", "EXAMPLE")
    assert "canary" in example.does("user", "export", "EXAMPLE", "--with-secrets")
    assert not [
        path for path in (example.folder / "data").rglob("*") if path.is_file() and b"canary" in path.read_bytes()
    ]


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
        (["user", "add", "@EXAMPLE", "--generate-password"], 2, "names nobody"),
        (["user", "add", "ann@EXAMPLE"], 2, "--password-stdin"),
        (["user", "add", "ann@EXAMPLE", "--password-stdin"], 5, "password: must not be empty"),
        (["user", "add", "ann@EXAMPLE", "--password-stdin", "--generate-password"], 2, "choose"),
        (["user", "set", "johndow@EXAMPLE", "--attribute", "pin=1"], 2, "--secret-file pin=FILE"),
        (["user", "set", "johndow@EXAMPLE", "--ask-password"], 2, "--password-stdin"),
        (["user", "set", "johndow@EXAMPLE", "--new-sip-password", "--sip-password-file", "-"], 2, "choose"),
        (["user", "set", "johndow@EXAMPLE", "--set", "pushToken=1"], 2, "--set-file pushToken=FILE"),
        (["user", "set", "johndow@EXAMPLE", "--set-xml", "pushToken=<a/>"], 2, "override:pushToken"),
        (["user", "set", "johndow@EXAMPLE", "--set", "novalue"], 2, "has no '=' behind its name"),
        (["user", "set", "johndow@EXAMPLE", "--set", "=x"], 2, "'=x' has no name before its '='"),
        (["user", "set", "johndow@EXAMPLE", "--attribute", "=x"], 2, "'=x' has no name before its '='"),
        (["user", "set", "johndow@EXAMPLE", "--quick-dial", "a,b"], 2, "has 2 parts"),
        (["user", "set", "johndow@EXAMPLE", "--quick-dial", "foo"], 2, "'foo' has no comma"),
        (["user", "set", "johndow@EXAMPLE"], 2, "Say what to set"),
        (["tenant", "set", "EXAMPLE", "--template", "t.xml", "--no-template"], 2, "choose"),
        (["tenant", "set", "EXAMPLE", "--common", "t.xml", "--no-common"], 2, "choose"),
        (["tenant", "create", "STAR*"], 2, "leave it out"),
        (["user", "set", "johndow@EXAMPLE", "--sip-password-file", "/nowhere/x"], 2, "cannot be read"),
        (["user", "set", "johndow@EXAMPLE", "--set", "1x=y", "--set", "maxCalls=z"], 5, "1x: is not a possible name"),
        (["tenant", "create", "EXAMPLE"], 8, "offhook tenant set EXAMPLE"),
        (["tenant", "create", "B D"], 2, "cannot be one"),
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


def _interrupted(command: subprocess.Popen[bytes]) -> int:
    """The end of a command at Ctrl-C, pressed again where it came in the moment between the prompt and the reading."""
    for _ in range(10):
        time.sleep(0.2)
        command.send_signal(signal.SIGINT)
        try:
            return command.wait(5)
        except subprocess.TimeoutExpired:
            continue
    return command.wait(1)


@pytest.mark.parametrize(
    "words", [["user", "add", "ann@EXAMPLE"], ["user", "remove", "johndow@EXAMPLE"]], ids=["password", "question"]
)
def test_ctrl_c_at_a_question(example: Shell, words: list[str]) -> None:
    """It ends the command with the code of everything that Ctrl-C ends; a no has another one."""
    words = [sys.executable, "-c", "from offhook.cli.main import run; run()", *words]
    here, there = pty.openpty()
    environment = {**os.environ, "OFFHOOK_DATA": str(example.folder / "data"), "PYTHONPATH": os.pathsep.join(sys.path)}

    with subprocess.Popen(
        words, stdin=there, stdout=there, stderr=there, env=environment, start_new_session=True
    ) as command:
        # The command alone holds the terminal now, so that reading ends when the command does.
        os.close(there)
        seen = b""
        while not seen.endswith(b": "):
            seen += os.read(here, 1024)
        try:
            code = _interrupted(command)
        finally:
            command.kill()
    os.close(here)

    assert code == 130


def test_a_database_without_its_keys_is_not_used(example: Shell) -> None:
    """Whoever restored only half of the backup is told so, and nothing is written under wrong keys."""
    keys = example.folder / "data" / "keys"
    keys.rename(example.folder / "elsewhere")

    refused = example.types("user", "list", "EXAMPLE")
    keys.rmdir()
    (example.folder / "elsewhere").rename(keys)

    assert (refused.exit_code, "restore the keys from the backup" in refused.stderr) == (5, True)
    assert example.tells("user", "show", "johndow@EXAMPLE", "--reveal-secrets")["secrets"] == {"password": SIP_PASSWORD}


def test_a_database_that_cannot_be_used_is_named(example: Shell) -> None:
    """Each command ends with a sentence and an exit code, as for anything else that is out of reach."""
    path = example.folder / "data" / "offhook.sqlite3"
    path.write_bytes(b"no database at all, " * 500)

    for words in (["user", "list", "EXAMPLE"], ["tenant", "create", "SHOP"], ["app", "list"], ["explain", "a@EXAMPLE"]):
        told = example.types(*words)

        assert (told.exit_code, told.stdout) == (6, "")
        assert f"Error: The database {path} is damaged" in told.stderr


def test_what_is_not_there_cannot_be_taken_back(example: Shell) -> None:
    """A mistyped name is said to be none, and nobody is told that it worked."""
    words = ("--unset", "nokey", "--remove-attribute", "none", "--remove-secret", "nothing")

    told = example.types("user", "set", "johndow@EXAMPLE", *words)
    removed = example.types("user", "set", "johndow@EXAMPLE", "--remove-quick-dial", "nope")

    assert (told.exit_code, told.stdout) == (0, "Nothing was changed for johndow@EXAMPLE.\n")
    for name, kind in (("nokey", "key"), ("none", "attribute"), ("nothing", "secret")):
        assert f"Note: {name}: is no {kind} that was set for this user" in told.stderr
    assert "is sent no longer" not in told.stderr
    assert "Note: quick dial nope: is none of this user's own; phones that have it are told" in removed.stderr
    assert example.tells("user", "set", "johndow@EXAMPLE", "--unset", "nokey")["is_changed"] is False


def test_a_key_without_a_licence_is_noticed_when_it_is_set(example: Shell) -> None:
    """Whoever sets it learns that phones keep it out (D18), and nothing once the app has the feature."""
    example.does("app", "create", "EXAMPLE", "--host", "sip.x")
    example.does("app", "publish", "EXAMPLE", "--yes")
    words = ("user", "set", "johndow@EXAMPLE", "--set", "allowMessage=1")

    without = example.types(*words).stderr
    added = example.types("user", "add", "eva@EXAMPLE", "--generate-password", "--set", "allowMessage=1").stderr
    example.does("app", "edit", "EXAMPLE", "--set", "features.messaging=true")
    example.does("app", "publish", "EXAMPLE", "--yes")

    said = "Note: allowMessage: has no effect now: it needs the feature messaging, which this app does not have."
    assert said in without
    assert said in added
    assert "has no effect" not in example.types(*words).stderr
