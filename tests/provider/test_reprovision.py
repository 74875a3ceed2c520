"""Re-provisioning: what a phone gets when it asks again, and when it is told to leave."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.core.dialplan import QuickDial
from offhook.core.secret import Secret
from offhook.provider.change import Change, Never
from offhook.provider.directory import Directory
from offhook.provider.subscriber import Override
from offhook.provider.tenant import Credential, Tenant
from offhook.provider.validators import COMPOSER_VERSION
from offhook.storage.life import LOOK_UP
from offhook.storage.revisions import of_an_answer
from offhook.web import dates
from offhook.web.http import Call
from tests.world_directory import directory_of
from tests.world_provider import NOON_S, Phone, Provider

SERVICES = ("/prov/again", "/prov/global/again")


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        provider.has_tenant(Tenant("SIP", credential=Credential.SIP))
        provider.has_tenant(Tenant("VENDOR", credential=Credential.PASSWORD, template=VENDORS))
        for cloud_id in ("EXAMPLE", "SIP", "VENDOR"):
            provider.has_user(
                f"johndow@{cloud_id}", attributes={"username": "B63349F4EE"}, secrets={"password": "45F4BF5F"}
            )
        yield provider


@pytest.fixture
def directory(provider: Provider) -> Directory:
    return directory_of(provider)


VENDORS = (
    "<account><cloud_username>{cloud_username}</cloud_username>"
    "<cloud_password>{cloud_password}</cloud_password></account>"
)
CLOUD_IDS = ("EXAMPLE", "SIP", "VENDOR")


# --- answers ---


@pytest.mark.parametrize("cloud_id", CLOUD_IDS)
def test_nothing_new_until_there_is(provider: Provider, directory: Directory, cloud_id: str) -> None:
    """A phone has its account from the sign-in, then gets 304, then a change as soon as there is one."""
    phone = provider.phone(cloud_id=cloud_id)

    statuses = [phone.asks().status, phone.asks().status, phone.asks(tags=False).status]
    directory.change(cloud_id, "johndow", Change(overrides={"allowMessage": Override("0")}))
    changed = phone.asks()

    assert statuses == [304, 304, 304]
    assert changed.status == 200
    assert b"<allowMessage>0</allowMessage>" in changed.body
    assert phone.asks().status == 304


@pytest.mark.parametrize("cloud_id", CLOUD_IDS)
def test_a_sign_in_says_of_itself_what_asking_again_would(provider: Provider, cloud_id: str) -> None:
    """Both services: a phone that knows nothing is told the same date and tag as the one that signed in."""
    path, user = "/prov/global", {"cloud_id": cloud_id, "cloud_username": "johndow", "cloud_password": "12345678"}
    common = provider.get(path, **user)
    phone = provider.phone(cloud_id=cloud_id)
    phone.keeps("/prov/global/again", common)
    told = {service: dict(phone.validators.pop(service)) for service in SERVICES}

    answers = [phone.asks(service) for service in SERVICES]

    assert [answer.status for answer in answers] == [200, 200]
    assert phone.validators == told
    assert answers[1].body == common.body


@pytest.mark.parametrize("cloud_id", CLOUD_IDS)
def test_a_change_after_a_sign_in_is_not_hidden(provider: Provider, directory: Directory, cloud_id: str) -> None:
    """Not even when the clock was ahead at the sign-in and set back before the change, then right again."""
    provider.clock.time_s = NOON_S + 3600
    phone = provider.phone(cloud_id=cloud_id)
    dated = provider.phone(cloud_id=cloud_id)
    dated.validators["/prov/again"] = {"if-modified-since": dates.write(provider.clock.now_s() + 1)}
    provider.clock.time_s = NOON_S
    directory.change(cloud_id, "johndow", Change(overrides={"allowMessage": Override("0")}))
    provider.clock.time_s = NOON_S + 7200

    answers = [phone.asks(tags=False, keep=False), phone.asks(), dated.asks()]

    assert [answer.status for answer in answers] == [200] * 3
    assert all(b"<allowMessage>0</allowMessage>" in answer.body for answer in answers)


def test_forgotten_phones_keep_nobody_behind_their_address_waiting(provider: Provider) -> None:
    """An office whose installs were forgotten asks and asks; who is right is answered, and may sign in."""
    phone = provider.phone(cloud_id="VENDOR")
    body = urlencode({"cloud_id": "VENDOR", "cloud_username": "x", "cloud_password": "y", "install_id": "gone"})
    headers = {"content-type": "application/x-www-form-urlencoded"}

    asked = [provider.call(Call("POST", "/prov/again", "", headers, body.encode())).status for _ in range(60)]

    assert asked == [403] * 60
    assert phone.asks().status == 304
    assert provider.signs_in().status == 200


def test_a_token_is_told_only_once(provider: Provider) -> None:
    """It is known only as a hash, and what is left out stays on the phone."""
    phone = provider.phone()
    token = phone.account["cloud_password"]
    phone.validators.clear()

    answer = phone.asks()

    assert b"cloud_password" not in answer.body
    assert token.encode() not in answer.body
    assert phone.account["cloud_password"] == token


def test_a_change_in_the_second_of_the_answer_is_not_hidden(provider: Provider, directory: Directory) -> None:
    """Neither from a phone that sends back our date, nor from one that sends the time at which it was answered."""
    ours, other = provider.phone(), provider.phone()
    other.validators["/prov/again"] = {"if-modified-since": dates.write(provider.clock.now_s())}

    directory.change("EXAMPLE", "johndow", Change(overrides={"a": Override("1")}))

    assert ours.asks(tags=False).status == 200
    assert other.asks(tags=False).status == 200


def test_a_new_password_is_no_new_answer(provider: Provider, directory: Directory) -> None:
    """Neither one that an administrator sets nor a better hash of the same."""
    provider.has_user("ann@EXAMPLE", "bcrypt:12345678")
    phone = provider.phone("ann")
    phone.asks()

    directory.change("EXAMPLE", "ann", Change(), Secret("another one"))

    assert phone.asks(tags=False).status == 304


def test_equal_bytes_are_never_sent_twice(provider: Provider) -> None:
    """A change that does not alter this answer costs a 304 with a new date."""
    phone = provider.phone()
    for path in SERVICES:
        phone.asks(path)
    before = phone.validators["/prov/again"]["if-modified-since"]

    provider.tenants.put(Tenant("EXAMPLE", common="<provisioning><quickDial/></provisioning>"))
    answers = [phone.asks(path) for path in SERVICES]

    assert [answer.status for answer in answers] == [304, 304]
    assert phone.validators["/prov/again"]["if-modified-since"] != before
    assert phone.asks(tags=False).status == 304


def test_another_release_may_compose_otherwise(provider: Provider) -> None:
    """Its dates are later ones, so neither a date nor a tag of before counts without a look at the bytes."""
    phone = provider.phone()
    before = phone.asks(tags=False)
    given_s = dates.read(before.headers["Last-Modified"]) or 0

    of_the_release_before = dates.write(given_s - COMPOSER_VERSION)
    phone.validators["/prov/again"]["if-modified-since"] = of_the_release_before

    assert before.status == 304
    assert given_s == of_an_answer(given_s - COMPOSER_VERSION, None)
    assert phone.asks(tags=False).status == 200


def test_the_global_part_comes_again(provider: Provider, directory: Directory) -> None:
    """With the user's own quick dials, and only when they changed."""
    phone = provider.phone()
    phone.asks("/prov/global/again")

    directory.change("EXAMPLE", "johndow", Change(quick_dials={"desk": QuickDial("desk", "Desk", "200")}))
    answer = phone.asks("/prov/global/again")

    assert answer.status == 200
    assert b"<uri>200</uri>" in answer.body
    assert phone.asks("/prov/global/again").status == 304


def test_validators_of_one_are_nothing_to_another(provider: Provider) -> None:
    """What a phone kept of another install or of the other service does not make it miss its own."""
    provider.has_user("ann@EXAMPLE")
    phone, other = provider.phone(), provider.phone("ann")
    phone.asks()
    phone.asks("/prov/global/again")

    other.validators["/prov/again"] = dict(phone.validators["/prov/again"])
    phone.validators["/prov/again"] = dict(phone.validators["/prov/global/again"])

    assert other.asks().status == 200
    assert phone.asks().status == 200


@pytest.mark.parametrize("since_s", [NOON_S - 100, NOON_S + 4, NOON_S + 100])
def test_a_date_that_is_not_ours_is_in_doubt(provider: Provider, since_s: int) -> None:
    """It is answered whole, whether it lies before the last change, after it, or in the future."""
    phone = provider.phone()
    phone.validators["/prov/again"] = {"if-modified-since": dates.write(since_s)}

    assert phone.asks(keep=False).status == 200
    provider.clock.time_s = NOON_S + 50
    assert phone.asks(keep=False).status == 200


@pytest.mark.parametrize("tag", ["*", "W/*", '"', "x" * 5000, '"1-2-3"', '"ffffffffffffffffff-' + "0" * 16 + '-1"'])
def test_a_tag_that_is_not_ours_is_in_doubt(provider: Provider, tag: str) -> None:
    """And it is what counts, whatever date comes along."""
    phone = provider.phone()
    phone.asks()

    phone.validators["/prov/again"]["if-none-match"] = tag

    assert phone.asks().status == 200


# --- who asks ---


def test_new_sip_credentials_reach_the_phone_that_has_the_old_ones(provider: Provider, directory: Directory) -> None:
    """It comes with what it was given, also when answers with newer ones were lost."""
    phone = provider.phone(cloud_id="SIP")
    for password in ("second", "third", "fourth"):
        directory.change("SIP", "johndow", Change(secrets={"password": Secret(password)}))
        assert phone.asks(keep=False).status == 200

    assert phone.asks().status == 200
    assert phone.account["password"] == "fourth"
    assert phone.asks().status == 304


def test_sip_credentials_count_as_the_template_says(provider: Provider, directory: Directory) -> None:
    """Whatever the account calls username and password is what the phone sends back."""
    provider.tenants.put(
        Tenant(
            "SIP", template="<account><username>sip-{cloud_username}</username></account>", credential=Credential.SIP
        )
    )
    phone = provider.phone(cloud_id="SIP")

    assert phone.account["username"] == "sip-johndow"
    assert phone.asks().status == 304


def test_a_cloud_id_that_comes_to_use_sip_credentials(provider: Provider) -> None:
    """Its phones may send those from then on, though they were never noted."""
    phone = provider.phone()
    provider.tenants.put(Tenant("EXAMPLE", credential=Credential.SIP))
    del phone.account["cloud_password"]

    assert phone.asks().status == 200
    assert phone.asks().status == 304


@pytest.mark.parametrize("cloud_id", CLOUD_IDS)
@pytest.mark.parametrize("path", [*SERVICES, "/prov/removed", "/prov/push-token"])
def test_who_is_wrong_is_never_logged_out(provider: Provider, cloud_id: str, path: str) -> None:
    """An unknown install, a wrong secret and another Cloud ID look the same, even for who is suspended."""
    phone = provider.phone(cloud_id=cloud_id)
    provider.suspend(provider.subscribers.get(cloud_id, "johndow"))
    known = phone.identity()
    wrong = [known | {name: "AD4535EF902BB13"} for name in ("cloud_password", "install_id", "cloud_id")]

    answers = [provider.call(Call("POST", path, "", body=urlencode(one).encode())) for one in wrong]

    assert {answer.status for answer in answers} == {403}
    assert len({answer.body for answer in answers}) == 1
    assert provider.installs()[0]["state"] == "active"


def test_guessing_is_slow_and_never_holds_up_who_is_right(provider: Provider) -> None:
    """After some wrong tries there is a wait, but not for the phone itself."""
    phone = provider.phone()
    token, statuses = phone.account["cloud_password"], set()
    for number in range(40):
        phone.account["cloud_password"] = f"guess {number}"
        statuses.add(phone.asks().status)

    phone.account["cloud_password"] = token

    assert statuses == {403, 429}
    assert phone.asks().status == 304


@pytest.mark.parametrize("missing", ["cloud_id", "cloud_password", "install_id"])
def test_what_is_missing_is_said(provider: Provider, missing: str) -> None:
    """An app that does not know a placeholder sends it as it stands, which is as good as nothing (D19)."""
    sent = provider.phone().identity() | {missing: "%account[X-y]%"}

    answer = provider.call(Call("POST", "/prov/again", "", body=urlencode(sent).encode()))

    assert answer.status == 400
    assert f"{missing} is missing".encode() in answer.body


# --- leaving ---


@pytest.mark.parametrize("cloud_id", ["EXAMPLE", "SIP"])
@pytest.mark.parametrize("how", ["suspended", "revoked", "deleted", "expired", "reported"])
def test_a_decision_logs_out(provider: Provider, directory: Directory, cloud_id: str, how: str) -> None:
    """With the status of the Cloud ID and a message, however often the phone asks, and whatever it has."""
    provider.tenants.put(msgspec.structs.replace(provider.tenants.get(cloud_id), logout_status=419))
    phone = provider.phone(cloud_id=cloud_id)
    phone.asks()

    decide(provider, directory, phone, how)
    answers = [phone.asks(path) for path in (*SERVICES, *SERVICES)]

    assert [answer.status for answer in answers] == [419] * 4
    assert answers[0].body.startswith(b"<error><message>")


def decide(provider: Provider, directory: Directory, phone: Phone, how: str) -> None:
    match how:
        case "suspended":
            directory.suspend(phone.cloud_id, "johndow")
        case "revoked":
            provider.installs_desk.revoke(phone.account["X-install-id"])
        case "deleted":
            directory.remove(phone.cloud_id, "johndow")
            directory.add(phone.cloud_id, "johndow", Secret("12345678"))
        case "expired":
            directory.change(phone.cloud_id, "johndow", Change(expires_s=provider.clock.now_s()))
        case _:
            assert phone.reports().status == 200


def test_who_is_let_in_again_stays(provider: Provider, directory: Directory) -> None:
    """Resumed, and no longer expired; a phone that did not ask meanwhile never knew."""
    phone = provider.phone()
    directory.suspend("EXAMPLE", "johndow")
    directory.resume("EXAMPLE", "johndow")
    directory.change("EXAMPLE", "johndow", Change(expires_s=NOON_S - 1))
    assert provider.signs_in().status == 403

    directory.change("EXAMPLE", "johndow", Change(expires_s=Never()))

    assert phone.asks().status == 304
    assert provider.signs_in().status == 200


def test_an_install_takes_the_place_of_an_older_one_when_it_comes_back(provider: Provider) -> None:
    """Till then the device may have kept the older one; afterwards that is refused, and its late report welcome."""
    old = provider.phone(installid="d-1")
    new = provider.phone(installid="d-1")
    assert [old.asks().status, provider.sightings.flush(), old.asks().status] == [304, 1, 304]

    new.asks()
    provider.sightings.flush()

    assert old.asks().status == 403
    assert old.reports().status == 200
    assert new.asks().status == 304


def test_an_app_that_asks_where_it_signed_in_was_seen(provider: Provider) -> None:
    """As with the vendor's sample: its token at the address of the sign-in is as good a sign of life."""
    old, new = provider.phone(installid="d-1"), provider.phone(installid="d-1")
    provider.clock.time_s += 60

    asked = provider.signs_in(password=new.account["cloud_password"], install_id=new.account["X-install-id"])
    provider.sightings.flush()

    assert asked.status == 200
    assert [install["seen_s"] for install in provider.installs()] == [0, NOON_S + 60]
    assert [old.asks().status, new.asks().status] == [403, 304]


def test_an_install_that_only_reports_its_removal_replaces_as_well(provider: Provider) -> None:
    """It has shown that the device had it, so the older one will not come back."""
    provider.phone(installid="d-1")
    new = provider.phone(installid="d-1")

    new.reports()

    assert [install["ended"] for install in provider.installs()] == ["replaced", "reported"]


# --- what it costs ---


def test_a_304_is_one_query_and_nothing_else(provider: Provider) -> None:
    """No slow hash, no composing, no write, whatever the phone sends of what it has."""
    phones = [provider.phone(), provider.phone(cloud_id="SIP")]
    for phone in phones:
        phone.asks()
    statements: list[str] = []
    provider.argon2.verified = 0
    watched = provider.database.reader, provider.database._writer
    for connection in watched:
        connection.set_trace_callback(statements.append)
    provider.composer.sealer._ciphers.clear()

    answers = [phone.asks(tags=tags) for phone in phones for tags in (True, False)]

    assert [answer.status for answer in answers] == [304] * 4
    assert len(statements) == 4
    assert provider.argon2.verified == 0
    for connection in watched:
        connection.set_trace_callback(None)
    plan = provider.database.reader.execute(f"EXPLAIN QUERY PLAN {LOOK_UP}", {"install_id": "", "of": ""}).fetchall()
    # One of them is looked for only while an account leaves for another SIP system.
    assert {step[3].split()[0] for step in plan} == {"SEARCH", "CORRELATED"}


def test_a_200_is_one_query(provider: Provider) -> None:
    """And writes nothing, unless it carries SIP credentials that the install did not have."""
    phone, sip = provider.phone(), provider.phone(cloud_id="SIP")
    phone.validators.clear()
    sip.validators.clear()
    statements: list[str] = []
    for connection in (provider.database.reader, provider.database._writer):
        connection.set_trace_callback(statements.append)

    assert [phone.asks().status, sip.asks().status] == [200, 200]

    assert len(statements) == 2
    for connection in (provider.database.reader, provider.database._writer):
        connection.set_trace_callback(None)


# --- faults ---


@pytest.mark.parametrize("path", [*SERVICES, "/prov/removed", "/prov/push-token"])
@pytest.mark.parametrize("fault", ["unreadable", "full", "no keys", "half a row"])
def test_a_fault_never_logs_out(provider: Provider, path: str, fault: str) -> None:
    """Whatever of ours breaks, the phone keeps its account and comes back later."""
    provider.tenants.put(Tenant("SIP", template="<account><p>{pin}</p></account>", credential=Credential.SIP))
    user = provider.has_user("ann@SIP", secrets={"pin": "1", "password": "x" * 40}, attributes={"username": "a"})
    phone = provider.phone("ann", "SIP")
    directory_of(provider).change("SIP", "ann", Change(secrets={"password": Secret("newer")}))
    is_report = path not in SERVICES

    with broken(provider, fault):
        answer = phone.reports(path, pushToken="t")

    needs_it = {
        "unreadable": True,
        "full": is_report or path == "/prov/again",  # the newer password has to be noted before it is given
        "no keys": path == "/prov/again",
        "half a row": not is_report,
    }
    assert user.id
    assert answer.status == (503 if needs_it[fault] else 200)
    assert answer.status == 200 or int(answer.headers["Retry-After"]) > 0


@contextmanager
def broken(provider: Provider, fault: str) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    match fault:
        case "unreadable":
            provider.database.reader.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        case "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        case "no keys" if provider.sealer._current == 1:
            provider.sealer._ciphers[2] = provider.sealer._ciphers.pop(1)
            provider.sealer._current = 2
        case _:
            with provider.database.begin() as connection:
                connection.exec_driver_sql("DELETE FROM subscriber WHERE username = 'ann'")
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    provider.database.reader.set_authorizer(None)


# --- the law ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("clock"), st.sampled_from([-90, -1, 0, 1, 30])),
        st.tuples(st.just("set"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("template"), st.sampled_from(["1", "2"])),
        st.tuples(st.just("password"), st.just("x")),
        st.tuples(st.just("ask"), st.booleans()),
    ),
    min_size=4,
    max_size=24,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_phone_never_keeps_what_is_old(provider: Provider, steps: list[tuple[str, str | int]]) -> None:
    """Whatever changes in whatever order, and however the clock goes, a 304 is said only to who has the newest bytes.

    With a tag it is said to everybody who has, and the date of answers never goes back.
    """
    directory = directory_of(provider)
    name = f"user{provider.dice.thrown}"
    provider.has_user(f"{name}@EXAMPLE")
    phone, fresh = provider.phone(name), provider.phone(name)
    phone.validators.clear()
    phone.asks()
    dated_s = 0
    for step, what in steps:
        match step:
            case "clock":
                provider.clock.time_s += int(what)
            case "set":
                directory.change("EXAMPLE", name, Change(overrides={"key": Override(str(what))}))
            case "template":
                provider.tenants.put(Tenant("EXAMPLE", template=f"<account><t>{what}</t></account>"))
            case "password":
                directory.change("EXAMPLE", name, Change(), Secret(str(what)))
            case _:
                fresh.validators.clear()
                newest = fresh.asks().body.replace(fresh.identity()["install_id"].encode(), b"ID")
                answer = phone.asks(tags=bool(what))
                had = phone.bodies["/prov/again"].replace(phone.identity()["install_id"].encode(), b"ID")
                modified_s = dates.read(answer.headers["Last-Modified"]) or 0
                assert answer.status in {200, 304}
                assert had == newest
                assert modified_s >= dated_s
                dated_s = modified_s
    assert phone.asks().status in {200, 304}
    assert phone.asks().status == 304
