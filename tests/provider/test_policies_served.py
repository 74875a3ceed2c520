"""Policies as phones meet them: at the sign-in, whenever they ask again, and when a rule turns them away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from offhook.core.errors import Invalid
from offhook.provider.change import Change
from offhook.provider.guarding import Cancellation
from offhook.provider.ports import Ending
from offhook.provider.sightings import Sightings
from offhook.provider.subscriber import Override
from offhook.provider.tenant import Credential, Tenant
from offhook.storage.life import SightingStore
from tests.world_directory import directory_of
from tests.world_fleet import cancel_all, held, release_all, until_now
from tests.world_provider import NOON_S, Phone, Provider

SALES = '{ if = "in_group", group = "sales" }'
WAYS = [pytest.param(True, id="by tag"), pytest.param(False, id="by date")]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE", template="<account><title>{name}</title></account>"))
        provider.has_tenant(Tenant("SIP", credential=Credential.SIP))
        attributes = {"name": "John", "username": "B63349F4EE", "tier": "gold", "groups": "sales, Praha"}
        for cloud_id in ("EXAMPLE", "SIP"):
            provider.has_user(
                f"johndow@{cloud_id}", attributes=attributes, secrets={"password": "45F4BF5F", "pin": "47"}
            )
        provider.has_user("eve@EXAMPLE", attributes={"tier": "basic"})
        yield provider


def rule(then: str, when: str = "", more: str = "", name: str = "one") -> str:
    head = f'[[rules]]\nid = "{name}"\n{more}'
    return f"{head}{f'when = {when}' if when else ''}\nthen = [{then}]\n"


def sets(key: str, value: str, **more: str) -> str:
    others = "".join(f', {name} = "{text}"' for name, text in more.items())
    return f'{{ do = "set", key = "{key}", value = "{value}"{others} }}'


def moment(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


# --- what is sent ---


def test_a_policy_lies_between_the_credentials_and_what_is_set_for_the_user(provider: Provider) -> None:
    """It beats the template, is beaten by the user's own override, and fills in the user's values, sealed ones too."""
    effects = [sets("title", "Gold {name}"), sets("X-pin", "{pin}"), sets("dtmf", "info"), sets("X-a", "1")]
    provider.has_policy(rule(", ".join(effects), '{ if = "attribute", name = "tier", is = "gold" }'))
    directory_of(provider).change("EXAMPLE", "johndow", Change(overrides={"dtmf": Override("audio")}))

    account, others = provider.phone().account, provider.phone("eve").account

    assert [account[key] for key in ("title", "X-pin", "dtmf", "X-a")] == ["Gold John", "47", "audio", "1"]
    assert "X-a" not in others


def test_a_value_says_its_strength(provider: Provider) -> None:
    """An enforced one has the user's rank, a default that of any other, and a blank key is sent empty."""
    effects = [sets("a", "1", strength="enforced"), sets("b", "2", strength="default_once"), sets("c", "3")]
    provider.has_policy(rule(", ".join([*effects, '{ do = "blank", key = "proxy" }'])))

    body = provider.signs_in().body

    for written in (b'<a priority="40">1</a>', b"<b>2</b>", b"<c>3</c>", b"<proxy></proxy>"):
        assert written in body


def test_a_default_is_the_users_from_the_sign_in_on(provider: Provider) -> None:
    """It is not sent again, and neither is the template's value that it replaced."""
    provider.has_policy(rule(sets("title", "Welcome", strength="default_once")))
    phone = provider.phone()

    unchanged = phone.asks()
    phone.validators.clear()
    whole = phone.asks()

    assert phone.account["title"] == "Welcome"
    assert unchanged.status == 304
    assert whole.status == 200
    assert b"title" not in whole.body


def test_nobody_is_in_more_than_a_hundred_groups(provider: Provider) -> None:
    """Rules would have to look at each; of what was stored before, the first ones count."""
    many = ", ".join(f"g{number}" for number in range(101))
    provider.has_user("max@EXAMPLE", attributes={"groups": f"{'x' * 257}, g0, {many}"})
    rules = (
        rule(sets(f"X-{name}", "1"), f'{{ if = "in_group", group = "{name}" }}', name=name) for name in ("g99", "g100")
    )
    provider.has_policy("".join(rules))

    for groups, fault in ((many, "names 101 groups; at most 100"), ("x" * 257, "a group of more than 256")):
        with pytest.raises(Invalid, match=fault):
            directory_of(provider).change("EXAMPLE", "johndow", Change(attributes={"groups": groups}))

    assert {key for key in provider.phone("max").account if key in {"X-g99", "X-g100"}} == {"X-g99"}


def test_groups_are_those_of_an_attribute(provider: Provider) -> None:
    """Between commas, with blanks around them that do not count."""
    provider.has_policy(rule(sets("X-a", "1"), '{ if = "in_group", group = "Praha" }'))

    assert provider.phone().account["X-a"] == "1"
    assert "X-a" not in provider.phone("eve").account


def test_the_star_is_remembered(provider: Provider) -> None:
    """A phone that signed in with one is a tester's whenever it asks."""
    provider.has_policy(rule(sets("X-a", "1"), '{ if = "version", editable = true }'))
    phone, other = provider.phone(cloud_id="EXAMPLE*"), provider.phone()
    phone.cloud_id = "EXAMPLE"

    statuses = [phone.asks().status, other.asks().status]
    phone.validators.clear()

    assert statuses == [304, 304]
    assert phone.account["X-a"] == "1"
    assert "X-a" not in other.account
    assert b"<X-a>1</X-a>" in phone.asks().body


def test_dials_of_rules_stand_in_the_global_part(provider: Provider) -> None:
    """Added, removed and filled in; the user's own are laid over them."""
    common = (
        '<x><quickDial><item id="desk"><uri>9</uri></item><item id="lab"><uri>8</uri></item></quickDial>'
        '<dialActions><dialAction id="voiceCall"><enabled>1</enabled></dialAction></dialActions></x>'
    )
    provider.has_tenant(Tenant("EXAMPLE", common=common))
    effects = [
        '{ do = "add_quick_dial", id = "own", uri = "{username}", display_name = "{name}" }',
        '{ do = "remove_quick_dial", id = "lab" }',
        '{ do = "add_dial_action", id = "text", values = { enabled = "0" } }',
        '{ do = "remove_dial_action", id = "voiceCall" }',
    ]
    provider.has_policy(rule(", ".join(effects)))

    answer = provider.get("/prov/global", cloud_id="EXAMPLE", cloud_username="johndow", cloud_password="12345678")

    assert b"<displayName>John</displayName>\n      <uri>B63349F4EE</uri>" in answer.body
    assert b'<item id="lab" action="remove"/>' in answer.body
    assert b'<item id="desk">' in answer.body
    assert b'<dialAction id="text">' in answer.body
    assert b"voiceCall" not in answer.body


def test_credentials_from_a_rule_open_the_door(provider: Provider) -> None:
    """Also when they were given at the sign-in alone, and are not sent again."""
    effects = [sets("username", "by-rule", strength="default_once"), sets("password", "{pin}", strength="default_once")]
    provider.has_policy(rule(", ".join(effects)), "SIP")
    phone = provider.phone(cloud_id="SIP")

    assert (phone.account["username"], phone.account["password"]) == ("by-rule", "47")
    assert [phone.asks().status, phone.asks(tags=False).status] == [304, 304]


# --- validators ---


@pytest.mark.parametrize("tags", WAYS)
def test_hours_begin_and_end_at_the_second(provider: Provider, tags: bool) -> None:
    """A phone that asks at the last second of one and the first of the next is never told that nothing is new."""
    opens_s, closes_s = NOON_S + 3600, NOON_S + 7200
    hours = f'{{ if = "during", since = "{moment(opens_s)}", until = "{moment(closes_s)}" }}'
    provider.has_policy(rule(sets("X-open", "1", strength="enforced"), hours))
    phone = provider.phone()
    seen = []

    for at_s in (opens_s - 1, opens_s, opens_s, closes_s - 1, closes_s, closes_s + 86400):
        provider.clock.time_s = at_s
        answer = phone.asks(tags=tags)
        seen.append((answer.status, b"X-open" in answer.body))

    assert seen == [(304, False), (200, True), (304, False), (304, False), (200, False), (304, False)]


@pytest.mark.parametrize("tags", WAYS)
def test_weekly_hours(provider: Provider, tags: bool) -> None:
    """Office hours in a time zone, over a week, asked at every half hour: whole exactly when they begin and end."""
    days = '["mon", "tue", "wed", "thu", "fri"]'
    hours = f'{{ if = "during", days = {days}, from = "08:00", to = "18:00", zone = "Europe/Prague" }}'
    provider.has_policy(rule(sets("X-open", "1"), hours))
    phone = provider.phone()
    changed = []

    for half_hour in range(7 * 48):
        provider.clock.time_s = NOON_S + half_hour * 1800
        if phone.asks(tags=tags).status == 200:
            changed.append(f"{datetime.fromtimestamp(provider.clock.time_s, UTC):%a %H:%M}")

    assert sorted(changed) == sorted(
        f"{day} {at}" for day in ("Mon", "Tue", "Wed", "Thu", "Fri") for at in ("07:00", "17:00")
    )


@pytest.mark.parametrize("tags", WAYS)
def test_hours_that_change_nothing_for_a_phone_send_it_nothing(provider: Provider, tags: bool) -> None:
    """The policy's clock strikes for all of its users, and those who get the same bytes are told so."""
    hours = f'{{ if = "during", since = "{moment(NOON_S + 60)}" }}'
    when = f'{{ if = "all", of = [{{ if = "attribute", name = "tier", is = "gold" }}, {hours}] }}'
    provider.has_policy(rule(sets("X-open", "1"), when))
    phone = provider.phone("eve")
    provider.clock.time_s = NOON_S + 60

    assert [phone.asks(tags=tags).status, phone.asks(tags=tags).status] == [304, 304]


@pytest.mark.parametrize("tags", WAYS)
def test_an_app_that_is_updated_gets_what_is_for_it(provider: Provider, tags: bool) -> None:
    """And the old version's account when it is put back; whether its User-Agent tells or a parameter."""
    provider.has_policy(rule(sets("X-new", "1", strength="enforced"), '{ if = "app_version", at_least = "9.10" }'))
    phone = provider.phone(version="9.9")
    versions = ("9.9", "9.10", "9.10", "9.9", "9.9")

    seen = [
        (answer.status, b"X-new" in answer.body) for answer in (phone.asks(tags=tags, version=one) for one in versions)
    ]

    assert seen == [(304, False), (200, True), (304, False), (200, False), (304, False)]


@pytest.mark.parametrize("tags", WAYS)
def test_roaming_into_a_network(provider: Provider, tags: bool) -> None:
    """The answer follows the phone in and out; roaming elsewhere changes nothing."""
    provider.has_policy(rule(sets("X-office", "1"), '{ if = "from_network", one_of = ["10.0.0.0/8"] }'))
    phone = provider.phone()
    places = ("192.0.2.7", "10.1.2.3", "10.9.9.9", "198.51.100.1", "192.0.2.7")

    seen = [phone.asks(tags=tags, client=place).status for place in places]

    assert seen == [304, 200, 304, 200, 304]


@pytest.mark.parametrize("tags", WAYS)
def test_a_stage_that_opens_reaches_a_phone(provider: Provider, tags: bool) -> None:
    """At its second, once."""
    later_s = NOON_S + 600
    none, everybody = (
        f'{{ since = "{moment(at_s)}", percent = {percent} }}' for at_s, percent in ((NOON_S - 5, 0), (later_s, 100))
    )
    provider.has_policy(rule(sets("X-in", "1"), more=f"rollout = {{ stages = [{none}, {everybody}] }}\n"))
    phone = provider.phone()

    before = phone.asks(tags=tags).status
    provider.clock.time_s = later_s
    answers = [phone.asks(tags=tags), phone.asks(tags=tags)]

    assert before == 304
    assert [answer.status for answer in answers] == [200, 304]
    assert b"X-in" in answers[0].body


@pytest.mark.parametrize("tags", WAYS)
def test_what_only_those_get_who_ask_again(provider: Provider, tags: bool) -> None:
    """The sign-in's answer is never taken for the one that a rule gives afterwards."""
    provider.has_policy(rule(sets("X-later", "1"), '{ if = "occasion", is = "again" }'))
    phone = provider.phone()

    answers = [phone.asks(tags=tags), phone.asks(tags=tags)]

    assert [answer.status for answer in answers] == [200, 304]
    assert b"X-later" in answers[0].body


@pytest.mark.parametrize("tags", WAYS)
def test_a_crash_that_forgets_what_was_served_hides_nothing(provider: Provider, tags: bool) -> None:
    """Notes of what phones were served are kept in batches; without them a phone gets the whole once more."""
    provider.has_policy(rule(sets("X-new", "1"), '{ if = "app_version", at_least = "9.10" }'))
    phone = provider.phone(version="9.9")
    phone.asks(tags=tags, version="9.10")
    provider.sightings.__init__(provider.sightings._store)  # type: ignore[misc]  # a crash forgets all of it

    answers = [phone.asks(tags=tags, version=version) for version in ("9.9", "9.9", "9.10", "9.10")]

    assert [answer.status for answer in answers] == [200, 304, 200, 304]


def test_notes_that_are_kept_serve_after_a_restart(provider: Provider) -> None:
    """A phone that was served a variant is told 304 by another process, too."""
    provider.has_policy(rule(sets("X-new", "1"), '{ if = "app_version", at_least = "9.10" }'))
    phone = provider.phone(version="9.9")
    phone.asks(tags=False, version="9.10")

    provider.sightings.flush()
    provider.restart()

    assert phone.asks(tags=False, version="9.10").status == 304
    row = provider.installs()[0]
    assert row["circumstances"] == '{"app_version":"9.10"}'


def test_two_processes_never_tell_a_phone_that_it_has_what_the_other_one_sent(provider: Provider) -> None:
    """Each knows what it served itself, if nothing was kept meanwhile; the date of what the phone has says more."""
    provider.has_policy(
        "".join(
            rule(sets("X-p", name), f'{{ if = "platform", one_of = ["{name}"] }}', name=name)
            for name in ("ios", "android")
        )
    )
    provider.clock.time_s += 100
    phone = provider.phone(platform="ios")
    processes = [provider.sightings, Sightings(SightingStore(provider.database))]

    for process, platform in ((1, "ios"), (0, "android"), (1, "ios"), (0, "android"), (1, "android"), (0, "ios")):
        provider.clock.time_s += 100
        provider.sightings = processes[process]
        provider.restart()
        phone.asks(tags=False, platform=platform)

        assert phone.account["X-p"] == platform


def test_two_answers_of_one_second_have_two_dates(provider: Provider) -> None:
    """Also when the second one is asked for at the sign-in's address, and lost on its way."""
    provider.has_tenant(Tenant("A"))
    provider.has_user("johndow@A")
    on_linux = rule(sets("X-linux", "1"), '{ if = "platform", one_of = ["linux"] }', name="linux")
    provider.has_policy(rule(sets("X-ios", "1"), '{ if = "platform", one_of = ["ios"] }', name="ios") + on_linux, "A")
    provider.clock.time_s += 100
    phone = provider.phone(cloud_id="A", platform="android")
    account = dict(phone.account)
    provider.sightings.flush()
    provider.clock.time_s += 100
    phone.asks(platform="ios")

    own = {"cloud_username": "johndow", "cloud_password": account["cloud_password"], "cloud_id": "A"}
    lost = provider.get("/prov", **own, install_id=account["X-install-id"], platform="linux")
    asked = phone.asks(platform="linux", tags=False)

    assert b"X-linux" in lost.body
    assert b"X-linux" in asked.body


@pytest.mark.parametrize("tags", WAYS)
def test_publishing_is_served_with_the_next_request(provider: Provider, tags: bool) -> None:
    """Once; and so is taking it back."""
    phone = provider.phone()

    statuses = [phone.asks(tags=tags).status]
    provider.has_policy(rule(sets("title", "New")))
    statuses += [phone.asks(tags=tags).status for _ in range(2)]
    provider.has_policy("")
    statuses += [phone.asks(tags=tags).status for _ in range(2)]

    assert statuses == [304, 200, 304, 200, 304]
    assert phone.account["title"] == "John"


def test_settings_that_were_read_before_do_not_undo_a_policy(provider: Provider) -> None:
    """Who changes a Cloud ID at the same time as somebody publishes changes nothing of the policy."""
    read = provider.tenants.get("EXAMPLE")
    number = provider.has_policy(rule(sets("title", "New")))

    provider.tenants.put(read)

    assert provider.tenants.get("EXAMPLE").policy == number


@pytest.mark.parametrize("damage", ["DELETE FROM policy_version", "UPDATE policy_version SET text = 'damaged'"])
def test_a_policy_that_cannot_be_read_is_our_fault(provider: Provider, damage: str) -> None:
    """Phones are told to come back, and never that their request is wrong or their account over."""
    phone = provider.phone()
    provider.has_policy(rule(sets("X-a", "1")))
    with provider.database.begin() as connection:
        connection.exec_driver_sql(damage)

    assert [phone.asks().status, provider.signs_in().status] == [503, 503]


# --- who is turned away ---


def test_a_rule_refuses_with_its_message(provider: Provider) -> None:
    """A sign-in is refused; a phone that has an account keeps it, and asks again later."""
    phone = provider.phone()
    provider.has_policy(rule('{ do = "refuse", message = "Closed until May." }', SALES))

    answers = [provider.signs_in(), phone.asks(), phone.asks(tags=False)]

    assert [answer.status for answer in answers] == [403, 403, 403]
    assert all(b"Closed until May." in answer.body for answer in answers)
    provider.has_policy("")
    assert phone.asks().status == 304


def test_a_rule_logs_out_with_its_message(provider: Provider) -> None:
    """With the logout status of the Cloud ID; who signs in is refused with the same words."""
    phone = provider.phone()
    provider.has_policy(rule('{ do = "log_out", message = "Your tier is gone." }', SALES))

    answers = [phone.asks(), provider.signs_in(), provider.signs_in("eve")]

    assert [answer.status for answer in answers] == [410, 403, 200]
    assert all(b"Your tier is gone." in answer.body for answer in answers[:2])
    assert ("install.logged_out", {"install": phone.account["X-install-id"], "reason": "rule"}) in provider.noted.events


@pytest.mark.parametrize("tags", WAYS)
def test_a_rule_logs_out_at_its_hour(provider: Provider, tags: bool) -> None:
    """Nobody has to publish anything for it."""
    hours = f'{{ if = "during", since = "{moment(NOON_S + 60)}" }}'
    provider.has_policy(rule('{ do = "log_out", message = "" }', hours))
    phone = provider.phone()

    statuses = [phone.asks(tags=tags).status]
    provider.clock.time_s = NOON_S + 60
    statuses += [phone.asks(tags=tags).status]

    assert statuses == [304, 410]


def crowd(provider: Provider, count: int) -> list[Phone]:
    for number in range(count):
        provider.has_user(f"user{number}@EXAMPLE")
    return [provider.phone(f"user{number}") for number in range(count)]


def test_a_rule_that_logs_out_very_many_is_held(provider: Provider) -> None:
    """It is one decision, by its author; an administrator lets it go, for one user or for all (D22)."""
    phones = crowd(provider, 30)
    provider.has_policy(rule('{ do = "log_out", message = "Bye." }'), author="bob")

    first = [phone.asks().status for phone in phones]
    report = provider.guarding.show("EXAMPLE")[0]
    provider.guarding.release_user("EXAMPLE", "user29")
    one = [phone.asks().status for phone in phones[-2:]]
    release_all(provider)
    last = [phone.asks().status for phone in phones]

    assert [first.count(410), first.count(503)] == [10, 20]
    assert [(one.reason, one.author, one.users) for one in report.decisions] == [(Ending.RULE, "bob", 32)]
    assert one == [503, 410]
    assert last == [410] * 30


def test_a_rule_whose_logouts_were_withdrawn_logs_nobody_out(provider: Provider) -> None:
    """Its phones go on with their account; a changed rule decides anew."""
    phones = crowd(provider, 15)
    provider.has_policy(rule(f'{{ do = "log_out", message = "Bye." }}, {sets("X-a", "1")}'))
    for phone in phones:
        phone.asks()

    plan = provider.guarding.plan("EXAMPLE", held(provider))
    done = cancel_all(provider)
    kept = phones[-1].asks()
    again = phones[-1].asks().status
    provider.clock.time_s += 3600
    provider.has_policy(rule('{ do = "log_out", message = "Bye again." }'))

    assert plan == done == Cancellation("EXAMPLE", 0, 0, endless=0, reactivated=0, staying=0, due=0, rules=1)
    assert (kept.status, again) == (200, 304)
    assert b"<X-a>1</X-a>" in kept.body
    assert phones[-1].asks().status == 410


def test_rules_are_let_go_and_undone_by_their_numbers(provider: Provider) -> None:
    """Each rule is a decision of its own; what is not named stays held."""
    phones = crowd(provider, 30)
    ios, android = phones[:15], phones[15:]
    bye = '{ do = "log_out", message = "Bye." }'
    rules = [rule(bye, f'{{ if = "platform", one_of = ["{on}"] }}', name=on) for on in ("ios", "android")]
    provider.has_policy("".join(rules))
    first = [phone.asks(platform="ios").status for phone in ios]
    first += [phone.asks(platform="android").status for phone in android]
    numbers = held(provider)

    undone = provider.guarding.cancel("EXAMPLE", numbers[:1])
    kept = {phone.asks(platform="ios").status for phone in ios}
    waiting = {phone.asks(platform="android").status for phone in android}
    released = provider.guarding.release("EXAMPLE", numbers[1:])

    assert (first.count(410), first.count(503), len(numbers)) == (10, 20, 2)
    assert (undone.rules, released) == (1, 32)
    assert kept <= {200, 304}
    assert waiting == {503}
    assert {phone.asks(platform="android").status for phone in android} == {410}


@pytest.mark.parametrize("how", ["counted", "released", "withdrawn"])
def test_what_was_said_of_a_rule_is_not_forgotten(provider: Provider, how: str) -> None:
    """A rule may log out for years: who went by it stays counted, and who let it go or undid it is not asked again."""
    phones = crowd(provider, 15)
    provider.has_policy(rule('{ do = "log_out", message = "Bye." }'))
    count = 4 if how == "counted" else 15
    first = [phone.asks().status for phone in phones[:count]]
    if how == "released":
        release_all(provider)
    elif how == "withdrawn":
        cancel_all(provider)
    until_now(provider, 400 * 86400)

    directory_of(provider).suspend("EXAMPLE", "eve")
    until_now(provider, 3600)
    directory_of(provider).resume("EXAMPLE", "eve")
    last = [phone.asks().status for phone in phones]

    assert (first.count(410), first.count(503)) == {"counted": (4, 0)}.get(how, (10, 5))
    expected = {"counted": (10, 5), "released": (15, 0), "withdrawn": (0, 0)}
    assert (last.count(410), last.count(503)) == expected[how]


# --- how many devices ---


def test_one_device_too_many_is_refused(provider: Provider) -> None:
    """The others stay; a device that signs in anew is no further one."""
    provider.has_policy(rule('{ do = "at_most_devices", count = 2, message = "Two only." }'))
    phones = [provider.phone(installid="a"), provider.phone(installid="b")]

    refused, again = provider.signs_in(installid="c"), provider.signs_in(installid="b")

    assert (refused.status, again.status) == (403, 200)
    assert b"Two only." in refused.body
    assert [phone.asks().status for phone in phones] == [304, 304]


def test_the_oldest_device_ends_for_one_more(provider: Provider) -> None:
    """The one not seen for longest is told, and the guard is not: many may do the same in a minute."""
    provider.has_policy(rule('{ do = "at_most_devices", count = 2, then = "end_oldest" }'))
    first, second = provider.phone(installid="a"), provider.phone(installid="b")
    provider.clock.time_s += 100
    first.asks()
    provider.sightings.flush()

    third = provider.phone(installid="c")

    assert [phone.asks().status for phone in (first, second, third)] == [304, 410, 304]
    assert b"another device" in second.asks().body
    assert provider.guarding.show("EXAMPLE")[0].decisions == ()


def test_a_phone_that_is_there_already_is_never_one_too_many(provider: Provider) -> None:
    """Though a limit came later than the phones: one that was reset gets in, and nobody ends for it."""
    phones = [provider.phone(installid=name) for name in "abcd"]
    provider.clock.time_s += 100
    answers = []

    for then in ("refuse", "end_oldest"):
        provider.has_policy(rule(f'{{ do = "at_most_devices", count = 2, then = "{then}" }}'))
        answers.append(provider.signs_in(installid="a").status)

    assert answers == [200, 200]
    assert [phone.asks().status for phone in phones[1:]] == [304, 304, 304]
    assert provider.signs_in(installid="e").status == 200
    assert sorted(row["device"] for row in provider.installs() if row["ended"] == "limit") != []


def test_a_phone_that_asked_just_now_is_not_the_oldest(provider: Provider) -> None:
    """What was noted of it and not yet kept counts; the one that ends is told what the rule says."""
    provider.has_policy(rule('{ do = "at_most_devices", count = 2, then = "end_oldest", message = "Two at once." }'))
    first, second = provider.phone(installid="a"), provider.phone(installid="b")
    provider.clock.time_s += 100
    first.asks()

    third = provider.phone(installid="c")
    statuses = [phone.asks().status for phone in (first, second, third)]
    told = second.asks("/prov/again").body, second.asks("/prov/global/again").body
    provider.has_policy("")

    assert statuses == [304, 410, 304]
    assert all(b"Two at once." in body for body in told)
    assert b"another device" in second.asks().body


def test_who_has_several_devices(provider: Provider) -> None:
    """A rule on the number of installs follows it as it grows."""
    provider.has_policy(rule(sets("X-many", "1"), '{ if = "installs", at_least = 2 }'))
    first = provider.phone(installid="a")
    statuses = [first.asks().status]

    second = provider.phone(installid="b")
    statuses += [first.asks().status, second.asks().status]

    assert statuses == [304, 200, 304]
    assert second.account["X-many"] == "1"
