"""`offhook release`: app and policy in one folder, published at once, approved by somebody else, and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from offhook import wiring
from offhook.core.errors import Conflict, Refused
from offhook.release.records import Signature
from tests.world_apps import LOGO
from tests.world_shell import PASSWORD, Shell

APP = """
cloud_id = "EXAMPLE"
name = "Example"

[account]
title = "Example"
host = "sip.example.com"
codecOrder = "0"

[features]
messaging = true
"""
POLICY = """
[[rules]]
id = "gold"
when = { if = "attribute", name = "tier", is = "gold" }
then = [{ do = "set", key = "codecOrder", value = "8" }]

[[rules]]
id = "quiet"
when = { if = "attribute", name = "tier", is = "quiet" }
then = [{ do = "set", key = "allowMessage", value = "0" }]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    for name, tier in (("ann", "gold"), ("bob", "basic"), ("eve", "quiet")):
        told = "--attribute", f"tier={tier}"
        shell.does("user", "add", f"{name}@EXAMPLE", "--password-stdin", *told, stdin=f"{PASSWORD}\n")
    return shell


def folder(shell: Shell, name: str = "example", app: str = APP, policy: str = POLICY) -> str:
    path = shell.folder / name
    (path / "theme").mkdir(parents=True, exist_ok=True)
    (path / "theme" / "logo.png").write_bytes(LOGO)
    (path / "theme" / "theme.toml").write_text('[images]\nlogo = "logo.png"')
    (path / "app.toml").write_text(app)
    (path / "policy.toml").write_text(policy)
    return str(path)


def words(printed: str) -> list[str]:
    return [" ".join(line.split()) for line in printed.splitlines()]


def test_both_are_one_release(shell: Shell) -> None:
    """A folder is planned, published, changed and restored; each time both halves are one entry of the history."""
    first = folder(shell)
    planned = shell.tells("release", "plan", "EXAMPLE", first)
    published = words(shell.does("release", "publish", "EXAMPLE", first, "--yes", "--note", "first"))
    other = folder(shell, app=APP.replace('"0"', '"3"'), policy=POLICY.replace('"8"', '"9"'))
    changed = words(shell.does("release", "publish", "EXAMPLE", other, "--yes", "--author", "ann"))
    half = shell.does("policy", "publish", "EXAMPLE", shell.file("empty.toml", ""), "--yes")
    restored = shell.tells("release", "restore", "EXAMPLE", "1", "--yes")

    history = shell.tells("release", "history", "EXAMPLE")

    assert planned["app"]["additions"] > 0
    assert planned["policy"]["additions"] == 2
    assert published[-1] == "Release 1 of EXAMPLE is Live: app 1 and policy 1."
    assert changed[-1] == "Release 2 of EXAMPLE is Live: app 2 and policy 2."
    assert "~ account.codecOrder: 0 -> 3" in changed
    assert {"1 0 codecOrder 8 9 ann@EXAMPLE", "2 0 codecOrder 0 (portal) 3 (portal) bob@EXAMPLE, eve@EXAMPLE"} <= set(
        changed
    )
    assert "Policy 3 of EXAMPLE is Live." in half
    assert (restored["app"], restored["policy"], restored["changed"]) == (3, 4, ["app", "policy"])
    told = [(one["release"], one["app"], one["policy"], one["changed"], one["note"]) for one in history]
    assert told == [
        (4, 3, 4, ["app", "policy"], "restored from release 1"),
        (3, 2, 3, ["policy"], ""),
        (2, 2, 2, ["app", "policy"], ""),
        (1, 1, 1, ["app", "policy"], "first"),
    ]
    assert (history[2]["author"], bool(history[2]["account"])) == ("ann", True)
    assert any(
        line.startswith("3 ") and " (2) 3 " in line for line in words(shell.does("release", "history", "EXAMPLE"))
    )


def test_what_was_exported_changes_nothing(shell: Shell) -> None:
    """Export and publish are each other's opposite, of an earlier release too; files that are there stay."""
    shell.does("release", "publish", "EXAMPLE", folder(shell), "--yes")
    shell.does("release", "publish", "EXAMPLE", folder(shell, policy=""), "--yes")
    live, old = str(shell.folder / "live"), str(shell.folder / "old")

    shell.does("release", "export", "EXAMPLE", live)
    told = shell.tells("release", "export", "EXAMPLE", old, "--release", "1")
    again = shell.does("release", "publish", "EXAMPLE", live)
    refused = shell.types("release", "export", "EXAMPLE", live)
    shell.does("release", "export", "EXAMPLE", live, "--force")

    assert again == "Nothing changes: release 2 of EXAMPLE is Live: app 1 and policy 2.\n"
    assert 'id = "gold"' in (shell.folder / "old" / "policy.toml").read_text()
    assert len(told["files"]) == 4
    assert refused.exit_code == 8
    assert shell.tells("release", "plan", "EXAMPLE", old)["policy"]["additions"] == 2


def test_drafts_are_published_together(shell: Shell) -> None:
    """What is edited and what is drafted goes Live at once, and a folder leaves drafts alone."""
    shell.does("release", "publish", "EXAMPLE", folder(shell), "--yes")
    shell.does("app", "edit", "EXAMPLE", "--set", "account.codecOrder=3")
    shell.does("policy", "draft", "EXAMPLE", shell.file("draft.toml", POLICY.replace('"8"', '"9"')))

    beside = shell.does("release", "publish", "EXAMPLE", folder(shell, app=APP.replace('"0"', '"18"')), "--yes")
    published = shell.does("release", "publish", "EXAMPLE", "--yes")
    nothing = shell.types("release", "publish", "EXAMPLE", "--yes")

    assert beside.endswith("Release 2 of EXAMPLE is Live: app 3 and policy 1.\n")
    assert published.endswith("Release 3 of EXAMPLE is Live: app 2 and policy 2.\n")
    assert "Nothing of EXAMPLE is drafted" in nothing.output


def test_what_licences_let_in_is_counted(shell: Shell) -> None:
    """Whose keys the app would stop taking, and would take again; who is sent none is not concerned."""
    shell.does("release", "publish", "EXAMPLE", folder(shell), "--yes")
    off = folder(shell, "off", app=APP.replace("messaging = true", ""))

    lost = words(shell.does("release", "publish", "EXAMPLE", off, "--yes"))
    back = words(shell.does("release", "plan", "EXAMPLE", folder(shell)))

    why = "(not taken: needs the feature messaging, which this app does not have)"
    assert f"1 0 allowMessage 0 {why} eve@EXAMPLE" in lost
    assert f"1 0 allowMessage {why} 0 eve@EXAMPLE" in back
    assert any(line.startswith("1 of 3 users (33.3%)") for line in back)


def test_the_app_needs_a_second_person_like_the_policy(shell: Shell) -> None:
    """By the same share: a theme is for everybody, a key only for whom nobody sends another one."""
    shell.does("app", "apply", folder(shell), "--publish", "--yes")
    shell.does("policy", "publish", "EXAMPLE", shell.file("policy.toml", POLICY), "--yes")
    shell.does("tenant", "set", "EXAMPLE", "--approval-share", "0.7")
    shell.does("app", "edit", "EXAMPLE", "--set", "account.codecOrder=3", "--author", "ann")
    few = shell.types("app", "publish", "EXAMPLE", "--yes", "--author", "ann")
    shell.does("app", "edit", "EXAMPLE", "--set", "account.dtmfMode=3", "--author", "ann")

    refused = shell.types("app", "publish", "EXAMPLE", "--yes", "--author", "cyd")
    of_mine = shell.types("app", "approve", "EXAMPLE", "--yes", "--author", "ann")
    shell.does("app", "approve", "EXAMPLE", "--yes", "--author", "bob")
    of_bobs = shell.types("app", "publish", "EXAMPLE", "--yes", "--author", "bob")
    shell.does("app", "edit", "EXAMPLE", "--set", "account.expires=600", "--author", "ann")
    lost = shell.types("app", "publish", "EXAMPLE", "--yes", "--author", "cyd")
    shell.does("app", "approve", "EXAMPLE", "--yes", "--author", "bob")
    done = shell.does("app", "publish", "EXAMPLE", "--yes", "--author", "cyd")

    assert few.exit_code == 0
    assert [one.exit_code for one in (refused, of_mine, of_bobs, lost)] == [3, 3, 3, 3]
    assert "To approve: offhook app approve EXAMPLE" in " ".join(refused.output.split())
    assert "bob did, and cannot be who writes or publishes it" in " ".join(of_bobs.output.split())
    assert "was changed since" in " ".join(lost.output.split())
    assert "approved of it, from the same account of this machine" in done
    assert shell.tells("release", "history", "EXAMPLE")[0]["approved_by"] == "bob"


def test_an_approval_is_of_what_is_live_as_well(shell: Shell) -> None:
    """When something else goes Live, even a paused rule, the difference is another one."""
    shell.does("release", "publish", "EXAMPLE", folder(shell), "--yes")
    shell.does("tenant", "set", "EXAMPLE", "--approval-share", "0")
    other = folder(shell, app=APP.replace('"0"', '"3"'), policy=POLICY.replace('"8"', '"9"'))
    approve = "release", "approve", "EXAMPLE", other, "--yes", "--author", "bob"
    shell.does(*approve)
    shell.does("policy", "pause", "EXAMPLE", "gold", "--reason", "no sound", "--yes")

    refused = shell.types("release", "publish", "EXAMPLE", other, "--yes", "--author", "ann")
    shell.does(*approve)
    done = shell.tells("release", "publish", "EXAMPLE", other, "--yes", "--author", "ann")

    assert refused.exit_code == 3
    assert (done["approved_by"], done["release"]) == ("bob", 3)


def test_back_to_before_there_was_a_policy(shell: Shell) -> None:
    """Both halves are as they were: a policy without rules says as much as none."""
    shell.does("app", "apply", folder(shell), "--publish", "--yes")
    shell.does("policy", "publish", "EXAMPLE", shell.file("policy.toml", POLICY), "--yes")
    (shell.folder / "rules").mkdir()
    (shell.folder / "rules" / "policy.toml").write_text(POLICY.replace('"8"', '"9"'))
    shell.does("release", "publish", "EXAMPLE", str(shell.folder / "rules"), "--yes")

    restored = shell.tells("release", "restore", "EXAMPLE", "1", "--yes")

    assert (restored["release"], restored["app"], restored["changed"]) == (4, 1, ["policy"])
    assert restored["plan"]["policy"]["removals"] == 2


def test_nobody_publishes_over_what_they_have_not_seen(shell: Shell) -> None:
    """Neither half may have changed since somebody looked, nor may it be approved of any more; and nothing is shown."""
    shell.does("release", "publish", "EXAMPLE", folder(shell), "--yes")
    with wiring.administration(shell.folder / "data") as desk:
        ours, theirs = (desk.releases.propose("EXAMPLE", None, POLICY.replace('"8"', f'"{n}"')) for n in (9, 18))
        desk.releases.publish(theirs, Signature("bob"))

        with pytest.raises(Conflict):
            desk.releases.publish(ours, Signature("ann"))
        with pytest.raises(Conflict):
            desk.releases.approve(ours, Signature("bob"))
        with pytest.raises(Refused):
            desk.releases.approve(desk.releases.propose("EXAMPLE", None, "", "ann"), Signature(" Ann "))

        assert str(ours.digest[:12]) in repr(ours)
        assert "codecOrder" not in repr(ours)
        assert len(desk.releases.history("EXAMPLE")) == 2


def test_what_does_not_work(shell: Shell) -> None:
    """Each says why."""
    good = folder(shell)
    (shell.folder / "nothing").mkdir()
    (shell.folder / "bytes").mkdir()
    (shell.folder / "bytes" / "policy.toml").write_bytes(b"\xff")

    commands = {
        "has neither app.toml nor policy.toml": ("plan", "EXAMPLE", str(shell.folder / "nothing")),
        "is OTHER, and not EXAMPLE": ("plan", "EXAMPLE", folder(shell, "other", app=APP.replace("EXAMPLE", "OTHER"))),
        "give --yes": ("publish", "EXAMPLE", good),
        "goes with a FOLDER": ("plan", "EXAMPLE", "--blank-removed"),
        "byte 1 is wrong": ("plan", "EXAMPLE", str(shell.folder / "bytes")),
        "Nothing of EXAMPLE was published yet": ("history", "EXAMPLE"),
        "To make an app": ("restore", "EXAMPLE", "1"),
    }
    said = {wanted: shell.types("release", *command) for wanted, command in commands.items()}
    shell.does("release", "publish", "EXAMPLE", good, "--yes")
    nothing = shell.does("release", "approve", "EXAMPLE", good)
    unknown = shell.types("release", "restore", "EXAMPLE", "7")

    for wanted, result in said.items():
        assert wanted in " ".join(result.output.split())
        assert result.exit_code != 0
    assert nothing == "Nothing changes, so there is nothing to approve of.\n"
    assert "EXAMPLE has no release 7" in unknown.output
