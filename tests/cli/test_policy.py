"""`offhook policy`, and `offhook explain` where a policy has a say."""

from __future__ import annotations

from pathlib import Path

import pytest

from offhook.wiring import administration
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


def test_what_guards_found_is_shown(shell: Shell) -> None:
    """Beside the Live version, for people and as an object; of other versions there is nothing to say."""
    stages = "{ since = 2026-01-01T00:00:00Z, percent = 5 }, { since = 2026-01-02T00:00:00Z, percent = 50 }"
    guarded = GOLD.replace("then", f"rollout = {{ stages = [{stages}], guard = {{ phones = 9 }} }}\nthen", 1)
    shell.does("policy", "publish", "EXAMPLE", "-", "--yes", stdin=guarded)

    before = words(shell.does("policy", "show", "EXAMPLE"))
    unseen = shell.tells("policy", "show", "EXAMPLE")["rollouts"]
    with administration(shell.folder / "data") as desk:
        assert list(desk.rollouts.look()) == []
    after = words(shell.does("policy", "show", "EXAMPLE"))
    seen = shell.tells("policy", "show", "EXAMPLE")["rollouts"]
    shell.does("policy", "publish", "EXAMPLE", "-", "--yes", stdin=guarded.replace("phones = 9", "phones = 8"))
    changed = words(shell.does("policy", "show", "EXAMPLE"))
    shell.does("policy", "pause", "EXAMPLE", "gold", "--reason", "no sound", "--yes")
    paused = words(shell.does("policy", "show", "EXAMPLE"))

    assert "Rollout gold: not looked at yet; a running server does so every few minutes" in before
    assert unseen == [{"rule": "gold", "paused": "", "stages": 2, "opened": 1, "looked_at": None}]
    sentence = "waits: 0 phones of at least 9 were looked at since this stage began"
    assert f"Rollout gold {sentence}" in after
    assert any(line.startswith("stage 1 of 2 since ") for line in after)
    assert "with the rule: 0 phones, 0 missing, 0 unregistered, 0 refused" in after
    assert (seen[0]["stage"], seen[0]["sentence"], seen[0]["ruling"]["type"]) == (1, sentence, "wait")
    assert seen[0]["others"] == {"asked": 0, "missing": 0, "unregistered": 0, "refused": 0}
    assert f"Rollout gold {sentence}; not looked at since it was changed" in changed
    assert "Rollout gold is paused, because no sound" in paused
    assert shell.tells("policy", "show", "EXAMPLE", "--version", "1")["rollouts"] == []


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
    """Where the Cloud ID wants one: who approves does so before, and of exactly this text."""
    shell.does("tenant", "set", "EXAMPLE", "--approval-share", "0")
    file, other = shell.file("policy.toml", GOLD), shell.file("other.toml", GOLD.replace('"8"', '"9"'))
    publish = "policy", "publish", "EXAMPLE", file, "--yes", "--author", "ann"

    refused = shell.types(*publish)
    shell.does("policy", "approve", "EXAMPLE", other, "--yes", "--author", "bob")
    of_another = shell.types(*publish)
    approved = shell.tells("policy", "approve", "EXAMPLE", file, "--yes", "--author", "bob")
    done = shell.tells(*publish)

    assert (refused.exit_code, of_another.exit_code) == (3, 3)
    assert "a second person has to approve of it. Nobody has yet." in " ".join(refused.output.split())
    assert "bob approved of something else: it, or what is Live, was changed since" in " ".join(
        of_another.output.split()
    )
    assert approved["approved_by"] == done["approved_by"] == "bob"


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
            "before": {"text": "8", "rank": 20, "markup": False, "attributes": [], "kept_out": ""},
            "after": {"text": "9", "rank": 20, "markup": False, "attributes": [], "kept_out": ""},
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
    shell.does("policy", "approve", "EXAMPLE", shell.file("all.toml", everybody), "--yes", "--author", "bob")
    approved = shell.types("policy", "publish", "EXAMPLE", shell.file("all.toml", everybody), "--yes")
    paused = shell.types("policy", "pause", "EXAMPLE", "all", "--reason", "no sound", "--yes")

    assert [one.exit_code for one in (few, approved, paused)] == [0, 0, 0]
    assert many.exit_code != 0
    assert "This changes what 100.0% of the users of EXAMPLE get" in " ".join(many.output.split())


def test_what_a_rule_can_hold_is_told(shell: Shell) -> None:
    """All kinds in a list, one of them with its fields and an example, and what expressions read."""
    every = words(shell.does("policy", "kinds"))
    one = shell.does("policy", "kinds", "at_most_devices")
    read = words(shell.does("policy", "kinds", "cel"))
    strange = shell.types("policy", "kinds", "durring")

    assert "in_segment The user is in a segment of the policy." in every
    assert 'do = "at_most_devices"' in one
    assert 'then = [{ do = "at_most_devices", count = 2' in one
    assert any(line.startswith("app_version the numbers of the app's version") for line in read)
    assert (strange.exit_code, "Did you mean during?" in strange.output) == (2, True)
    assert shell.tells("policy", "kinds", "set")["fields"][0] == {
        "name": "key",
        "value": "a text of at most 128 characters",
        "needed": True,
        "default": "",
    }
    assert [group["title"] for group in shell.tells("policy", "kinds")["kinds"]][1:3] == ["Conditions", "Effects"]
    assert "groups" in shell.tells("policy", "kinds", "cel")["variables"]


def test_a_value_for_each_user_is_one_row(shell: Shell) -> None:
    """A person reads how many get another one; a program reads them all. Words that nobody has are told of, too."""
    for number in range(6):
        name = f"user{number}@EXAMPLE"
        shell.does("user", "add", name, "--password-stdin", "--attribute", "tier=lead", stdin=f"{PASSWORD}\n")
    text = (
        '[[rules]]\nid = "own"\nthen = [{ do = "set", key = "X-own", value = "{cloud_username}" }]\n'
        '[[rules]]\nid = "gone"\nwhen = { if = "attribute", name = "teir", is = "gold" }\n'
        'then = [{ do = "set", key = "X-gone", value = "1" }]\n'
    )
    file = shell.file("own.toml", text)

    planned = words(shell.does("policy", "plan", "EXAMPLE", file))
    told = shell.tells("policy", "plan", "EXAMPLE", file)

    assert [line for line in planned if " X-own " in line and "Users" not in line and "rule" not in line] == [
        "7 0 X-own (various) (various) ann@EXAMPLE, user0@EXAMPLE, user1@EXAMPLE"
    ]
    assert "Warning: rule gone: no user has the attribute teir; did you mean tier?" in planned
    assert len(told["population"]["changes"]) == 7
    assert told["population"]["hints"][0]["place"] == "rule gone"
