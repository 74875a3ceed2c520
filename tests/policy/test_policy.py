"""The policy by example: what the golden cases and the laws do not show."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest

from offhook.core.errors import Invalid
from offhook.core.features import Features
from offhook.core.mergeable import USER, Value
from offhook.policy import document
from offhook.policy.acceptance import refusals
from offhook.policy.checking import faults_within
from offhook.policy.clock import Hours
from offhook.policy.conditions import All, Any, AnyCondition, Expression, InSegment, Not
from offhook.policy.during import During
from offhook.policy.effects import (
    AddDialAction,
    AddQuickDial,
    AnyEffect,
    AtMostDevices,
    Blank,
    LogOut,
    Refuse,
    RemoveDialAction,
    RemoveQuickDial,
    SetKey,
)
from offhook.policy.evaluate import Compiled
from offhook.policy.facts import (
    AppVersion,
    AtOccasion,
    Attribute,
    FromNetwork,
    InGroup,
    Installs,
    Locale,
    Platform,
    VersionOf,
)
from offhook.policy.guarding import Counts, Steady, judge
from offhook.policy.resolution import Overflow, Refusal, Strength
from offhook.policy.rollout import Of, Rollout, Stage
from offhook.policy.rules import MAX_EXPRESSIONS, Policy, Rule, Segment, check
from offhook.policy.strokes import Strokes
from offhook.policy.subject import Fact, Occasion, Subject
from offhook.policy.view import Condition, Span, View

ANN = Subject("ann", "ann", 1_795_000_000, attributes={"tier": "gold", "customer": "c7"}, groups=frozenset({"sales"}))


def sets(identity: str, when: AnyCondition | None, key: str = "X-a") -> Rule:
    return Rule(identity, when=when, effects=(SetKey(key, "1"),))


def tried(*rules: Rule, subject: Subject = ANN, segments: tuple[Segment, ...] = ()) -> list[str]:
    return [rule.id for rule in Compiled(Policy(1, segments, rules)).candidates(subject)]


def test_a_rule_that_cannot_match_is_not_tried() -> None:
    """Of a thousand rules for a thousand customers, the one of this customer is tried, and those for everybody."""
    customers = [sets(f"c{number}", Attribute("customer", is_=f"c{number}")) for number in range(1000)]

    assert tried(*customers, sets("everybody", None)) == ["c7", "everybody"]


def test_the_rarest_need_is_looked_up() -> None:
    """A thousand rules that all want gold are still told apart by the customer, wherever that stands."""
    both = [
        sets(f"c{number}", All((Attribute("tier", is_="gold"), Attribute("customer", is_=f"c{number}"))))
        for number in range(1000)
    ]

    assert tried(*both) == ["c7"]


@pytest.mark.parametrize(
    ("condition", "is_tried"),
    [
        (Attribute("tier", is_="silver"), False),
        (Attribute("tier", one_of=("silver", "gold")), True),
        (Attribute("tier", one_of=("silver", "bronze")), False),
        (Attribute("tier", is_not="gold"), True),
        (Attribute("city", exists=True), False),
        (Attribute("city", exists=False), True),
        (Attribute("city", begins_with="Pra"), False),
        (InGroup("board"), False),
        (Platform(("IOS",)), False),
        (AtOccasion(Occasion.AGAIN), False),
        (Any((InGroup("board"), Attribute("tier", is_="gold"))), True),
        (Any((InGroup("board"), Installs(at_least=9))), True),
        (All((Installs(at_least=9), InGroup("board"))), False),
        (All((Installs(at_least=9),)), True),
        (Not(InGroup("board")), True),
        (InSegment("board"), False),
        (InSegment("outer"), False),
    ],
)
def test_what_a_condition_cannot_do_without(condition: AnyCondition, is_tried: bool) -> None:
    """Rules are passed over when the subject lacks what they need, also by way of segments, and only then."""
    segments = (Segment("outer", InSegment("board")), Segment("board", InGroup("board")))

    assert bool(tried(sets("one", condition), segments=segments)) is is_tried


def test_rules_that_are_off_are_not_tried() -> None:
    """A rule that is paused or not enabled costs nothing."""
    assert tried(Rule("off", enabled=False), Rule("paused", paused="it hurt")) == []


def test_a_policy_says_what_it_reads() -> None:
    """What an answer may depend on beside the user: through segments and expressions, but not by rules that are off."""
    policy = Policy(
        1,
        (Segment("old", AppVersion(below="9")), Segment("unused", Locale(("cs",)))),
        (
            sets("one", Not(InSegment("old"))),
            sets("two", Expression('platform == "ios" && installs > 1')),
            msgspec.structs.replace(sets("off", FromNetwork(("10.0.0.0/8",))), enabled=False),
        ),
    )

    assert Compiled(policy).uses == {Fact.APP_VERSION, Fact.PLATFORM, Fact.INSTALLS}


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (SetKey("dtmf", "info"), "sets dtmf to info"),
        (SetKey("dtmf", "info", Strength.ENFORCED), "sets dtmf to info whatever the user chose"),
        (SetKey("dtmf", "info", Strength.DEFAULT_ONCE), "sets dtmf to info at the sign-in"),
        (SetKey("password", "hunter2"), "sets password"),
        (SetKey("password", "{sip_password}"), "sets password to {sip_password}"),
        (Blank("dtmf"), "blanks dtmf"),
        (AddQuickDial("desk", "4711"), "adds quick dial desk, which calls 4711"),
        (RemoveQuickDial("desk"), "removes quick dial desk"),
        (AddDialAction("webCallback", {"title": "Back"}), "adds dial action webCallback"),
        (RemoveDialAction("webCallback"), "leaves out dial action webCallback"),
        (AtMostDevices(2), "allows 2 devices and refuses one more"),
        (AtMostDevices(1, Overflow.END_OLDEST), "allows 1 device and ends the oldest for one more"),
        (Refuse("Please update."), "refuses: Please update."),
        (LogOut("Bye."), "logs out: Bye."),
    ],
)
def test_effects_say_what_they_do(effect: AnyEffect, said: str) -> None:
    """An operator reads each effect as a clause, in which no secret stands."""
    assert str(effect) == said


def test_effects_name_their_placeholders() -> None:
    """Whoever composes the answer learns which values of the user are asked for."""
    dial = AddQuickDial("desk", "{extension}", "Desk of {name}", "https://example.com/{name}")
    action = AddDialAction("webCallback", {"uri": "{callback}"})

    assert SetKey("voiceMailNumber", "*97{extension}{extension}").columns() == ("extension",)
    assert dial.columns() == ("extension", "name")
    assert action.columns() == ("callback",)
    assert Blank("dtmf").columns() == ()


@pytest.mark.parametrize(
    ("effect", "fault"),
    [
        (RemoveQuickDial("\x00"), "quick dial"),
        (Refuse("\x00"), "refuse, message"),
        (LogOut("\x00"), "log_out, message"),
        (AtMostDevices(1, message="\x00"), "at_most_devices, message"),
        (AddQuickDial("desk", "\x00"), "add_quick_dial"),
    ],
)
def test_what_xml_cannot_carry_is_a_fault(effect: AnyEffect, fault: str) -> None:
    """Also in a policy that did not come from a file."""
    assert list(faults_within(effect, str(effect.__struct_config__.tag)))
    assert list(check(Policy(rules=(Rule("one", effects=(effect,)),))))
    assert fault.partition(",")[0].replace("_", " ")


def test_a_device_limit_counts_what_is_too_many() -> None:
    """Three installs where two may be active are one too many; two are none."""
    resolution = Compiled(Policy(rules=(Rule("two", effects=(AtMostDevices(2, Overflow.END_OLDEST),)),))).resolve(ANN)

    limit = resolution.device_limit

    assert limit is not None
    assert [limit.too_many(installs) for installs in (2, 3)] == [0, 1]


def test_an_explicit_refusal_comes_before_a_limit() -> None:
    """Both say no at the sign-in, and the rule that refuses says why."""
    rules = (Rule("limit", effects=(AtMostDevices(1),)), Rule("no", effects=(Refuse("No."), SetKey("X-a", "1"))))

    verdict = Compiled(Policy(rules=rules)).resolve(msgspec.structs.replace(ANN, installs=2)).verdict

    assert isinstance(verdict, Refusal)
    assert verdict.message == "No."


def test_the_app_takes_what_nothing_speaks_against() -> None:
    """A licence, the user's own change and the kind of the key are looked at, each with its reason."""
    rules = (
        Rule("one", effects=(SetKey("allowMessage", "0"), SetKey("dtmf", "info"), SetKey("allowVideo", "{video}"))),
    )
    settings = Compiled(Policy(rules=rules)).resolve(ANN).settings
    chosen = {"dtmf": Value("rfc2833", USER, "user")}

    assert refusals(settings, None, {}) == {"allowVideo": '"{video}" is neither 1 (on) nor 0 (off)'}
    assert {*refusals(settings, Features(), chosen)} == {"allowMessage", "dtmf", "allowVideo"}


def test_a_rollout_without_a_guard_is_left_alone() -> None:
    """Nothing pauses a rollout that nobody guards, whatever becomes of its phones."""
    assert judge(Rollout(10), Counts(1000, missing=1000), Counts(0), 0) == Steady()


@pytest.mark.parametrize("zone", ["Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_hours_change_exactly_when_they_say(zone: str) -> None:
    """Minute by minute over days on which clocks are changed, hours are what they were until the moment they name."""
    where = ZoneInfo(zone)
    everyday = frozenset(range(7))
    for hours in (Hours(everyday, 75, 165), Hours(everyday, 1350, 150), Hours(frozenset({6}), 0, 1440)):
        for begin in (datetime(2026, 10, 3, 9, tzinfo=UTC), datetime(2027, 3, 27, 9, tzinfo=UTC)):
            start_s = int(begin.timestamp())
            for now_s, next_s in pairwise(range(start_s, start_s + 3 * 86400, 900)):
                changes = hours.hold(now_s, where) != hours.hold(next_s, where)

                assert (hours.change_s(now_s, where) <= next_s) is changes


def test_every_kind_has_its_defaults() -> None:
    """A new kind of condition that says nothing of itself is not known to hold, and found by nothing."""
    view = View(ANN, {}, {}, {})

    assert Condition().holds(view) is None
    assert Condition().told(view) == str(Condition())
    assert VersionOf(at_least="1").of(view) == ("version", None)
    assert AtMostDevices(2).target() == ("at most devices", "")


def faults_of(text: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        document.parse(text)
    return [str(fault) for fault in caught.value.faults]


def test_policies_have_limits() -> None:
    """Too long, too deep, too many: each is refused before it can do harm."""
    many = "".join(f'[[rules]]\nid = "r{number}"\n' for number in range(5001))
    one = '{"if": "expression", "cel": "installs == 1"}'
    any_of = f'{{"if": "any", "of": [{", ".join([one] * 51)}]}}'
    rules = ", ".join(f'{{"id": "r{number}", "when": {any_of}}}' for number in range(MAX_EXPRESSIONS // 50))
    crowd = f'{{"if": "any", "of": [{", ".join([any_of] * 4)}]}}'
    deep = '{"if": "not", "of": ' * 100 + one + "}" * 100

    assert faults_of("x" * (document.MAX_CHARACTERS + 1)) == ["policy: is larger than 8,388,608 characters"]
    assert faults_of(many) == ["rules: are 5,001; at most 5,000 are allowed"]
    assert faults_of(f'{{"rules": [{rules}]}}') == ["rules: have 1,020 expressions; at most 1,000 are allowed"]
    assert (
        "has 209 conditions; at most 200 are allowed" in faults_of(f'{{"rules": [{{"id": "a", "when": {crowd}}}]}}')[0]
    )
    assert "is nested too deeply" in faults_of(f'{{"rules": [{{"id": "a", "when": {deep}}}]}}')[0]
    assert faults_of("a = " + "[" * 5000) == ["policy: is nested too deeply"]
    assert faults_of('{"rules": ' + "[" * 50_000)[0].startswith("policy: is ")
    assert faults_of(f"number = {'9' * 5000}")[0].startswith("policy: is not TOML")


def test_odd_values_are_refused() -> None:
    """Empty and overlong texts, tables where lists belong, moments that are none."""
    text = f"""
[[rules]]
id = "one"
title = "{"x" * 201}"
when = {{ if = "during", since = 7 }}
then = [
  {{ do = "add_dial_action", id = "a", values = [] }},
  {{ do = "add_dial_action", id = "b", values = {{ c = 1 }} }},
]

[[rules]]
id = "two"
rollout = 10

[[rules]]
id = "three"
author = "\\u0001"

[[rules]]
id = "four"
then = [{{ do = "add_dial_action", id = "a", values = {{ {", ".join(f"k{number} = '1'" for number in range(101))} }} }}]
"""

    assert faults_of(text) == [
        "rules[1] one, title: has 201 characters; at most 200 are allowed",
        "rules[1] one, when, since: is a whole number, where a moment, such as 2027-01-31T08:00:00+01:00 is needed",
        "rules[1] one, then[1], values: is a list, where a table is needed",
        "rules[1] one, then[2], values, c: is a whole number, where a text is needed",
        "rules[2] two, rollout: is a whole number, where a table is needed",
        "rules[3] three, author: character U+0001 at position 1 cannot be written in XML",
        "rules[4] four, then[1], values: has 101 entries; at most 100 are allowed",
    ]


def test_null_stands_for_nothing_in_json() -> None:
    """As an API's client writes what it does not set."""
    assert document.parse('{"rules": [{"id": "a", "when": null}]}') == Policy(rules=(Rule("a"),))
    assert document.parse('{"rules": []}') == Policy()


def test_a_policy_from_elsewhere_is_checked_alike() -> None:
    """A policy that was not read from a file has the faults that its file would have."""
    policy = Policy(
        1,
        (Segment("Vip", InSegment("nobody")),),
        (Rule("one", when=All((Attribute("tier"),)), rollout=Rollout()), Rule("one")),
    )

    assert [str(fault) for fault in check(policy)] == faults_of(document.dumps(policy))


OFFICE = During(("mon", "tue", "wed", "thu", "fri"), "08:00", "18:00", "Europe/Prague")
MONDAY_NOON_S = int(datetime(2026, 11, 2, 11, tzinfo=UTC).timestamp())
SIX_HOURS_S = 6 * 3600


@pytest.mark.parametrize(
    ("rule", "in_s"),
    [
        (Rule("in already", when=OFFICE, rollout=Rollout(100)), SIX_HOURS_S),
        (Rule("never in", when=OFFICE, rollout=Rollout(0)), None),
        (Rule("not known who", when=OFFICE, rollout=Rollout(50, of=Of.INSTALLS)), None),
        (Rule("not known now, true later", when=Not(All((Platform(("ios",)), OFFICE)))), SIX_HOURS_S),
        (Rule("not known now, true before", when=Any((Platform(("ios",)), OFFICE))), SIX_HOURS_S),
        (Rule("false for ever", when=All((InGroup("board"), OFFICE))), None),
        (Rule("true for ever", when=Any((InGroup("sales"), OFFICE))), None),
        (Rule("by a segment", when=InSegment("office")), SIX_HOURS_S),
        (Rule("off", enabled=False, when=OFFICE), None),
    ],
    ids=lambda value: value.id if isinstance(value, Rule) else None,
)
def test_when_an_answer_may_change_by_itself(rule: Rule, in_s: int | None) -> None:
    """At noon of a working day only those rules name the end of the day whose matching depends on it."""
    compiled = Compiled(Policy(1, (Segment("office", OFFICE),), (rule,)))

    next_s = compiled.resolve(msgspec.structs.replace(ANN, now_s=MONDAY_NOON_S)).next_flip_s

    assert next_s == (None if in_s is None else MONDAY_NOON_S + in_s)


def test_the_past_can_be_asked_about_after_the_present() -> None:
    """What was found out for one moment is not taken for another, in whichever order they are asked about."""
    compiled = Compiled(Policy(rules=(sets("office", OFFICE),)))
    moments = [MONDAY_NOON_S, MONDAY_NOON_S - SIX_HOURS_S, MONDAY_NOON_S + SIX_HOURS_S, MONDAY_NOON_S]

    open_then = [bool(compiled.resolve(msgspec.structs.replace(ANN, now_s=moment)).settings) for moment in moments]

    assert open_then == [True, False, False, True]


def test_the_interface_reads_the_kinds() -> None:
    """The schema of a policy names every kind of condition and effect, each with its sentence."""
    definitions = msgspec.json.schema(Policy)["$defs"]

    for union in (AnyCondition, AnyEffect):
        for kind in get_args(union):
            assert definitions[kind.__name__]["description"].strip()


@pytest.mark.parametrize(
    ("then", "place"),
    [
        ('{ do = "set", key = "smsUrl", value = "https://joe:hunter2@x.example/" }', "value"),
        ('{ do = "set", key = "smsUrl", value = "https://x.example/?apikey=hunter2" }', "value"),
        ('{ do = "set", key = "smsPostData", value = \'{"token": "hunter2"}\' }', "value"),
        ('{ do = "set", key = "X-conf", value = "<password>hunter2</password>", markup = true }', "value"),
        ('{ do = "add_quick_dial", id = "d", uri = "sip:joe:hunter2@x.example" }', "uri"),
        ('{ do = "add_dial_action", id = "d", values = { url = "https://x.example/?token=hunter2" } }', "values, url"),
    ],
)
def test_no_rule_holds_a_secret_in_the_clear(then: str, place: str) -> None:
    """Nor within an address, a body or markup; what was written is not repeated."""
    with pytest.raises(Invalid) as told:
        document.parse(f'[[rules]]\nid = "a"\nthen = [{then}]')

    assert [fault.place for fault in told.value.faults] == [f"rules[1] a, then[1], {place}"]
    assert "hunter2" not in str(told.value)


def test_an_effect_is_told_with_masks() -> None:
    """Whatever may be a secret in a value, though nobody can say that it is one."""
    effects: list[AnyEffect] = [
        SetKey("smsPostData", '{"pw": "hunter2"}'),
        SetKey("smsUrl", "https://x.example/?pw=hunter2"),
        SetKey("X-conf", "<a>joe:hunter2@x.example</a>", markup=True),
        AddQuickDial("d", "https://x.example/?pw=hunter2"),
        AddDialAction("d", {"url": "https://x.example/?pw=hunter2"}),
    ]
    rules = [Rule(f"r{number}", effects=tuple(effects)) for number in range(2)]

    resolution = Compiled(Policy(rules=tuple(rules))).resolve(ANN)

    assert "hunter2" not in "".join(map(str, effects))
    beaten = [one.beaten for one in resolution.quick_dials.values()]
    beaten += [one.beaten for one in resolution.dial_actions.values()]
    assert "hunter2" not in str(beaten)


def test_only_the_clocks_that_struck_are_worked_out_anew() -> None:
    """A stroke of one of a thousand clocks costs one; only a clock that is set back costs all."""
    hours = [During(start=f"{number // 60:02}:{number % 60:02}", end="24:00", zone="UTC") for number in range(1000)]
    spans: dict[Condition, Span] = {}
    strokes = Strokes([*hours, Rollout(stages=(Stage(datetime(2026, 11, 2, tzinfo=UTC), 10),))], spans)
    midnight_s = MONDAY_NOON_S // 86400 * 86400

    changed_s = strokes.changed_s(midnight_s + 60)
    before = dict(spans)
    struck_s = strokes.changed_s(midnight_s + 120)
    anew = [one for one in hours if spans[one] is not before[one]]
    back_s = strokes.changed_s(midnight_s + 60)

    assert (changed_s, struck_s, back_s) == (midnight_s + 60, midnight_s + 120, midnight_s + 60)
    assert anew == [hours[2]]
    assert all(spans[one] is not before[one] for one in hours)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ('when = { if = "during", until = 9999-12-31T23:59:59-05:00 }', "when, until"),
        ('when = { if = "during", since = 0001-01-01T00:00:00+14:00 }', "when, since"),
        ("rollout = { stages = [{ since = 9000-01-01T00:00:00Z, percent = 1 }] }", "rollout, stages[1], since"),
        *(
            (f'when = {{ if = "during", days = ["mon"], zone = "{zone}" }}', "when, zone")
            for zone in ("localtime", "posixrules", "Factory", "right/UTC", "posix/UTC")
        ),
    ],
)
def test_no_rule_speaks_of_a_time_that_no_clock_shows(written: str, place: str) -> None:
    """Years that cannot be written, and zones that are another one on another server."""
    with pytest.raises(Invalid) as told:
        document.parse(f'[[rules]]\nid = "a"\n{written}')

    assert [fault.place for fault in told.value.faults] == [f"rules[1] a, {place}"]


def test_a_value_is_read_as_it_is_meant() -> None:
    """Blanks around a platform, and networks of IPv4 that are written within IPv6."""
    phone = msgspec.structs.replace(ANN, platform="ios", network="10.1.2.3")
    mapped = msgspec.structs.replace(ANN, network="::ffff:10.1.2.3")
    far = msgspec.structs.replace(ANN, network="2001:db8::1")

    def matched(condition: AnyCondition, subject: Subject) -> bool:
        return bool(Compiled(Policy(rules=(sets("a", condition),))).resolve(subject).matched)

    for network, theirs in (("::ffff:10.0.0.0/104", (True, True, False)), ("10.1.2.3", (True, True, False))):
        assert tuple(matched(FromNetwork((network,)), one) for one in (phone, mapped, far)) == theirs
    assert [matched(FromNetwork(("0.0.0.0/0",)), one) for one in (phone, far)] == [True, False]
    assert [matched(FromNetwork(("::/0", "2001:db8::/32")), one) for one in (phone, far)] == [False, True]
    assert matched(Platform((" iOS ",)), phone)


@pytest.mark.parametrize("group", ["sales,board", " sales", "sales "])
def test_a_group_that_nobody_can_be_in_is_refused(group: str) -> None:
    """Their names are what stands between commas."""
    with pytest.raises(Invalid, match="is nobody's"):
        document.parse(f'[[rules]]\nid = "a"\nwhen = {{ if = "in_group", group = "{group}" }}')


def test_thousands_of_networks_cost_no_more_than_a_few() -> None:
    """They are read once, and looked up by how an address begins."""

    def rules(count: int) -> Compiled:
        words = [[f"10.{rule}.{one % 256}.{one // 256 * 16}/28" for one in range(count)] for rule in range(10)]
        return Compiled(
            Policy(rules=tuple(sets(f"r{number}", FromNetwork(tuple(one))) for number, one in enumerate(words)))
        )

    def spent_s(compiled: Compiled) -> float:
        subject = msgspec.structs.replace(ANN, network="203.0.113.9")
        compiled.resolve(subject)
        began_s = time.process_time()
        for _ in range(50):
            compiled.resolve(subject)
        return time.process_time() - began_s

    assert spent_s(rules(500)) < 10 * spent_s(rules(5))
