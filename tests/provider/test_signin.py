"""Signing in as a use case: what it costs, what it keeps, and what it replaces."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from offhook.core.errors import Conflict
from offhook.core.secret import Secret
from offhook.provider import change as changes
from offhook.provider.request import SignInRequest
from offhook.provider.subscriber import MAX_PASSWORD, Argon2, username_key
from offhook.provider.tenant import Credential, Names, Tenant
from offhook.web.http import Answer, Call
from tests.world_provider import Provider, run

QUERY = {"cloud_id": "EXAMPLE", "cloud_username": "johndow", "cloud_password": "12345678"}


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        yield provider


def text(answer: Answer, key: str) -> str:
    assert answer.status == 200, answer.body
    return etree.fromstring(answer.body).findtext(key) or ""


@pytest.mark.parametrize("kind", ["bcrypt", "sealed"])
def test_an_imported_password_is_replaced_at_the_first_sign_in(provider: Provider, kind: str) -> None:
    """The user signs in twice with the same password; from the second time on it is an Argon2id hash."""
    provider.has_tenant(Tenant("EXAMPLE"))
    user = provider.has_user("johndow@EXAMPLE", f"{kind}:12345678")

    first = provider.signs_in()
    kept = provider.subscribers.get("EXAMPLE", "johndow")
    provider.clock.time_s += 3600
    second = provider.signs_in()

    assert (first.status, second.status) == (200, 200)
    assert not isinstance(user.password, Argon2)
    assert isinstance(kept.password, Argon2)
    assert kept.revision == user.revision + 1
    assert provider.subscribers.get("EXAMPLE", "johndow") == kept
    assert provider.signs_in(password="87654321").status == 403


@pytest.mark.parametrize(("passes", "stays"), [(1, False), (2, True), (4, True)])
def test_a_weak_hash_is_renewed_at_the_next_sign_in(provider: Provider, passes: int, stays: bool) -> None:
    """An imported Argon2id hash of less effort than ours is replaced by one of ours; one of as much or more stays."""
    ours = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    imported = Argon2(PasswordHasher(time_cost=passes, memory_cost=8, parallelism=1).hash("12345678"))
    provider.has_tenant(Tenant("EXAMPLE"))
    user = provider.has_user("johndow@EXAMPLE")
    provider.subscribers.replace(msgspec.structs.replace(user, password=imported, revision=1))
    provider.pool._argon2 = ours

    assert provider.signs_in().status == 200

    kept = provider.subscribers.get("EXAMPLE", "johndow").password
    assert (kept == imported) is stays
    assert "t=1" not in kept.text
    provider.clock.time_s += 3600
    assert provider.signs_in().status == 200


def test_a_wrong_password_replaces_nothing(provider: Provider) -> None:
    """What was imported stays until its owner has come."""
    provider.has_tenant(Tenant("EXAMPLE"))
    user = provider.has_user("johndow@EXAMPLE", "bcrypt:12345678")

    provider.signs_in(password="87654321")

    assert provider.subscribers.get("EXAMPLE", "johndow") == user
    assert provider.installs() == []


def test_both_calls_of_a_sign_in_cost_one_slow_hash(provider: Provider) -> None:
    """The global call pays, and the account call a moment later does not."""
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user("johndow@EXAMPLE")
    before = provider.argon2.verified

    assert provider.get("/prov/global", **QUERY).status == 200
    assert provider.get("/prov", **QUERY).status == 200

    assert provider.argon2.verified - before == 1


def test_a_changed_password_counts_at_once(provider: Provider) -> None:
    """Nobody gets in with the old one, however recently it was right."""
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user("johndow@EXAMPLE")
    provider.signs_in()
    known = provider.subscribers.get("EXAMPLE", "johndow")
    provider.subscribers.replace(msgspec.structs.replace(known, password=Argon2(provider.argon2.hash("new"))))

    assert provider.signs_in().status == 403
    assert provider.signs_in(password="new").status == 200


def test_a_token_costs_no_slow_hash_and_makes_no_install(provider: Provider) -> None:
    """An app that asks again with what it was given is known by it (D20)."""
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user("johndow@EXAMPLE")
    first = provider.signs_in()
    token, install = text(first, "cloud_password"), text(first, "X-install-id")
    cost, installs = provider.argon2.verified, provider.installs()

    again = provider.signs_in(password=token, install_id=install)

    assert again == first
    assert provider.argon2.verified == cost
    assert provider.installs() == installs
    assert len(token) == 43
    assert token.encode() not in installs[0]["token_hash"]


def test_a_token_is_of_one_user_and_one_cloud_id(provider: Provider) -> None:
    """With somebody else's name it is a wrong password."""
    for cloud_id in ("EXAMPLE", "OTHER"):
        provider.has_tenant(Tenant(cloud_id))
        provider.has_user(f"johndow@{cloud_id}")
    provider.has_user("ann@EXAMPLE")
    token = text(provider.signs_in(), "cloud_password")

    assert provider.signs_in(username="ann", password=token).status == 403
    assert provider.signs_in(password=token, cloud_id="OTHER").status == 403
    assert provider.signs_in(password=token).status == 200


def test_a_suspended_user_gets_nothing_for_a_token(provider: Provider) -> None:
    """The token proves who it is; that they may not come in is told them."""
    provider.has_tenant(Tenant("EXAMPLE"))
    user = provider.has_user("johndow@EXAMPLE")
    token = text(provider.signs_in(), "cloud_password")
    provider.suspend(user)

    answer = provider.signs_in(password=token)

    assert answer.status == 403
    assert b"suspended" in answer.body


@pytest.mark.parametrize("credential", [Credential.SIP, Credential.PASSWORD])
def test_an_app_that_comes_with_its_install_keeps_it(provider: Provider, credential: Credential) -> None:
    """Where the app keeps the password itself, asking again makes no further install."""
    provider.has_tenant(Tenant("EXAMPLE", credential=credential))
    provider.has_user("johndow@EXAMPLE")
    first = provider.signs_in()

    again = provider.signs_in(install_id=text(first, "X-install-id"))

    assert again == first
    assert len(provider.installs()) == 1


def test_somebody_elses_install_is_not_taken_over(provider: Provider) -> None:
    """An install id is no proof of anything, and belongs to one user."""
    provider.has_tenant(Tenant("EXAMPLE", credential=Credential.SIP))
    provider.has_user("johndow@EXAMPLE")
    provider.has_user("ann@EXAMPLE")
    of_john = text(provider.signs_in(), "X-install-id")

    of_ann = text(provider.signs_in(username="ann", install_id=of_john), "X-install-id")

    assert of_ann != of_john


def test_head_looks_and_keeps_nothing(provider: Provider) -> None:
    """A monitor that asks every minute leaves no trace, and sees what GET would say of itself."""
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user("johndow@EXAMPLE", "bcrypt:12345678")

    looked = provider.call(Call("HEAD", "/prov", urlencode(QUERY)))
    kept, installs = provider.subscribers.get("EXAMPLE", "johndow"), provider.installs()
    got = provider.call(Call("GET", "/prov", urlencode(QUERY)))

    assert (looked.status, looked.headers.keys(), len(looked.body)) == (got.status, got.headers.keys(), len(got.body))
    assert not isinstance(kept.password, Argon2)
    assert installs == []
    assert [event for event, _ in provider.noted.events] == ["account.looked_at", "account.served"]


def test_a_name_that_was_changed_counts_at_once(provider: Provider) -> None:
    """The names of the parameters are those of the Cloud ID as it is now, and changing them back works as well."""
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user("johndow@EXAMPLE")
    own = {"cloud_id": "EXAMPLE", "login": "johndow", "cloud_password": "12345678"}
    statuses = [provider.get(**QUERY).status]

    for names in (Names(username="login"), Names()):
        provider.has_tenant(Tenant("EXAMPLE", names=names))
        statuses += [provider.get(**own).status, provider.get(**QUERY).status]

    assert statuses == [200, 200, 400, 400, 200]


def test_what_the_app_says_of_itself_is_cut(provider: Provider) -> None:
    """Neither its device id nor its name can fill the database."""
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user("johndow@EXAMPLE")
    query = urlencode({**QUERY, "installid": "d" * 5000})

    answer = provider.call(Call("GET", "/prov", query, {"user-agent": "u" * 5000}))

    (install,) = provider.installs()
    assert answer.status == 200
    assert (len(install["device"]), len(install["user_agent"])) == (200, 200)


@pytest.mark.parametrize("field", ["cloud_username", "cloud_password"])
def test_every_size_has_a_limit(provider: Provider, field: str) -> None:
    """What is too long to be a name or a password is refused before it costs anything."""
    provider.has_tenant(Tenant("EXAMPLE"))
    before = provider.argon2.verified

    answer = provider.get(**{**QUERY, field: "x" * 2049})

    assert answer.status == 400
    assert b"xxx" not in answer.body
    assert provider.argon2.verified == before


def test_two_sign_ins_at_once_both_count(provider: Provider) -> None:
    """Two phones of an imported user at the same moment: two installs, one new hash, and both tokens are good."""
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user("johndow@EXAMPLE", "sealed:12345678")

    async def together() -> list[Answer]:
        call = Call("GET", "/prov", urlencode(QUERY))
        return await asyncio.gather(*(provider.handlers["/prov"](call) for _ in range(2)))

    answers = run(together())

    assert len(provider.installs()) == 2
    assert all(provider.signs_in(password=text(answer, "cloud_password")).status == 200 for answer in answers)
    assert isinstance(provider.subscribers.get("EXAMPLE", username_key("johndow")).password, Argon2)


def test_a_request_shows_nothing_of_what_was_sent() -> None:
    """Neither name nor password are in its representation."""
    request = SignInRequest("EXAMPLE", QUERY)

    assert repr(request) == "SignInRequest(3 parameters)"
    assert "12345678" not in repr(request.read(Names()))


def test_a_password_is_never_taken_for_something_else() -> None:
    """Also where a Cloud ID gives it a name by which a version is usually called."""
    request = SignInRequest("EXAMPLE", {"version": "12345678", "platform": "ios"})

    inputs = request.read(Names(password="version"))

    assert (inputs.circumstances.app_version, inputs.circumstances.platform) == ("", "ios")


def test_unknown_users_count_for_the_address(provider: Provider) -> None:
    """Whoever tries one name after the other is told to wait, whether or not there is anybody of that name."""
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user("johndow@EXAMPLE")

    statuses = [provider.signs_in(f"nobody{number}", "x").status for number in range(31)]

    assert statuses == [403] * 30 + [429]
    assert provider.signs_in().status == 429


def test_the_longest_password_that_can_be_set_signs_in(provider: Provider) -> None:
    """There is one limit for both."""
    provider.has_tenant(Tenant("EXAMPLE"))
    password = "x" * MAX_PASSWORD
    provider.has_user("johndow@EXAMPLE", password)

    assert list(changes.password_faults(Secret(password))) == []
    assert provider.signs_in(password=password).status == 200


def test_a_name_is_one_however_its_accents_are_encoded(provider: Provider) -> None:
    """Composed or decomposed, in upper case or lower, it is the same user, of whom there is only one."""
    composed, decomposed = "Zo\u00eb", "ZOE\u0308"
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user(f"{composed}@EXAMPLE")

    with pytest.raises(Conflict):
        provider.has_user(f"{decomposed}@EXAMPLE")
    assert [provider.signs_in(name).status for name in (composed, decomposed)] == [200, 200]


@given(st.text(min_size=1, max_size=20).filter(str.strip))
def test_the_key_of_a_name_is_a_fixed_point(name: str) -> None:
    """However a name is written, and once more in its key's own form, it is the same."""
    key = username_key(name)

    assert {username_key(unicodedata.normalize(form, name)) for form in ("NFC", "NFD")} == {key}
    assert username_key(key) == key


def test_a_number_in_json_is_the_text_it_is_written_as(provider: Provider) -> None:
    """A password of digits need not stand between quotation marks."""
    provider.has_tenant(Tenant("EXAMPLE"))
    provider.has_user("2001@EXAMPLE", "12345678901234567890123")
    body = b'{"cloud_id": "EXAMPLE", "cloud_username": 2001, "cloud_password": 12345678901234567890123}'

    assert provider.call(Call("POST", "/prov", "", {"content-type": "application/json"}, body)).status == 200
