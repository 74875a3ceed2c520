"""`offhook app` as a person runs it: from the first draft to Live, through files and back, nothing done unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from offhook.cli.app import app
from tests.world_apps import LOGO

APP: Final = """
cloud_id = "EXAMPLE"
name = "Example"

[account]
title = "Example"
host = "sip.example.com"
"""


class Shell:
    """Runs commands on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--data", str(self.data)])

    def done(self, *arguments: str) -> str:
        """The output of a command that works."""
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.done(*arguments, "--json"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "example" / "theme").mkdir(parents=True)
    (tmp_path / "example" / "app.toml").write_text(APP)
    (tmp_path / "example" / "theme" / "theme.toml").write_text('name = "Sunrise"\n[images]\nlogo = "logo.png"')
    (tmp_path / "example" / "theme" / "logo.png").write_bytes(LOGO)
    return tmp_path / "example"


def test_from_the_first_draft_to_live_and_back(shell: Shell) -> None:
    """Create, publish, edit, publish, restore: each command says what to do next."""
    steps = [
        shell.done("create", "example", "--name", "Example Telephone", "--host", "sip.example.com"),
        shell.done("publish", "EXAMPLE", "--yes"),
        shell.done("edit", "EXAMPLE", "--set", "account.expires=600", "--note", "longer"),
        shell.done("publish", "EXAMPLE", "--yes"),
        shell.done("restore", "EXAMPLE", "1", "--yes"),
    ]

    history = shell.json("history", "EXAMPLE")

    publish = f"offhook app publish EXAMPLE --data {shell.data}"
    assert [step.splitlines()[-1] for step in steps] == [
        f"Made EXAMPLE. Next: {publish}",
        "Version 1 of EXAMPLE is Live.",
        f"The Editable of EXAMPLE is version 2. Test it as EXAMPLE*, then: {publish}",
        "Version 2 of EXAMPLE is Live.",
        f"The Editable of EXAMPLE is version 3. Test it as EXAMPLE*, then: {publish}",
    ]
    assert "+ account.expires = 600" in steps[2]
    assert "- account.expires (was 600)" in steps[4]
    assert [(version["version"], version["state"], version["note"]) for version in history] == [
        (3, "editable", "restored from version 1"),
        (2, "live", "longer"),
        (1, "past", ""),
    ]


def test_a_folder_is_applied_and_published(shell: Shell, files: Path) -> None:
    """Applying shows the plan with its counts; the same folder again changes nothing and asks nothing."""
    first = shell.done("apply", str(files), "--yes", "--publish", "--note", "first")

    again = shell.json("apply", str(files), "--publish")

    assert "+ account.title = Example" in first
    assert "13 additions, 0 changes, 0 removals" in first
    assert first.endswith("Version 1 of EXAMPLE is Live.\n")
    assert (again["version"], again["state"], again["plan"]["lines"]) == (1, "live", [])
    assert len(shell.json("history", "EXAMPLE")) == 1


def test_what_was_exported_applies_as_no_change(shell: Shell, files: Path, tmp_path: Path) -> None:
    """Export and apply are each other's opposite, for a version by number too."""
    shell.done("apply", str(files), "--yes", "--publish")
    shell.done("export", "EXAMPLE", str(tmp_path / "out"), "--version", "1")

    plan = shell.json("apply", str(tmp_path / "out"))["plan"]

    assert (plan["additions"], plan["changes"], plan["removals"]) == (0, 0, 0)
    assert (tmp_path / "out" / "theme" / "logo.png").read_bytes() == LOGO
    assert shell("export", "EXAMPLE", str(tmp_path / "out")).exit_code == 8
    shell.done("export", "EXAMPLE", str(tmp_path / "out"), "--force")


def test_editing_in_files(shell: Shell, files: Path, tmp_path: Path) -> None:
    """`edit --to` writes the Editable where a person can edit and apply it."""
    shell.done("apply", str(files), "--yes", "--publish")
    out = tmp_path / "out"

    told = shell.done("edit", "EXAMPLE", "--unset", "account.host", "--to", str(out))

    assert "- account.host (was sip.example.com)" in told
    assert told.splitlines()[-1] == (
        f"Wrote version 2 of EXAMPLE (editable) into {out}. When its files are edited: offhook app apply {out} "
        f"--data {shell.data}"
    )
    assert "sip.example.com" not in (out / "app.toml").read_text()


def test_nothing_is_done_unasked(shell: Shell, files: Path) -> None:
    """Where nobody can be asked, a command that changes what phones or testers get needs --yes."""
    refused = shell("apply", str(files))
    shell.done("apply", str(files), "--yes")
    publishing = shell("publish", "EXAMPLE")

    assert refused.exit_code == publishing.exit_code == 2
    assert "give --yes" in refused.stderr
    assert [version["state"] for version in shell.json("list")] == ["editable"]


def test_publishing_twice_is_publishing_once(shell: Shell, files: Path) -> None:
    """An Editable that is the same as Live is not published again."""
    shell.done("apply", str(files), "--yes", "--publish")
    shell.done("edit", "EXAMPLE")

    told = shell.json("publish", "EXAMPLE")

    assert (told["version"], told["state"], told["plan"]["lines"]) == (1, "live", [])


def test_going_back_at_once(shell: Shell, files: Path) -> None:
    """`restore --publish` makes an old version Live again; doing it twice changes nothing more."""
    shell.done("apply", str(files), "--yes", "--publish")
    shell.done("edit", "EXAMPLE", "--set", "name=Other")
    shell.done("publish", "EXAMPLE", "--yes")

    back = shell.json("restore", "EXAMPLE", "1", "--publish", "--yes")
    again = shell.json("restore", "EXAMPLE", "1", "--publish")

    assert (back["version"], back["state"], back["name"]) == (3, "live", "Example")
    assert (again["version"], again["plan"]["lines"]) == (3, [])


def test_showing_masks_what_is_secret(shell: Shell) -> None:
    """Secrets of an app are shown only when that is asked for; the files of an export have them."""
    shell.done("create", "EXAMPLE")
    shell.done(
        *("edit", "EXAMPLE", "--set", "account.password=canary", "--set", "services.wsContactsUrl=https://a.example/"),
        *("--set", "services.wsContactsAuthPassword=canary", "--set", "dial_actions.x.token=canary"),
    )

    shown = [shell.done("show", "EXAMPLE"), shell.done("show", "EXAMPLE*", "--json"), shell.done("list", "--json")]

    assert not any("canary" in text for text in shown)
    assert "Version 1 of EXAMPLE (editable), changed" in shown[0]
    assert 'password = "********"' in shown[0]
    assert shell.done("show", "EXAMPLE", "--reveal-secrets").count("canary") == 3


def test_which_version(shell: Shell, files: Path) -> None:
    """A version is named by state or number; a star asks for the Editable."""
    shell.done("apply", str(files), "--yes", "--publish")

    live = shell.json("show", "EXAMPLE", "--version", "live")
    by_number = shell.json("show", "EXAMPLE", "--version", "1")

    assert live == by_number
    assert live["app"]["account"] == {"title": "Example", "host": "sip.example.com"}
    assert shell("show", "EXAMPLE*").exit_code == 4
    assert shell("show", "EXAMPLE", "--version", "editable").exit_code == 4
    assert shell("show", "EXAMPLE", "--version", "newest").exit_code == 2


def test_lists_for_people(shell: Shell, files: Path) -> None:
    """Apps and versions are tables, one line each."""
    shell.done("apply", str(files), "--yes", "--publish", "--author", "ann", "--note", "first")
    shell.done("edit", "EXAMPLE")

    apps, versions = shell.done("list"), shell.done("history", "EXAMPLE")

    assert apps.splitlines()[1].split()[:4] == ["EXAMPLE", "Example", "1", "2"]
    assert [line.split()[:2] for line in versions.splitlines()[1:]] == [["2", "editable"], ["1", "live"]]
    assert versions.splitlines()[2].split()[-2:] == ["ann", "first"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("create", "EX AMPLE"), 2, "cannot be one"),
        (("create", "STAR*"), 2, "STAR* has a star behind it, which chooses a version: leave it out"),
        (("publish", "EXAMPLE"), 4, "offhook app create EXAMPLE"),
        (("edit", "EXAMPLE"), 4, "offhook app create EXAMPLE"),
        (("apply", "/nowhere"), 2, "/nowhere: does not exist"),
        (("restore", "EXAMPLE", "3", "--yes"), 4, "offhook app history EXAMPLE"),
        (("restore", "EXAMPLE", "9" * 30, "--yes"), 2, "999999999"),
        (("create", "EXAMPLE", "--note", "\udcff"), 2, "is not UTF-8 text"),
        (("create", "EXAMPLE", "--author", "\udcff"), 2, "is not UTF-8 text"),
        (("create", "EXAMPLE", "--name", "\udcff"), 5, "cannot be written in XML"),
    ],
)
def test_what_cannot_be_done(shell: Shell, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Each refusal has its exit code and says what to do."""
    shell.done("create", "OTHER")

    result = shell(*arguments)

    assert result.exit_code == code
    assert message in result.stderr


def test_all_faults_of_files_are_told(shell: Shell, files: Path) -> None:
    """Each fault is a line with its file and place; as JSON, each is an object."""
    (files / "app.toml").write_text('cloud_id = "EXAMPLE"\nnme = "x"\n[acount]\n')

    told, as_json = shell("apply", str(files)), shell("apply", str(files), "--json")

    assert told.stderr.splitlines() == [
        "Error: app.toml: nme: is not known here; did you mean name?",
        "Error: app.toml: acount: is not known here; did you mean account?",
    ]
    assert len(json.loads(as_json.stdout)["error"]["faults"]) == 2
