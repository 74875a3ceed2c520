"""Laws of the policy, over random policies and subjects."""

from __future__ import annotations

import random
import sys

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.core.errors import Invalid
from offhook.policy import document
from offhook.policy.conditions import All, AnyCondition, Not
from offhook.policy.effects import Refuse, SetKey
from offhook.policy.evaluate import Compiled
from offhook.policy.facts import AppVersion, Attribute
from offhook.policy.resolution import Resolution
from offhook.policy.rollout import Of, Rollout, lot
from offhook.policy.rules import Policy, Rule, check
from offhook.policy.subject import Subject
from tests.policy.drawn import conditions, moments_s, percents, policies, rollouts, subjects


def sent(resolution: Resolution) -> object:
    """What goes to the phone, without the words about it."""
    return (
        {key: (one.value, one.rank, one.sent, one.by.rule) for key, one in resolution.settings.items()},
        {key: (one.item, one.by.rule) for key, one in resolution.quick_dials.items()},
        {key: (one.values, one.by.rule) for key, one in resolution.dial_actions.items()},
        resolution.device_limit and resolution.device_limit.count,
        type(resolution.verdict),
        [one.rule for one in resolution.matched],
    )


@given(policies, subjects)
def test_the_index_changes_nothing(policy: Policy, subject: Subject) -> None:
    """Rules that are looked up by what they need give the answer that they give when every one is tried.

    The opposite of the opposite holds when the thing itself does, and nothing can be found by what it needs.
    """
    hidden = tuple(
        rule if rule.when is None else msgspec.structs.replace(rule, when=Not(Not(rule.when))) for rule in policy.rules
    )
    every = Compiled(msgspec.structs.replace(policy, rules=hidden))

    resolution = Compiled(policy).resolve(subject)

    assert len(every.candidates(subject)) == sum(rule.active for rule in policy.rules)
    assert sent(resolution) == sent(every.resolve(subject))
    assert resolution.next_flip_s == every.resolve(subject).next_flip_s


def calls(compiled: Compiled, subject: Subject) -> int:
    """How much is called to resolve, which does not depend on how busy the machine is."""
    counted = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    compiled.resolve(subject)
    sys.setprofile(count)
    try:
        compiled.resolve(subject)
    finally:
        sys.setprofile(None)
    return counted


@given(policies, subjects, st.integers(0, 2**32))
@settings(max_examples=50)
def test_a_rule_that_cannot_match_costs_its_index_entry_alone(policy: Policy, subject: Subject, seed: int) -> None:
    """However many there are for others, and wherever they stand: nothing more is called, let alone tried."""
    dice = random.Random(seed)

    def among(others: int) -> Compiled:
        rules = list(policy.rules)
        for number in range(others):
            nobody = Attribute(("tier", "elsewhere")[number % 2], is_=f"nobody-{number}")
            when = dice.choice((nobody, All((nobody, AppVersion(at_least="1")))))
            rules.insert(dice.randint(0, len(rules)), Rule(f"other-{number}", when=when, effects=(Refuse("No."),)))
        return Compiled(msgspec.structs.replace(policy, rules=tuple(rules)))

    alone, few, many = Compiled(policy), among(4), among(60)

    assert [rule.id for rule in many.candidates(subject)] == [rule.id for rule in alone.candidates(subject)]
    assert sent(many.resolve(subject)) == sent(alone.resolve(subject))
    assert calls(many, subject) == calls(few, subject)


@given(policies, subjects)
def test_the_trace_tells_what_was_done(policy: Policy, subject: Subject) -> None:
    """Exactly the rules that the trace calls matched were laid into the answer, in the operator's order."""
    compiled = Compiled(policy)

    matched = [one.by for one in compiled.trace(subject) if one.matched is True]

    assert matched == list(compiled.resolve(subject).matched)
    assert [one.by.rule for one in compiled.trace(subject)] == [rule.id for rule in policy.rules]


@given(policies, subjects, st.randoms(use_true_random=False))
def test_only_the_operators_order_counts(policy: Policy, subject: Subject, chance: random.Random) -> None:
    """Neither the order of segments and attributes counts, nor that of rules which decide different things."""
    ours = tuple(
        msgspec.structs.replace(rule, effects=(SetKey(f"X-{number}", "1"),)) for number, rule in enumerate(policy.rules)
    )
    shuffled, segments = list(ours), list(policy.segments)
    attributes = list(subject.attributes.items())
    for some in (shuffled, segments, attributes):
        chance.shuffle(some)
    same = msgspec.structs.replace(subject, attributes=dict(attributes))

    answer = Compiled(Policy(1, tuple(segments), tuple(shuffled))).resolve(same)

    expected = Compiled(Policy(1, policy.segments, ours)).resolve(subject)
    assert answer.settings == expected.settings
    assert answer.next_flip_s == expected.next_flip_s


@given(policies, subjects, st.floats(0, 1))
def test_nothing_changes_before_the_next_flip(policy: Policy, subject: Subject, part: float) -> None:
    """From now until the moment that is named, the answer stays; without one, it stays for ever."""
    compiled = Compiled(policy)
    resolution = compiled.resolve(subject)
    until_s = resolution.next_flip_s or subject.now_s + 200 * 86400

    between = {subject.now_s + int((until_s - 1 - subject.now_s) * part), until_s - 1}

    assert until_s > subject.now_s
    for moment_s in between:
        later = compiled.resolve(msgspec.structs.replace(subject, now_s=moment_s))
        assert sent(later) == sent(resolution)
        assert later.next_flip_s == resolution.next_flip_s or later.next_flip_s is not None


@given(policies, st.text(st.characters(exclude_categories=[])), st.dictionaries(st.text(), st.text()))
def test_evaluation_never_raises(policy: Policy, anything: str, attributes: dict[str, str]) -> None:
    """Whatever texts a phone and a directory bring, there is an answer and a trace."""
    subject = Subject(
        anything,
        anything,
        1_795_000_000,
        attributes={**attributes, "tier": anything, anything: "x"},
        groups=frozenset({anything}),
        platform=anything,
        app_version=anything,
        os_version=anything,
        locale=anything,
        network=anything,
        install_id=anything,
    )

    resolution, traces = Compiled(policy).resolve(subject), list(Compiled(policy).trace(subject))

    assert len(traces) == len(policy.rules)
    assert all(setting.reason.endswith(".") for setting in resolution.settings.values())


@given(policies)
def test_what_is_written_can_be_read(policy: Policy) -> None:
    """TOML and JSON read back as the policy they were written from, and are written the same again."""
    text = document.dumps(policy)

    again = document.parse(text)

    assert again == policy
    assert document.dumps(again) == text
    assert document.parse(msgspec.json.encode(policy).decode()) == policy
    assert list(check(policy)) == []


@given(policies, st.data())
def test_any_text_is_read_or_refused(policy: Policy, data: st.DataObject) -> None:
    """However a file is damaged, it is read, or refused with faults that say something."""
    text = document.dumps(policy)
    start = data.draw(st.integers(0, len(text)))
    damage = data.draw(st.text('{}[]=",\n #1aé\ud800', max_size=4))

    try:
        faults: tuple[object, ...] = ()
        document.parse(text[:start] + damage + text[start + data.draw(st.integers(0, 9)) :])
    except Invalid as error:
        faults = error.faults

    assert all(str(fault).strip() for fault in faults)


@given(percents, percents, st.text(max_size=20), st.sampled_from(Of))
def test_growing_takes_nobody_out(one: float, other: float, name: str, of: Of) -> None:
    """Who is in at a percentage is in at every larger one."""
    smaller, larger = Rollout(min(one, other), of=of), Rollout(max(one, other), of=of)
    drawn = smaller.lot(Subject(name, name, 0, install_id=name), "rule")

    if smaller.takes(drawn, 0):
        assert larger.takes(drawn, 0)


@given(rollouts, moments_s, moments_s, st.sampled_from(("ann", "bob", "cyd")))
def test_stages_take_nobody_out(rollout: Rollout, one_s: int, other_s: int, name: str) -> None:
    """Who is in at one time is in at every later one, and once more stages are open."""
    drawn = lot(name, "rule")
    more = msgspec.structs.replace(rollout, opened=rollout.opened + 1)

    if rollout.takes(drawn, min(one_s, other_s)):
        assert rollout.takes(drawn, max(one_s, other_s))
        assert more.takes(drawn, one_s) or not rollout.takes(drawn, one_s)


def test_lots_are_spread_evenly() -> None:
    """Of many users about as many are in as the percentage says, whatever the salt."""
    for salt in ("one", "two"):
        for percent in (1, 10, 50):
            count = sum(lot(f"user{number}", salt) < percent * 100 for number in range(20_000))

            assert abs(count / 200 - percent) < 1


@given(conditions, subjects)
def test_a_condition_and_its_opposite_never_both_hold(condition: AnyCondition, subject: Subject) -> None:
    """One of the two holds, or neither when it is not known."""
    one = Rule("one", when=condition, effects=(SetKey("X-one", "1"),))
    other = Rule("other", when=Not(condition), effects=(SetKey("X-other", "1"),))

    traces = list(Compiled(Policy(rules=(one, other))).trace(subject))

    assert {trace.matched for trace in traces} in ({True, False}, {None})


@given(policies, st.lists(moments_s, min_size=1, max_size=6))
def test_the_last_stroke_is_the_same_however_one_comes_to_a_moment(policy: Policy, moments: list[int]) -> None:
    """Clocks that are followed through time, also one that is set back, say what a new one says."""
    followed = Compiled(policy)

    told = [followed.changed_s(moment) for moment in moments]

    assert told == [Compiled(policy).changed_s(moment) for moment in moments]
