"""`offhook policy`, and `offhook explain` where a policy has a say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world_shell import PASSWORD, Shell

GOLD = """
[[rules]]
id = "gold"
when = { if = "attribute", name = "tier", is = "gold" }
then = [{ do = "set", key = "codecOrder", value = "8" }]

[[rules]]
id = "ios"
when = { if = "platform", one_of = ["ios"] }
then = [{ do = "set", key = "X-ios", value = "1" }]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    shell.does("user", "add", "ann@EXAMPLE", "--password-stdin", "--attribute", "tier=gold", stdin=f"{PASSWORD}\n")
    return shell


def words(printed: str) -> list[str]:
    return [" ".join(line.split()) for line in printed.splitlines()]


def test_the_way_of_a_file(shell: Shell, tmp_path: Path) -> None:
    """Planned, drafted, published, explained, exported, changed and restored."""
    file = shell.file("policy.toml", GOLD)

    planned = words(shell.does("policy", "plan", "EXAMPLE", file))
    drafted = shell.does("policy", "draft", "EXAMPLE", file, "--author", "ann")
    published = shell.does("policy", "publish", "EXAMPLE", "--yes", "--author", "bob", "--note", "better codecs")
    explained = words(shell.does("explain", "ann@EXAMPLE", "--as-device", "platform=ios", "--trace"))
    shell.does("policy", "export", "EXAMPLE", str(tmp_path / "out.toml"))
    removed = words(shell.does("policy", "publish", "EXAMPLE", shell.file("empty.toml", ""), "--yes"))
    restored = shell.tells("policy", "restore", "EXAMPLE", "1", "--yes", "--author", "eve")

    assert planned[0] == "+ rule gold: attribute tier is gold; sets codecOrder to 8"
    assert "2 additions, 0 changes, 0 removals" in planned
    assert "is the draft. Next: offhook policy publish EXAMPLE" in drafted
    assert published.endswith("Policy 1 of EXAMPLE is Live.\n")
    assert any(line.startswith("codecOrder 8 policy Rule gold (version 1, by ann, ") for line in explained)
    assert any(line.startswith("yes Rule ios") and line.endswith("platform is ios.") for line in explained)
    assert "- rule gold (was: attribute tier is gold; sets codecOrder to 8)" in removed
    assert any("what is not sent stays" in line for line in removed)
    assert (restored["version"], restored["author"], restored["note"]) == (3, "eve", "restored from version 1")
    assert (tmp_path / "out.toml").read_text(encoding="utf-8").startswith("number = 1\n")
    assert [one["version"] for one in shell.tells("policy", "history", "EXAMPLE")] == [3, 2, 1]


def test_pausing_and_looking_back(shell: Shell) -> None:
    """A paused rule says why it rests, and what was is still answered."""
    shell.does("policy", "publish", "EXAMPLE", "-", "--yes", stdin=GOLD)
    shell.does("policy", "pause", "EXAMPLE", "gold", "--reason", "no sound", "--yes")

    now = words(shell.does("explain", "ann@EXAMPLE", "--trace"))
    then = words(shell.does("policy", "at", "1", "ann@EXAMPLE"))
    shell.does("policy", "withdraw", "EXAMPLE", "gold", "--yes")
    shown = shell.does("policy", "show", "EXAMPLE")

    assert any(line.startswith("no Rule gold") and "no sound" in line for line in now)
    assert not any(line.startswith("codecOrder") for line in now)
    assert any(line.startswith("codecOrder 8") for line in then)
    assert 'id = "gold"' not in shown


def test_the_clock_the_device_and_the_draft_are_inputs(shell: Shell) -> None:
    """What the draft would give on a phone at a moment to come."""
    text = GOLD + (
        '[[rules]]\nid = "may"\nwhen = { if = "during", since = 2030-05-01T00:00:00Z }\n'
        'then = [{ do = "refuse", message = "Closed." }]\n'
    )
    shell.does("policy", "draft", "EXAMPLE", shell.file("policy.toml", text))

    live = shell.tells("explain", "ann@EXAMPLE", "--trace")
    draft = shell.tells("explain", "ann@EXAMPLE", "--draft", "--at", "2030-04-30T23:59:59")
    later = shell.tells("explain", "ann@EXAMPLE", "--draft", "--at", "2030-05-01T00:00:00")

    assert (live["trace"], live["verdict"]) == ([], "")
    assert (draft["verdict"], draft["next_change_at"]) == ("", "2030-05-01T00:00:00+00:00")
    assert later["verdict"].startswith("The phone is refused: Closed. Rule may (")


def test_what_does_not_work(shell: Shell, tmp_path: Path) -> None:
    """Each says why, and nothing is published."""
    file = shell.file("policy.toml", GOLD)
    bad = shell.file("bad.toml", GOLD.replace("codecOrder", "password"))
    (tmp_path / "there.toml").write_text("", encoding="utf-8")
    shell.does("policy", "draft", "EXAMPLE", file)

    commands = {
        "is a secret in the clear": ("plan", "EXAMPLE", bad),
        "give --yes": ("publish", "EXAMPLE", file),
        "--force replaces it": ("export", "EXAMPLE", str(tmp_path / "there.toml")),
        "goes with a FILE": ("plan", "EXAMPLE", "--blank-removed"),
        "takes live, editable or a number": ("show", "EXAMPLE", "--version", "newest"),
        "takes a moment like": ("at", "yesterday", "ann@EXAMPLE"),
        "names nobody": ("at", "1", "@EXAMPLE"),
        "--reason is empty": ("pause", "EXAMPLE", "gold", "--reason", " "),
        "has no rule gold": ("withdraw", "EXAMPLE", "gold"),
        "had no policy then": ("at", "2020-01-01", "ann@EXAMPLE"),
        "has no live": ("show", "EXAMPLE", "--version", "live"),
        "has no policy 9": ("restore", "EXAMPLE", "9"),
    }
    said = {wanted: shell.types("policy", *command) for wanted, command in commands.items()}

    for wanted, result in said.items():
        assert wanted in result.output
        assert result.exit_code != 0
    assert said["names nobody"].exit_code == 2
    assert [one["state"] for one in shell.tells("policy", "history", "EXAMPLE")] == ["editable"]


def test_a_second_person_is_asked_for(shell: Shell) -> None:
    """Where the Cloud ID wants one."""
    shell.does("tenant", "set", "EXAMPLE", "--approval-share", "0")
    file = shell.file("policy.toml", GOLD)

    refused = shell.types("policy", "publish", "EXAMPLE", file, "--yes", "--author", "ann")
    done = shell.tells("policy", "publish", "EXAMPLE", file, "--yes", "--author", "ann", "--approved-by", "bob")

    assert refused.exit_code != 0
    assert "a second person has to approve of it" in " ".join(refused.output.split())
    assert done["approved_by"] == "bob"


def test_nothing_changes_twice(shell: Shell) -> None:
    """Publishing what is Live makes no version."""
    file = shell.file("policy.toml", GOLD)
    shell.does("policy", "publish", "EXAMPLE", file, "--yes")

    assert "Nothing changes: policy 1 of EXAMPLE is Live." in shell.does("policy", "publish", "EXAMPLE", file)


def has_users(shell: Shell) -> None:
    """Ann is of tier gold, eve of tier closed, bob of silver."""
    for name, tier in (("bob", "silver"), ("eve", "closed")):
        told = "--attribute", f"tier={tier}"
        shell.does("user", "add", f"{name}@EXAMPLE", "--password-stdin", *told, stdin=f"{PASSWORD}\n")


def test_a_plan_tells_who_gets_what_otherwise(shell: Shell) -> None:
    """How many, from what to what, and some of them; who would be turned away, and what a clock will strike."""
    has_users(shell)
    shell.does("policy", "publish", "EXAMPLE", "-", "--yes", stdin=GOLD)
    new = GOLD.replace('value = "8"', 'value = "9"') + (
        '[[rules]]\nid = "eve"\nwhen = { if = "attribute", name = "tier", is = "closed" }\n'
        'then = [{ do = "refuse", message = "No." }]\n'
        '[[rules]]\nid = "may"\nwhen = { if = "during", since = 2130-05-01T00:00:00Z }\n'
        'then = [{ do = "set", key = "X-may", value = "1" }]\n'
    )

    planned = words(shell.does("policy", "plan", "EXAMPLE", "-", stdin=new))
    record = shell.tells("policy", "plan", "EXAMPLE", "-", stdin=new)["population"]
    published = shell.tells("policy", "publish", "EXAMPLE", "-", "--yes", stdin=new)["plan"]["population"]

    assert any(line.startswith("2 of 3 users (66.7%) and 0 of 0 installs get something else as of") for line in planned)
    assert any(line.startswith("For up to 1 more user something changes at another time") for line in planned)
    assert planned[-2:] == ["1 0 is refused eve@EXAMPLE", "1 0 codecOrder 8 9 ann@EXAMPLE"]
    assert record["changes"] == [
        {
            "kind": "key",
            "name": "codecOrder",
            "before": {"text": "8", "rank": 20, "markup": False, "attributes": []},
            "after": {"text": "9", "rank": 20, "markup": False, "attributes": []},
            "various": False,
            "users": 1,
            "installs": 0,
            "examples": ["ann@EXAMPLE"],
        }
    ]
    assert (record["share"], record["refused"]["users"], record["later"]["users"]) == (1.0, 1, 1)
    assert published["affected"] == record["affected"]


def test_a_second_person_is_needed_when_many_are_affected(shell: Shell) -> None:
    """They are counted; who pauses a rule is not kept waiting."""
    has_users(shell)
    shell.does("tenant", "set", "EXAMPLE", "--approval-share", "0.34")
    everybody = GOLD + '[[rules]]\nid = "all"\nthen = [{ do = "set", key = "X-all", value = "1" }]\n'
    alone = GOLD.partition('[[rules]]\nid = "ios"')[0]

    few = shell.types("policy", "publish", "EXAMPLE", shell.file("few.toml", alone), "--yes", "--author", "ann")
    many = shell.types("policy", "publish", "EXAMPLE", shell.file("all.toml", everybody), "--yes", "--author", "ann")
    approved = shell.types(
        "policy", "publish", "EXAMPLE", shell.file("all.toml", everybody), "--yes", "--approved-by", "x"
    )
    paused = shell.types("policy", "pause", "EXAMPLE", "all", "--reason", "no sound", "--yes")

    assert [one.exit_code for one in (few, approved, paused)] == [0, 0, 0]
    assert many.exit_code != 0
    assert "This changes what 100.0% of the users of EXAMPLE get" in " ".join(many.output.split())
