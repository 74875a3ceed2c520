"""What a policy would change, counted over all users and phones: exactly, and without keeping them in mind."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.core import mergeable, registration
from offhook.core.base import Base
from offhook.core.dialplan import QuickDial, QuickDials
from offhook.core.features import Features, gate
from offhook.core.mergeable import Document
from offhook.policy import document
from offhook.policy.effects import SetKey
from offhook.policy.evaluate import Compiled
from offhook.policy.resolution import Logout, Refusal, Strength
from offhook.policy.rollout import WHOLE, lot
from offhook.policy.rules import Policy
from offhook.policy.subject import Occasion
from offhook.portal.app import value as app_value
from offhook.provider.circumstances import Circumstances
from offhook.provider.compose import Composition, common
from offhook.provider.population import MOST_OF_ONE, Difference, Member, Moved, Phone, Touched, difference
from offhook.provider.replacement import NO_BASES, Bases, Fate, Kind, Move
from offhook.provider.rulings import Case
from offhook.provider.settlement import Sent
from offhook.provider.subscriber import Argon2, Override, State, Subscriber
from offhook.provider.tenant import Tenant
from tests.outcome import Outcome, outcome
from tests.policy.drawn import NAMES, SINCE_S, UNTIL_S, VERSIONS, WORDS, policies
from tests.world_provider import NOON_S

TENANT = Tenant("EXAMPLE", template="<account><X-a>{tier}</X-a><X-c>1</X-c><proxy>one.example</proxy></account>")
DIALS = Tenant("EXAMPLE", common='<global><quickDial><item id="desk"><uri>9</uri></item></quickDial></global>')


def policy(*rules: str) -> Policy:
    return document.parse("".join(f'[[rules]]\nid = "rule-{number}"\n{rule}\n' for number, rule in enumerate(rules)))


def user(
    name: str,
    *phones: Phone | str,
    attributes: dict[str, str] | None = None,
    secrets: dict[str, str] | None = None,
    expires_s: int | None = None,
) -> Member:
    known = [Phone(one) if isinstance(one, str) else one for one in phones]
    whose = Subscriber("EXAMPLE", name, Argon2("x"), attributes=attributes or {}, secrets=secrets or {})
    return msgspec.structs.replace(whose, expires_s=expires_s), known


def tier(name: str, *phones: Phone | str) -> Member:
    return user(name, *phones, attributes={"tier": "gold" if name.startswith("g") else "basic"})


GOLD = 'when = { if = "attribute", name = "tier", is = "gold" }\n'


def sets(key: str, value: str, more: str = "") -> str:
    return f'then = [{{ do = "set", key = "{key}", value = "{value}"{more} }}]'


# --- the law ---


def _drawn(dice: Random, first: Policy, second: Policy) -> Policy:
    """A policy that has some of another one, changed and moved about."""
    rules = {rule.id: rule for rule in first.rules}
    much = dice.choice((0.0, 0.3))
    for rule in second.rules:
        if dice.random() < much:
            rules[rule.id] = rule
    kept = [rule for rule in rules.values() if dice.random() >= much / 3]
    if dice.random() < 0.3:
        dice.shuffle(kept)
    return Policy(2, dice.choice((first, first, second)).segments, tuple(kept))


def _phone(dice: Random, number: int) -> Phone:
    told = Circumstances(
        dice.choice(("", "ios", "android")), dice.choice(("", *VERSIONS)), network=dice.choice(("", "10.1.2.3"))
    )
    return Phone(f"I{number}", dice.choice(("", "D1", "D2")), told)


def _members(dice: Random) -> Iterator[Member]:
    for number in range(dice.randint(1, 6)):
        attributes = {name: dice.choice(WORDS) for name in dice.sample(NAMES, dice.randint(0, 3))}
        subscriber, phones = user(
            f"user{number}",
            *(_phone(dice, 10 * number + one) for one in range(dice.randint(0, 3))),
            attributes=attributes | {"groups": dice.choice(("sales", "board, sales", ""))},
            expires_s=dice.choice((None, None, SINCE_S, UNTIL_S + 1)),
        )
        if dice.random() < 0.2:
            subscriber = msgspec.structs.replace(
                subscriber,
                overrides={"X-a": Override("own")},
                quick_dials=QuickDials((QuickDial("desk", uri="7"),)),
                state=dice.choice((State.ACTIVE, State.SUSPENDED)),
            )
        yield subscriber, phones


def _cases(phones: list[Phone], policy: Policy, now_s: int) -> Iterator[Case]:
    if not phones:
        yield Case(Compiled(policy), now_s)
    for phone in phones:
        devices = len({one.device or one.id for one in phones})
        yield Case(Compiled(policy), now_s, phone.circumstances, Occasion.AGAIN, devices, phone.id)


def _everything(case: Case, tenant: Tenant, subscriber: Subscriber) -> tuple[Outcome, dict[str, object]]:
    """What a phone gets, each thing by a name of its own."""
    found = outcome(case, tenant, subscriber)
    if not isinstance(found, Composition):
        return found, {}
    resolution = case.resolve(subscriber)
    part = common(tenant, subscriber, resolution).part
    things: dict[str, object] = {f"quick_dial {one.id}": one.rank for one in part.quick_dials.removals}
    if limit := resolution.device_limit:
        things["devices limit"] = limit.count, limit.then, limit.message
    for item in part.quick_dials.items:
        things[f"quick_dial {item.id}"] = item.display_name, item.uri, item.portrait_url, item.rank
    for name, values in part.dial_actions.items():
        things[f"dial_action {name}"] = {key: one.content for key, one in values.items()}
    for key, one in found.document.values().items():
        things[f"key {key}"] = one.content, one.rank, one.markup, one.attributes
    return found, things


def _verdict(before: Outcome, after: Outcome) -> str:
    if isinstance(before, Refusal | Logout) and isinstance(after, Refusal | Logout) and type(before) is type(after):
        return "" if before.message == after.message else "other_message"
    if type(before) is type(after):
        return ""
    return {Refusal: "refused", Logout: "logged_out", Composition: "let_in"}[type(after)]


def _naive(tenant: Tenant, live: Policy, new: Policy, members: list[Member], now_s: int) -> dict[str, tuple[int, int]]:
    """The users and installs of everything that changes, by composing everything twice and looking."""
    users: dict[str, dict[str, int]] = {}

    def note(what: str, subscriber: Subscriber, phones: list[Phone]) -> None:
        whose = users.setdefault(what, {})
        whose[subscriber.name] = whose.get(subscriber.name, 0) + bool(phones)

    for subscriber, known in members:
        if subscriber.state is State.SUSPENDED or subscriber.expires_s == SINCE_S:
            continue
        phones = list(known)
        for old, ours in zip(_cases(phones, live, now_s), _cases(phones, new, now_s), strict=True):
            before, had = _everything(old, tenant, subscriber)
            after, has = _everything(ours, tenant, subscriber)
            changed = [_verdict(before, after)] if _verdict(before, after) else []
            if isinstance(before, Composition) and isinstance(after, Composition):
                changed += [name for name in had.keys() | has.keys() if had.get(name) != has.get(name)]
                kept = Document({**before.document.keys, **after.document.keys})
                if phones and registration.changed(before.document, kept):
                    changed.append("registers_anew")
            for what in (*changed, "affected") if changed else ():
                note(what, subscriber, phones)
    return {what: (len(whose), sum(whose.values())) for what, whose in users.items()}


def _told(found: Difference) -> dict[str, tuple[int, int]]:
    """The same of a difference; of what changes for one phone in one way, for another in another way, the sum."""
    told = {fate.value: (one.users, one.installs) for fate, one in found.fates.items()}
    if found.affected.users:
        told["affected"] = found.affected.users, found.affected.installs
    for one in found.moves:
        name = f"{one.move.kind} {one.move.name}"
        users, installs = told.get(name, (0, 0))
        told[name] = users + one.touched.users, installs + one.touched.installs
    return told


@given(policies, policies, st.integers(0, 2**32))
@settings(deadline=None, max_examples=150)
def test_it_is_what_composing_everything_twice_finds(first: Policy, second: Policy, seed: int) -> None:
    """User by user, for whatever two policies: the same things change, for as many users and installs."""
    dice = Random(seed)
    new, now_s, tenant = _drawn(dice, first, second), dice.randint(SINCE_S, UNTIL_S), dice.choice((TENANT, DIALS))

    for member in _members(dice):
        found, wanted = difference(tenant, first, new, [member], now_s), _naive(tenant, first, new, [member], now_s)

        by_install = {what: installs for what, (_, installs) in _told(found).items()}
        assert by_install == {what: installs for what, (_, installs) in wanted.items()}


@given(policies, policies, st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_users_are_counted_once(first: Policy, second: Policy, seed: int) -> None:
    """However many phones of theirs something is about; the whole is the sum of its members."""
    dice = Random(seed)
    new, now_s, members = _drawn(dice, first, second), dice.randint(SINCE_S, UNTIL_S), list(_members(dice))

    found, wanted = difference(TENANT, first, new, members, now_s), _naive(TENANT, first, new, members, now_s)
    alone = [difference(TENANT, first, new, [member], now_s) for member in members]

    assert (found.affected.users, found.affected.installs) == wanted.get("affected", (0, 0))
    for fate in Fate:
        one = found.fates.get(fate, Touched())
        assert (one.users, one.installs) == wanted.get(fate.value, (0, 0))
    for moved in found.moves:
        same = [one.touched for each in alone for one in each.moves if one.move == moved.move]
        assert moved.touched.users == len(same)
        assert moved.touched.installs == sum(one.installs for one in same)
    assert found.users + found.passed_over == len(members)


@given(policies, policies, st.integers(0, 2**32))
@settings(deadline=None, max_examples=150)
def test_nobody_is_affected_later_who_was_not_told_of(first: Policy, second: Policy, seed: int) -> None:
    """At any later moment, on any other phones and from any other network: so a share that is small enough stays it."""
    dice = Random(seed)
    new, (now_s, then_s) = _drawn(dice, first, second), sorted(dice.randint(SINCE_S, UNTIL_S) for _ in range(2))

    bases = dice.choice((NO_BASES, Bases(_base(dice), _base(dice))))
    tenant = dice.choice((TENANT, LICENSED))

    for subscriber, known in _members(dice):
        phones = [_testing(dice, phone) for phone in known]
        now = difference(tenant, first, new, [(subscriber, phones)], now_s, bases=bases)
        others = [_testing(dice, _phone(dice, 100 + one)) for one in range(dice.randint(0, 3))]
        then = difference(tenant, first, new, [(subscriber, dice.choice((phones, others)))], then_s, bases=bases)

        assert then.affected.users <= now.affected.users + now.later.users or then.users > now.users


def _testing(dice: Random, phone: Phone) -> Phone:
    """Perhaps one that has the Editable app."""
    told = msgspec.structs.replace(phone.circumstances, editable=dice.random() < 0.2)
    return msgspec.structs.replace(phone, circumstances=told)


# --- and the law where the app changes ---

ACCOUNTS = {
    "X-a": ("1", "2"),
    "X-c": ("1", "2"),
    "proxy": ("one.example", "two.example"),
    "allowMessage": ("1", "0"),
    "host": ("sip.example", "sip.other.example"),
}
LICENSED = Tenant(
    "EXAMPLE",
    template="<account><X-a>{tier}</X-a><allowMessage>0</allowMessage><host>sip.{tier}.example</host></account>",
)


def _base(dice: Random) -> Base:
    keys = dice.sample([*ACCOUNTS], dice.randint(0, 5))
    account = {key: app_value(dice.choice(ACCOUNTS[key]), dice.choice((None, None, 50))) for key in keys}
    features = {name: "1" for name in ("messaging", "open_white_label") if dice.random() < 0.5}
    return Base("EXAMPLE", 1, account, {}, features)


def _as_settled(found: Composition, base: Base) -> dict[str, object]:
    """What a phone makes of it, which merges one after the other and asks its licences."""
    admit = gate(Features.received(base.features)[0])
    settled = mergeable.merge(mergeable.settle(base.account), found.document.values(), admit)
    kept = settled.values().items()
    # What was given at the sign-in is no matter of what is sent now.
    return {key: (one.content, one.rank, one.markup) for key, one in kept if key not in found.withheld}


@given(policies, policies, st.integers(0, 2**32))
@settings(deadline=None, max_examples=150)
def test_an_app_reaches_only_whom_nobody_sends_something_else(first: Policy, second: Policy, seed: int) -> None:
    """The keys that change are those that a phone settles otherwise, for whatever two apps and policies at once."""
    dice = Random(seed)
    new, now_s, tenant = _drawn(dice, first, second), dice.randint(SINCE_S, UNTIL_S), dice.choice((TENANT, LICENSED))
    new = dice.choice((first, new))
    before, after = _base(dice), _base(dice)

    for subscriber, phones in _members(dice):
        found = difference(tenant, first, new, [(subscriber, phones)], now_s, bases=Bases(before, after))
        wanted: dict[str, int] = {}
        for old, ours in zip(_cases([*phones], first, now_s), _cases([*phones], new, now_s), strict=True):
            had, has = outcome(old, tenant, subscriber), outcome(ours, tenant, subscriber)
            if isinstance(had, Composition) and isinstance(has, Composition):
                was, will = _as_settled(had, before), _as_settled(has, after)
                for key in (was.keys() | will.keys()) - had.withheld.keys() - has.withheld.keys():
                    if was.get(key) != will.get(key):
                        wanted[key] = wanted.get(key, 0) + bool(phones)
        if found.users:
            told, given = dict[str, int](), _given_once(first, new)
            for one in found.moves:
                told[one.move.name] = told.get(one.move.name, 0) + one.touched.installs
            assert {key: told.get(key) for key in _KEYS - given} == {key: wanted.get(key) for key in _KEYS - given}


_KEYS = {*ACCOUNTS, "X-b", "X-d"}


def _given_once(first: Policy, new: Policy) -> set[str]:
    """Keys that a rule gives once, of which more is known than what is sent."""
    return {
        effect.key
        for policy in (first, new)
        for rule in policy.rules
        for effect in rule.effects
        if isinstance(effect, SetKey) and effect.strength is Strength.DEFAULT_ONCE
    }


# --- examples ---


def test_from_what_to_what() -> None:
    """Each key with its former value, users, installs and three of them at most; what is as it was is not told of."""
    live = policy(GOLD + sets("codecOrder", "8"), sets("dtmf", "info"))
    new = policy(GOLD + sets("codecOrder", "9"), sets("dtmf", "info"), GOLD + sets("proxy", "gold.example"))
    members = [tier("ann", "A"), tier("g1", "B", "C"), tier("g2"), tier("g3", "D"), tier("g4", "E")]

    found = difference(TENANT, live, new, members, NOON_S)

    examples = ("g1@EXAMPLE", "g2@EXAMPLE", "g3@EXAMPLE")
    assert (found.users, found.installs, found.affected) == (5, 5, Touched(4, 4, examples))
    assert [(one.move.name, one.move.before, one.move.after, one.touched) for one in found.moves] == [
        ("codecOrder", Sent("8", 20), Sent("9", 20), Touched(4, 4, examples)),
        ("proxy", Sent("one.example", 20), Sent("gold.example", 20), Touched(4, 4, examples)),
    ]
    assert found.fates == {Fate.REGISTERS_ANEW: Touched(3, 4, ("g1@EXAMPLE", "g3@EXAMPLE", "g4@EXAMPLE"))}
    assert found.share == 0.8


def test_who_is_turned_away() -> None:
    """Refused, logged out, let in again; who is not signed in is not logged out, and the expired get nothing anyway."""
    when = 'when = { if = "attribute", name = "tier", is = "%s" }\nthen = [{ do = "%s", message = "%s" }]'
    live = policy(when % ("a", "refuse", "No."), when % ("b", "refuse", "No."))
    new = policy(when % ("b", "refuse", "Still no."), when % ("c", "refuse", "No."), when % ("d", "log_out", "Bye."))
    members = [user(f"{name}1", "P", attributes={"tier": name}) for name in "abcde"]
    members += [user("d2", attributes={"tier": "d"}), user("d3", "Q", attributes={"tier": "d"}, expires_s=NOON_S)]

    found = difference(TENANT, live, new, members, NOON_S)

    assert {fate: one.examples for fate, one in found.fates.items()} == {
        Fate.LET_IN: ("a1@EXAMPLE",),
        Fate.OTHER_MESSAGE: ("b1@EXAMPLE",),
        Fate.REFUSED: ("c1@EXAMPLE", "d2@EXAMPLE"),
        Fate.LOGGED_OUT: ("d1@EXAMPLE",),
    }
    assert (found.users, found.passed_over) == (6, 1)


def test_what_is_not_sent_any_more_registers_nobody_anew() -> None:
    """It stays on the phone; what is sent empty does not."""
    live, gone = policy(sets("proxy", "gold.example")), policy()
    blanked = policy('then = [{ do = "blank", key = "proxy" }]')

    stays, goes = (difference(DIALS, live, new, [user("ann", "A")], NOON_S) for new in (gone, blanked))

    assert (stays.moves[0].move.after, stays.fates) == (None, {})
    assert (goes.moves[0].move.after, [*goes.fates]) == (Sent("", 20), [Fate.REGISTERS_ANEW])


def test_secrets_are_masked_and_still_told_apart() -> None:
    """A key that takes another secret changes; neither is opened, so they need not even be sealed rightly."""
    secrets = {"pin": "sealed", "pin2": "sealed"}
    ann = user("ann", "A", secrets=secrets, attributes={"word": "hunter2"})
    live, new = policy(sets("X-door", "open {pin}")), policy(sets("X-door", "open {pin2}"))
    named = policy(sets("X-door", "open {pin}"), sets("authPassword", "{word}"))

    moves = [one.move for one in difference(TENANT, live, new, [ann], NOON_S).moves]
    hidden = difference(TENANT, live, named, [ann], NOON_S)

    masked = Sent("open ********", 20)
    assert moves == [Move(Kind.KEY, "X-door", masked, masked)]
    assert "hunter2" not in str(msgspec.to_builtins(hidden.moves))
    assert hidden.affected.users == 1


def test_dials() -> None:
    """Quick dials and dial actions, with the Cloud ID's own before."""
    new = policy(
        'then = [{ do = "add_quick_dial", id = "desk", uri = "1" }, { do = "remove_quick_dial", id = "lab" },'
        '{ do = "add_dial_action", id = "autoCall", values = { title = "Call", uri = "{x}" } }]'
    )

    moves = [one.move for one in difference(DIALS, None, new, [user("ann", "A", attributes={"x": "5"})], NOON_S).moves]

    assert moves == [
        Move(Kind.DIAL_ACTION, "autoCall", None, Sent("title Call, uri 5", 20)),
        Move(Kind.QUICK_DIAL, "desk", Sent("9", 20), Sent("1", 20)),
        Move(Kind.QUICK_DIAL, "lab", None, Sent("", 20)),
    ]


def test_many_values_of_one_key_are_counted_together() -> None:
    """Beyond the first ones; nobody is counted twice, nobody is left out, and nothing of them is kept in mind."""

    def members() -> Iterator[Member]:
        for number in range(5 * MOST_OF_ONE):
            yield user(f"user{number}", f"P{number}", attributes={"long": f"{number}" * 4000})

    tracemalloc.start()
    try:
        found = difference(TENANT, None, policy(sets("X-own", "{long}")), members(), NOON_S)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    various = found.moves[-1]
    assert len(found.moves) == MOST_OF_ONE + 1
    assert various.move == Move(Kind.KEY, "X-own", various=True)
    assert various.touched.users == 4 * MOST_OF_ONE
    assert all(len(one.move.after.text) <= 200 for one in found.moves[:-1] if one.move.after)
    assert peak_bytes < 2_000_000


def test_members_are_asked_for_one_after_the_other() -> None:
    """And whoever watches is told how far it is."""
    looked, ticks = list[int](), list[tuple[int, int]]()

    def members() -> Iterator[Member]:
        for number in range(1001):
            looked.append(number)
            yield user(f"user{number}")

    difference(TENANT, None, policy(), members(), NOON_S, tick=lambda done: ticks.append((done, len(looked))))

    assert ticks == [(500, 500), (1000, 1000)]


def test_rules_in_another_order() -> None:
    """Nothing of them is new, and another one decides."""
    one, other = GOLD + sets("codecOrder", "8"), sets("codecOrder", "0")
    live = policy(one, other)
    new = msgspec.structs.replace(live, rules=live.rules[::-1])

    found = difference(TENANT, live, new, [tier("ann", "A"), tier("g1", "B")], NOON_S)

    move = Move(Kind.KEY, "codecOrder", Sent("8", 20), Sent("0", 20))
    assert found.moves == (Moved(move, Touched(1, 1, ("g1@EXAMPLE",))),)


def test_another_limit_of_devices_is_told_of() -> None:
    """Though it turns nobody away today, it counts at the next sign-in."""
    limit = 'then = [{ do = "at_most_devices", count = %d, then = "refuse", message = "Enough." }]'
    live, new = policy(GOLD + limit % 3), policy(GOLD + limit % 2)

    found = difference(TENANT, live, new, [tier("ann", "A"), tier("g1", "B")], NOON_S)

    move = Move(Kind.DEVICES, "limit", Sent("3, refuse", 20), Sent("2, refuse", 20))
    assert found.moves == (Moved(move, Touched(1, 1, ("g1@EXAMPLE",))),)


def test_a_part_of_the_installs() -> None:
    """Each install draws for itself, also those of one user that say the same of themselves."""
    new = policy('rollout = { percent = 50, of = "installs" }\n' + sets("X-b", "1"))
    phones = [f"install-{number}" for number in range(100)]

    found = difference(TENANT, None, new, [user("ann", *phones)], NOON_S)

    assert found.affected.users == 1
    assert found.affected.installs == sum(lot(phone, "rule-0") < WHOLE / 2 for phone in phones)


def test_devices_are_counted_as_at_the_sign_in() -> None:
    """Two installs of one device are one phone."""
    new = policy('when = { if = "installs", at_least = 2 }\n' + sets("X-b", "1"))

    one, two = ([Phone("A", "D"), Phone("B", device)] for device in ("D", "E"))

    found = difference(TENANT, None, new, [user("one", *one), user("two", *two)], NOON_S)
    assert found.affected.examples == ("two@EXAMPLE",)


def test_what_is_hidden_by_a_rule_that_a_clock_ends() -> None:
    """It changes nothing while everybody is turned away, and does when that is over."""
    closed = 'when = { if = "during", until = 2030-05-01T00:00:00Z }\nthen = [{ do = "refuse", message = "Closed." }]'
    live, new = policy(closed), policy(closed, GOLD + sets("X-b", "1"))

    found = difference(TENANT, live, new, [tier("ann", "A"), tier("g1", "B")], NOON_S)

    assert (found.affected.users, found.later) == (0, Touched(1, 1, ("g1@EXAMPLE",)))


def test_whatever_can_differ_on_another_phone_counts_as_later() -> None:
    """A user without a phone has no platform that would be known; a device limit is looked at by the next sign-in."""
    phones = Phone("A", "a", Circumstances("ios", "8")), Phone("B", "b", Circumstances("ios", "8"))
    members = [user("ann", *phones), user("bob")]
    refuse = 'then = [{ do = "refuse", message = "Closed." }]'
    rules = {
        "platforms": 'when = { if = "platform", one_of = ["android", "windows"] }\n' + refuse,
        "the next version": 'when = { if = "app_version", at_least = "9" }\n' + refuse,
        "an expression": 'when = { if = "expression", cel = "locale == \'cs\'" }\n' + refuse,
        "not": 'when = { if = "not", of = { if = "platform", one_of = ["ios"] } }\n' + refuse,
        "a limit": 'then = [{ do = "at_most_devices", count = 1 }]',
        "installs": "rollout = { percent = 1, of = 'installs' }\n" + refuse,
        "all installs": "rollout = { percent = 100, of = 'installs' }\n" + refuse,
        "a default": sets("title", "x", ', strength = "default_once"'),
        "others": 'when = { if = "all", of = [{ if = "installs", at_least = 0 }, { if = "in_group", group = "x" }] }\n'
        + refuse,
        "never again": 'when = { if = "during", until = 2020-05-01T00:00:00Z }\n' + refuse,
        "no installs": "rollout = { percent = 0, of = 'installs' }\n" + refuse,
    }

    shares = {name: difference(TENANT, None, policy(rule), members, NOON_S).share for name, rule in rules.items()}

    assert shares == dict.fromkeys(rules, 1.0) | dict.fromkeys(("others", "never again", "no installs"), 0.0)


def test_what_does_not_change_is_nobodys_later() -> None:
    """A part that grows concerns those who come in, whatever hours other rules have; a new title concerns nobody."""
    hours = 'when = { if = "during", from = "08:00", to = "17:00", zone = "UTC" }\n' + sets("X-hours", "1")
    few, more = (f"rollout = {{ percent = {percent} }}\n" + sets("X-a", "1") for percent in (20, 22))
    members = [user(f"user{number}", f"P{number}") for number in range(200)]
    coming = sum(2000 <= lot(f"user{number}", "rule-0") < 2200 for number in range(200))

    grown = difference(TENANT, policy(few, hours), policy(more, hours), members, NOON_S)
    named = difference(TENANT, policy(few, hours), policy(few, 'title = "Hours"\n' + hours), members, NOON_S)
    moved = difference(TENANT, policy(few, hours), document.parse(_reversed(few, hours)), members, NOON_S)

    assert (grown.affected.users, grown.later.users) == (coming, 0)
    assert (named.share, moved.share) == (0.0, 0.0)


def _reversed(*rules: str) -> str:
    return "".join(f'[[rules]]\nid = "rule-{number}"\n{rule}\n' for number, rule in reversed([*enumerate(rules)]))


def test_who_is_affected_now_is_not_counted_as_later_too() -> None:
    """Though another phone of theirs is."""
    new = policy(
        'when = { if = "platform", one_of = ["ios"] }\n' + sets("X-b", "1"),
        'when = { if = "during", since = 2030-05-01T00:00:00Z }\n' + sets("X-c", "2"),
    )
    phones = Phone("A", circumstances=Circumstances("ios")), Phone("B", circumstances=Circumstances("android"))

    found = difference(TENANT, None, new, [user("ann", *phones)], NOON_S)

    assert (found.affected, found.later, found.share) == (Touched(1, 1, ("ann@EXAMPLE",)), Touched(), 1.0)


def test_what_a_clock_will_strike() -> None:
    """Hours, stages and networks count as later; a part that is never drawn, and a rule for others, do not."""
    night = 'when = { if = "during", since = 2030-05-01T00:00:00Z }\n'
    few = "rollout = { percent = 0 }\n"
    stages = "stages = [{ since = 2020-05-01T00:00:00Z, percent = 0 }, { since = 2020-06-01T00:00:00Z, percent = 100 }]"
    members: dict[str, Mapping[str, int]] = {}
    rules = {
        "at all": night + sets("X-b", "1"),
        "to nobody": night + few + sets("X-b", "1"),
        "from there": 'when = { if = "from_network", one_of = ["10.0.0.0/8"] }\n' + sets("X-b", "1"),
        "in stages": "rollout = { stages = [{ since = 2030-05-01T00:00:00Z, percent = 100 }] }\n" + sets("X-b", "1"),
        "when its guard opens it": f"rollout = {{ {stages}, guard = {{}} }}\n" + sets("X-b", "1"),
        "never": few + sets("X-b", "1"),
    }

    for name, rule in rules.items():
        found = difference(TENANT, None, policy(rule), [user("ann", "A"), user("bob")], NOON_S)
        members[name] = {"now": found.affected.users, "later": found.later.users}

    assert {name: one["later"] for name, one in members.items()} == {
        "at all": 2,
        "to nobody": 0,
        "from there": 2,
        "in stages": 2,
        "when its guard opens it": 2,
        "never": 0,
    }
    assert not any(one["now"] for one in members.values())


def test_addresses_bodies_and_markup_are_masked() -> None:
    """As everywhere where a value is shown."""
    rule = (
        'then = [{ do = "set", key = "smsUrl", value = "https://x.example/?pw=hunter2" },'
        '{ do = "set", key = "X-conf", value = "<a>joe:hunter2@x.example</a>", markup = true },'
        '{ do = "add_quick_dial", id = "q", uri = "https://x.example/?pw=hunter2" },'
        '{ do = "add_dial_action", id = "d", values = { url = "https://x.example/?pw=hunter2" } }]'
    )

    found = difference(TENANT, None, policy(rule), [user("ann", "A")], NOON_S)

    assert len(found.moves) == 4
    assert "hunter2" not in str(msgspec.to_builtins(found.moves))
