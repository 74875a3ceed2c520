"""What phones keep when a policy changes: it is told, and it is taken back from those who had it."""

from __future__ import annotations

import pytest

from offhook.core.errors import Invalid
from offhook.policy import document
from offhook.policy.evaluate import Compiled
from offhook.policy.rollout import lot
from offhook.policy.rules import MAX_DEPTH, Policy
from offhook.policy.subject import Subject
from offhook.provider import policyremarks, takingback
from offhook.provider.tenant import Tenant

TENANT = Tenant("EXAMPLE")
SETS = 'then = [{ do = "set", key = "X-a", value = "1" }]\n'
DIALS = (
    'then = [{ do = "add_quick_dial", id = "q", uri = "12" }, '
    '{ do = "add_dial_action", id = "d", values = { a = "1" } }]\n'
)
IN_ALPHA = 'when = { if = "in_segment", segment = "alpha" }\n'
HALF = "rollout = { percent = 50 }\n"
STAGED = (
    "rollout = { stages = [{ since = 2026-05-01T00:00:00Z, percent = 10 }, "
    "{ since = 2026-06-01T00:00:00Z, percent = 50 }] }\n"
)
GUARDED = STAGED.replace("] }", "], opened = 2, guard = {} }")


def rule(text: str, name: str = "one") -> str:
    return f'[[rules]]\nid = "{name}"\n{text}'


def segment(group: str) -> str:
    return f'[[segments]]\nid = "alpha"\nwhen = {{ if = "in_group", group = "{group}" }}\n'


def told(before: str, after: str) -> list[str]:
    live, new = document.parse(before), document.parse(after)
    return [remark.text.partition(" is not set")[0] for remark in policyremarks.remarks(TENANT, live, new, None)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (rule(SETS), rule(HALF + SETS)),
        (rule(HALF + SETS), rule(HALF.replace("50", "10") + SETS)),
        (rule(HALF + SETS), rule(HALF + SETS, "two")),
        (rule(STAGED + SETS), rule(STAGED.replace("50", "20") + SETS)),
        (rule(STAGED + SETS), rule(GUARDED + SETS)),
        (rule(GUARDED + SETS), rule(GUARDED.replace("opened = 2", "opened = 1") + SETS)),
        (segment("all") + rule(IN_ALPHA + SETS), segment("few") + rule(IN_ALPHA + SETS)),
        (rule(SETS), rule(SETS.replace('"1"', '"1", strength = "default_once"'))),
        (rule(SETS), rule('paused = "no sound"\n' + SETS)),
        (rule(SETS), ""),
    ],
)
def test_whoever_loses_a_value_keeps_it_on_the_phone(before: str, after: str) -> None:
    """A smaller part, other lots, a smaller segment, a default, a pause: what is not sent stays."""
    assert "X-a" in told(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (rule(HALF + SETS), rule(SETS)),
        (rule(HALF + SETS), rule(SETS, "two")),
        (rule(HALF + SETS), rule(HALF.replace("50", "60") + SETS)),
        (rule(HALF + SETS), rule('rollout = { percent = 60, salt = "one" }\n' + SETS, "two")),
        (rule(HALF + SETS), rule("rollout = { percent = 100, of = 'installs' }\n" + SETS, "two")),
        (rule(STAGED + SETS), rule("rollout = { percent = 50 }\n" + SETS)),
        (rule(GUARDED + SETS), rule(STAGED + SETS)),
        (rule(GUARDED.replace("opened = 2", "opened = 1") + SETS), rule(GUARDED + SETS)),
        (rule('then = [{ do = "blank", key = "X-a" }]\n'), ""),
    ],
)
def test_nothing_is_told_where_nobody_loses_anything(before: str, after: str) -> None:
    """A larger part with the same lots, and whatever is for everybody."""
    assert told(before, after) == []


def test_dials_that_go_are_told() -> None:
    """A quick dial can be taken back, and a dial action cannot."""
    live, new = document.parse(rule(DIALS)), document.parse("")
    blanked = takingback.blanking(TENANT, live, new)

    assert told(rule(DIALS), "") == ["quick dial q", "dial action d"]
    assert [str(effect) for effect in blanked.rules[0].effects] == ["removes quick dial q"]


def test_rollouts_that_begin_anew_are_told() -> None:
    """With other lots, or with stages where there was a percentage."""
    others = told(rule(HALF + SETS), rule('rollout = { percent = 60, salt = "x" }\n' + SETS))
    stages = told(rule(HALF + SETS), rule(STAGED + SETS))

    assert others[1].startswith("draws its users anew")
    assert stages[1] == "begins anew with 10% from 2026-05-01T00:00:00+00:00; before that it is for nobody"


def has(policy: Policy, name: str, group: str = "") -> str | None:
    subject = Subject(name, name, 1_800_000_000, groups=frozenset({group}))
    found = Compiled(policy).resolve(subject).settings.get("X-a")
    return None if found is None else found.value


@pytest.mark.parametrize("after", [HALF.replace("50", "10"), None])
def test_those_are_blanked_who_had_it_and_nobody_else(after: str | None) -> None:
    """By the lots that they drew before; who keeps it keeps it."""
    live = document.parse(rule(HALF + SETS))
    new = document.parse("" if after is None else rule(after + SETS))
    stays = 0 if after is None else 1000

    blanked = takingback.blanking(TENANT, live, new)

    for number in range(200):
        drawn = lot(f"u{number}", "one")
        assert has(blanked, f"u{number}") == ("1" if drawn < stays else "" if drawn < 5000 else None)


def test_a_guarded_rollout_is_taken_back_as_far_as_it_was_open() -> None:
    """Its later stages had nobody."""
    live = document.parse(rule(GUARDED.replace("opened = 2", "opened = 1") + SETS))

    blanked = takingback.blanking(TENANT, live, Policy())

    assert blanked.rules[0].rollout is not None
    assert [stage.percent for stage in blanked.rules[0].rollout.stages] == [10]
    assert blanked.rules[0].rollout.guard is None


def test_a_segment_counts_as_it_was() -> None:
    """Though it says something else now, or is gone; one that is as it was stays named."""
    outside = '{ if = "not", of = { if = "in_segment", segment = "alpha" } }'
    inner = f'{{ if = "any", of = [{outside}, {{ if = "in_group", group = "x" }}] }}'
    live = document.parse(
        segment("all") + rule(IN_ALPHA + SETS) + rule(f"when = {inner}\n{SETS}".replace("X-a", "X-b"), "b")
    )

    smaller = takingback.blanking(TENANT, live, document.parse(segment("few") + rule(IN_ALPHA + SETS)))
    gone = takingback.blanking(TENANT, live, Policy())
    same = takingback.blanking(TENANT, live, document.parse(segment("all")))

    assert [has(smaller, "ann", group) for group in ("all", "few", "none")] == ["", "1", None]
    assert [str(one.when) for one in gone.rules] == ["in group all", "not (in group all) or in group x"]
    assert str(same.rules[0].when) == "in segment alpha"


def test_what_takes_something_back_outlives_the_next_file() -> None:
    """Some phone may not have asked since; a file that knows the rule decides itself."""
    live = takingback.blanking(TENANT, document.parse(segment("all") + rule(IN_ALPHA + SETS)), Policy())
    file = document.parse(rule(SETS.replace("X-a", "X-b"), "other"))

    kept = takingback.keeping_blanks(live, file)

    assert [(one.id, one.takes_back) for one in kept.rules] == [("other", ""), ("one-blanked", "one")]
    assert takingback.keeping_blanks(kept, kept) is kept
    assert document.parse(document.dumps(kept)) == kept
    (said,) = [remark.text for remark in policyremarks.remarks(TENANT, live, kept, None)]
    assert said.startswith("goes on taking back what one set, though the file need not have it")
    assert said.endswith("When all have asked: offhook policy withdraw EXAMPLE one-blanked")


def test_a_condition_that_becomes_too_deep_is_refused() -> None:
    """With the segments that it spoke of in their places."""
    deep = '{ if = "in_group", group = "x" }'
    for _ in range(MAX_DEPTH - 1):
        deep = f'{{ if = "not", of = {deep} }}'
    wrapped = 'when = { if = "not", of = { if = "in_segment", segment = "alpha" } }\n'
    live = document.parse(f'[[segments]]\nid = "alpha"\nwhen = {deep}\n' + rule(wrapped + SETS))

    with pytest.raises(Invalid, match="would have all that its segments said"):
        takingback.blanking(TENANT, live, Policy())


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        ('{ do = "blank", key = "extProvUrl" }', "no phone that has it asks again"),
        ('{ do = "set", key = "extProvUrl", value = "https://x.example/" }', "asks there"),
        ('{ do = "set", key = "extProvPostData", value = "a=%username%" }', "asks there"),
        ('{ do = "set", key = "extProvInterval", value = "1" }', "every 1 seconds"),
        ('{ do = "set", key = "extProvInterval", value = "0" }', "ask only when"),
        ('{ do = "set", key = "X-install-id", value = "1" }', "is set for each install"),
        ('{ do = "set", key = "cloud_password", value = "{cloud_password}" }', "is set for each install"),
        (
            '{ do = "set", key = "title", value = "{teir}" }',
            "{teir} is no attribute or secret of any user that was looked at; did you mean",
        ),
        ('{ do = "add_quick_dial", id = "d", uri = "{number}" }', "{number} is no attribute"),
        ('{ do = "set", key = "title", value = "{password}" }', "puts {password}, a secret, into title"),
        ('{ do = "add_dial_action", id = "d", values = { label = "{pin}" } }', "puts {pin}, a secret, into label"),
    ],
)
def test_what_may_go_wrong_is_told(effect: str, said: str) -> None:
    """Keys by which phones find us, keys that are not for rules, misspelt placeholders, secrets where people look."""
    new = document.parse(f'[[rules]]\nid = "a"\nthen = [{effect}]\n')
    columns = {"tier", "password", "pin"}

    remarks = [one.text for one in policyremarks.remarks(TENANT, None, new, None, columns)]

    assert len(remarks) == 1
    assert said in remarks[0]


def test_what_is_no_placeholder_is_none() -> None:
    """A name stands between the braces, or it is a text such as any other."""
    body = '{ do = "set", key = "genericSmsSendPostData", value = \'{"to":"%sms_to%"}\' }'
    known = '{ do = "set", key = "title", value = "{tier} of {cloud_id}" }'
    new = document.parse(f'[[rules]]\nid = "a"\nthen = [{body}, {known}]\n')

    columns = [effect.columns() for effect in new.rules[0].effects]
    remarks = [*policyremarks.remarks(TENANT, None, new, None, {"tier"})]

    assert columns == [(), ("tier", "cloud_id")]
    assert remarks == []
