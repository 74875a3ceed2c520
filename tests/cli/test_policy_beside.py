"""Policies beside what others do: pauses outlast files, nobody undoes unknowingly what somebody else published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.world_shell import PASSWORD, Shell

ONE = """
[[rules]]
id = "one"
then = [{ do = "set", key = "X-one", value = "1" }]
"""
TWO = ONE.replace("one", "two")
THREE = ONE.replace("one", "three")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    shell.does("user", "add", "ann@EXAMPLE", "--password-stdin", stdin=f"{PASSWORD}\n")
    return shell


def live(shell: Shell) -> str:
    text = shell.tells("policy", "show", "EXAMPLE", "--version", "live")["policy"]
    assert isinstance(text, str)
    return text


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_pause_outlasts_the_file_in_git(shell: Shell) -> None:
    """Publishing the file says that the rule stays paused; resuming lets it go on, for the next file as well."""
    file = shell.file("policy.toml", ONE)
    more = shell.file("more.toml", ONE + TWO)
    shell.does("policy", "publish", "EXAMPLE", file, "--yes")
    shell.does("policy", "pause", "EXAMPLE", "one", "--reason", "no sound", "--yes")

    published = one_line(shell.does("policy", "publish", "EXAMPLE", more, "--yes"))
    stays = "X-one" in shell.does("explain", "ann@EXAMPLE")
    resumed = one_line(shell.does("policy", "resume", "EXAMPLE", "one", "--yes"))
    again = shell.does("policy", "publish", "EXAMPLE", more, "--yes")

    assert "rule one: stays paused, because no sound. To let it go on: offhook policy resume EXAMPLE one" in published
    assert not stays
    assert "~ rule one, paused: is paused, because no sound -> (none)" in resumed
    assert "1 of 1 user" in resumed
    assert "Nothing changes" in again
    assert "paused" not in live(shell)


def test_a_file_says_otherwise_by_leaving_out_the_pause_that_it_was_exported_with(shell: Shell) -> None:
    """Whoever exports a paused rule, and deletes the line, lets it go on, and is told so."""
    shell.does("policy", "publish", "EXAMPLE", shell.file("policy.toml", ONE), "--yes")
    shell.does("policy", "pause", "EXAMPLE", "one", "--reason", "no sound", "--yes")
    exported = shell.does("policy", "export", "EXAMPLE", "-")
    without = "".join(line for line in exported.splitlines(True) if not line.startswith("paused"))

    published = one_line(shell.does("policy", "publish", "EXAMPLE", shell.file("out.toml", without), "--yes"))

    assert "because no sound; this lets it go on" in published
    assert "paused" not in live(shell)


def test_a_pause_outlasts_the_way_back_and_older_drafts(shell: Shell) -> None:
    """An earlier version and a draft from before leave the rule paused, and a pause that ended is not made anew."""
    shell.does("policy", "publish", "EXAMPLE", shell.file("policy.toml", ONE), "--yes")
    shell.does("policy", "draft", "EXAMPLE", shell.file("draft.toml", ONE + TWO))
    shell.does("policy", "pause", "EXAMPLE", "one", "--reason", "no sound", "--yes")

    shell.does("policy", "restore", "EXAMPLE", "1", "--yes")
    after_restoring = live(shell)
    shell.does("policy", "publish", "EXAMPLE", "--yes")
    after_the_draft = live(shell)
    shell.does("policy", "draft", "EXAMPLE", shell.file("next.toml", ONE + TWO + THREE))
    shell.does("policy", "resume", "EXAMPLE", "one", "--yes")
    shell.does("policy", "publish", "EXAMPLE", "--yes")

    assert 'paused = "no sound"' in after_restoring
    assert 'paused = "no sound"' in after_the_draft
    assert 'id = "two"' in after_the_draft
    assert 'id = "three"' in live(shell)
    assert "paused" not in live(shell)


def test_two_who_started_from_one_file(shell: Shell) -> None:
    """The later one is told what would be undone, and publishes over it only when that is said."""
    shell.does("policy", "publish", "EXAMPLE", shell.file("base.toml", ONE), "--yes")
    base = shell.does("policy", "export", "EXAMPLE", "-")
    anns, bobs = shell.file("ann.toml", f"{base}{TWO}"), shell.file("bob.toml", f"{base}{THREE}")
    shell.does("policy", "publish", "EXAMPLE", anns, "--yes", "--author", "ann")

    planned = one_line(shell.does("policy", "plan", "EXAMPLE", bobs))
    refused = shell.types("policy", "publish", "EXAMPLE", bobs, "--yes", "--author", "bob")
    drafted = shell.types("policy", "draft", "EXAMPLE", bobs, "--author", "bob")
    wrong = shell.types("policy", "publish", "EXAMPLE", bobs, "--yes", "--over", "1")
    kept = live(shell)
    shell.does("policy", "publish", "EXAMPLE", bobs, "--yes", "--over", "2")

    assert "rule two: was changed in what is Live, policy 2, after this was written beside policy 1" in planned
    assert (refused.exit_code, drafted.exit_code, wrong.exit_code) == (8, 8, 8)
    assert "would undo what was published meanwhile (rule two)" in one_line(refused.output)
    assert "--over 2" in one_line(refused.output)
    assert 'id = "two"' in kept
    assert 'id = "two"' not in live(shell)


def test_a_file_in_git_that_was_exported_once_is_published_many_times(shell: Shell) -> None:
    """It need not follow the numbers: what it says anew is meant."""
    shell.does("policy", "publish", "EXAMPLE", shell.file("base.toml", ONE), "--yes")
    text = shell.does("policy", "export", "EXAMPLE", "-")

    for value in ("2", "3", "4"):
        text = text.replace('value = "' + str(int(value) - 1), f'value = "{value}')
        shell.does("policy", "publish", "EXAMPLE", shell.file("git.toml", text), "--yes")

    assert 'value = "4"' in live(shell)


def test_a_forgotten_draft_does_not_take_the_place_of_what_is_newer(shell: Shell) -> None:
    """Publishing it is refused unless that is meant, looking at it says so, and it can be discarded."""
    shell.does("policy", "publish", "EXAMPLE", shell.file("base.toml", ONE), "--yes")
    shell.does("policy", "draft", "EXAMPLE", shell.file("draft.toml", ONE.replace('"1"', '"2"')))
    shell.does("policy", "publish", "EXAMPLE", shell.file("newer.toml", ONE.replace('"1"', '"3"') + TWO), "--yes")

    refused = shell.types("policy", "publish", "EXAMPLE", "--yes")
    both = shell.types("release", "publish", "EXAMPLE", "--yes")
    shown = one_line(shell.does("policy", "show", "EXAMPLE"))
    exported = one_line(shell.does("policy", "export", "EXAMPLE", str(Path(shell.file("x", "")).parent / "out.toml")))
    shell.does("policy", "discard", "EXAMPLE", "--yes")
    none = shell.types("policy", "publish", "EXAMPLE", "--yes")

    assert (refused.exit_code, both.exit_code, none.exit_code) == (8, 8, 4)
    assert "(rule one, rule two)" in one_line(refused.output)
    assert "This is the draft. Live is policy 3 since, so that this may be out of date" in shown
    assert "This is the draft. Live is policy 3 since" in exported
    assert "has no draft of a policy; Live is policy 3." in one_line(none.output)
    assert [one["state"] for one in shell.tells("policy", "history", "EXAMPLE")] == ["live", "past", "past"]


def test_a_draft_of_somebody_else_is_not_replaced_unasked(shell: Shell) -> None:
    """One's own is; the other stays in the history."""
    file, other = shell.file("one.toml", ONE), shell.file("two.toml", TWO)
    shell.does("policy", "draft", "EXAMPLE", file, "--author", "bob")
    shell.does("policy", "draft", "EXAMPLE", other, "--author", "bob")

    asked = shell.types("policy", "draft", "EXAMPLE", file, "--author", "ann")
    shell.does("policy", "draft", "EXAMPLE", file, "--author", "ann", "--yes")

    assert asked.exit_code == 2
    assert "by bob is the draft. Replace it?" in one_line(asked.output)
    assert [one["author"] for one in shell.tells("policy", "history", "EXAMPLE")] == ["ann", "bob", "bob"]


@pytest.mark.parametrize(
    "words",
    [("pause", "EXAMPLE", "one", "--reason", "no sound"), ("withdraw", "EXAMPLE", "one"), ("restore", "EXAMPLE", "1")],
)
def test_what_takes_a_rule_back_can_blank_what_it_set(shell: Shell, words: tuple[str, ...]) -> None:
    """The remark names an option that the command has, and that sends the key empty."""
    shell.does("policy", "publish", "EXAMPLE", shell.file("two.toml", TWO), "--yes")
    shell.does("policy", "publish", "EXAMPLE", shell.file("both.toml", ONE + TWO), "--yes")

    shell.does("policy", *words, "--yes", "--blank-removed")

    assert [(line["key"], line["value"]) for line in shell.tells("explain", "ann@EXAMPLE")["lines"]].count(
        ("X-one", "")
    ) == 1


def test_what_is_no_number_and_no_text(shell: Shell) -> None:
    """An export as JSON is JSON, eight digits are a day, and a file that is no text has a fault, not a misuse."""
    shell.does("policy", "publish", "EXAMPLE", shell.file("one.toml", ONE), "--yes")
    other = Path(shell.file("utf16.toml", ""))
    other.write_bytes("id".encode("utf-16"))
    bad = shell.file("bad.toml", ONE + '\n[[rules]]\nid = "two"\nthen = [{ do = "set", key = "X" }]\n')

    exported = json.loads(shell.does("policy", "export", "EXAMPLE", "-", "--json"))
    day = shell.types("policy", "at", "20200131", "ann@EXAMPLE")
    no_text = shell.types("policy", "plan", "EXAMPLE", str(other))
    faulty = shell.types("policy", "plan", "EXAMPLE", bad)
    no_toml = shell.types("policy", "plan", "EXAMPLE", shell.file("no.toml", "a = = 1"))

    assert (exported["version"], exported["policy"][:10]) == (1, "number = 1")
    assert "had no policy then" in one_line(day.output)
    assert (no_text.exit_code, faulty.exit_code, no_toml.exit_code) == (5, 5, 5)
    assert "it is UTF-16: save it as UTF-8" in one_line(no_text.output)
    assert "bad.toml:6: rules[2] two, then[1]: lacks value" in one_line(faulty.output)
    assert "no.toml: is not TOML" in one_line(no_toml.output)
