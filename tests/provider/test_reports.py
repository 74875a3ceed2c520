"""What phones report by themselves, and what an administrator sees of their installs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from offhook.core.errors import Invalid, NotFound
from offhook.core.placeholders import Scope
from offhook.core.webservice import define, prepare
from offhook.policy.fleetguard import Limits
from offhook.provider import tenancy
from offhook.provider.definitions import account_keys
from offhook.provider.reports import push_place
from offhook.provider.tenant import Credential, Tenant
from offhook.web.http import Call
from tests.world_provider import Provider

CANARY = "canary-4f1d"
URL = "https://prov.example.net"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        provider.has_user("johndow@EXAMPLE")
        yield provider


def test_a_removal_report_ends_the_install(provider: Provider) -> None:
    """Its token opens nothing from then on, its push token is gone, and to report again is no harm."""
    phone, other = provider.phone(), provider.phone()
    phone.reports("/prov/push-token", pushToken="t")

    statuses = [phone.reports(selector="s").status for _ in range(3)]

    ended, active = provider.installs()
    identity = phone.identity()
    assert statuses == [200] * 3
    assert (ended["state"], ended["ended"], ended["push_token"]) == ("ended", "reported", "")
    assert active["state"] == "active"
    assert provider.signs_in(password=identity["cloud_password"]).status == 403
    assert phone.reports("/prov/push-token", pushToken="t").status == 403
    assert other.asks().status == 200


def test_a_forged_report_does_nothing(provider: Provider) -> None:
    """Nor does one of another phone of the same user."""
    phone, other = provider.phone(), provider.phone()
    other.account["X-install-id"] = phone.account["X-install-id"]

    assert other.reports().status == 403
    assert phone.asks().status == 200


def test_looking_ends_nothing(provider: Provider) -> None:
    """A HEAD of whoever follows addresses is no report."""
    phone = provider.phone()

    answer = provider.call(Call("HEAD", "/prov/removed"))

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")
    assert phone.asks().status == 200


def test_push_tokens_are_kept_encrypted(provider: Provider) -> None:
    """And shown only as present or absent; none at all takes them back."""
    phone = provider.phone()
    install_id = phone.account["X-install-id"]

    phone.reports("/prov/push-token", pushToken=CANARY, pushTokenOther="%pushTokenOther%", selector="s")

    (row,) = provider.installs()
    assert CANARY not in str(row)
    assert (
        provider.sealer.open(row["push_token"], push_place(install_id)).reveal()
        == f'{{"selector":"s","pushToken":"{CANARY}"}}'
    )
    assert next(provider.installs_desk.of_cloud_id("EXAMPLE")).has_push_token
    phone.reports("/prov/push-token")
    assert not next(provider.installs_desk.of_user("EXAMPLE", "JohnDow")).has_push_token


def test_a_push_token_has_a_size(provider: Provider) -> None:
    """One that is no token is refused."""
    answer = provider.phone().reports("/prov/push-token", pushToken="x" * 5000)

    assert answer.status == 400


def test_installs_are_listed_and_revoked(provider: Provider) -> None:
    """With what their phones said when they last asked."""
    phone, other = provider.phone(), provider.phone()
    for _ in range(2):
        phone.asks()
        provider.clock.time_s += 60
    provider.sightings.flush()
    installs = provider.installs_desk

    shown = {one.id: one for one in installs.of_cloud_id("EXAMPLE")}
    seen, silent = shown[phone.account["X-install-id"]], shown[other.account["X-install-id"]]

    assert (seen.user, seen.is_current, provider.clock.now_s() - seen.seen_s) == ("johndow", True, 60)
    assert (silent.seen_s, silent.held_s, silent.is_current) == (0, 0, False)
    assert installs.revoke(seen.id)[1] is True
    assert installs.revoke(seen.id)[1] is False
    assert installs.revoke_user("EXAMPLE", "johndow") == 1
    assert [one.ended for one in installs.of_user("EXAMPLE", "johndow")] == ["revoked", "revoked"]
    with pytest.raises(NotFound, match="no install"):
        installs.revoke("nothing")


def test_no_secret_gets_out(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is sent where, right or wrong, no event, answer or representation repeats it."""
    caplog.set_level(logging.DEBUG)
    phone = provider.phone()
    token = phone.account["cloud_password"]
    calls = []
    for path in ("/prov/again", "/prov/global/again", "/prov/push-token", "/prov/removed"):
        for sent in (phone.identity(), *(phone.identity() | {name: CANARY} for name in phone.identity())):
            body = "&".join(f"{name}={text}" for name, text in {**sent, "pushToken": CANARY}.items()).encode()
            headers = {"if-none-match": CANARY, "if-modified-since": CANARY, "user-agent": CANARY}
            calls.append(Call("POST", path, "", headers, body))

    answers = [provider.call(call) for call in calls]

    told = [repr(calls), repr(provider.noted.events), caplog.text, repr(answers)]
    told += [f"{answer.headers} {answer.body!r}" for answer in answers]
    assert {answer.status for answer in answers} == {200, 403}
    assert not [text for text in told if CANARY in text or token in text]


# --- definitions ---


@pytest.mark.parametrize("credential", list(Credential))
@pytest.mark.parametrize("prefix", ["extProv", "extGlobalProv", "accountRemovalReporter", "pushTokenReporter"])
def test_an_app_sends_what_the_services_read(provider: Provider, credential: Credential, prefix: str) -> None:
    """Definition, placeholders of the account, form and face together authenticate a phone."""
    template = (
        "<account><cloud_username>{cloud_username}</cloud_username>"
        "<cloud_password>{cloud_password}</cloud_password></account>"
    )
    tenant = provider.has_tenant(
        Tenant("OTHER", credential=credential, template=template if credential is Credential.PASSWORD else "")
    )
    provider.has_user("ann@OTHER", attributes={"username": "B63349F4EE"}, secrets={"password": "a b&c=ü"})
    phone = provider.phone("ann", "OTHER")
    keys = account_keys(tenant, URL)
    definition = define(prefix, lambda key: keys.get(key, ""))
    assert definition is not None

    request = prepare(definition, Scope({"installid": "d", "selector": "s"}, phone.account), strict=True).request
    headers = {name.lower(): text for name, text in request.headers}
    answer = provider.call(Call(request.method, request.url.removeprefix(URL), "", headers, request.body))

    assert answer.status == 200
    assert keys["extProvLogoutStatusCode"] == "410"


@pytest.mark.parametrize("status", [200, 302, 304, 399, 400, 403, 404, 405, 408, 413, 414, 415, 429, 500, 503])
def test_a_status_that_means_something_else_logs_nobody_out(status: int) -> None:
    """It is refused as the logout status."""
    with pytest.raises(Invalid, match="logout status"):
        tenancy.check(Tenant("EXAMPLE", logout_status=status))


@pytest.mark.parametrize("limits", [Limits(share=1.1), Limits(window_s=1), Limits(floor=0)])
def test_limits_that_are_none_are_refused(limits: Limits) -> None:
    """One user's logout must always go, and a window has an end."""
    with pytest.raises(Invalid, match="logout"):
        tenancy.check(Tenant("EXAMPLE", logout_limits=limits))
