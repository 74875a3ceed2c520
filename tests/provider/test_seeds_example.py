"""The example that the app's own documentation gives of a successful external provisioning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lxml import etree

from offhook.provider.tenant import Credential, Tenant
from offhook.web.http import Call
from tests.world_provider import Provider, run


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE", credential=Credential.SIP))
        provider.has_user(
            "johndow@EXAMPLE",
            "12345678",
            attributes={"username": "B63349F4EE"},
            secrets={"password": "45F4BF5F0E191F5DCC27"},
            overrides={"allowMessage": "0"},
        )
        yield provider


def test_the_documented_request_gets_the_documented_answer(provider: Provider) -> None:
    """The request as it is printed gives four nodes, in this order, as XML."""
    call = Call(
        "GET",
        "/prov",
        "cloud_username=johndow&cloud_password=12345678&cloud_id=EXAMPLE&initialScreen=1",
        {
            "host": "provider.com",
            "connection": "close",
            "cache-control": "max-age=0",
            "user-agent": "CloudSoftphone/1.5.6",
        },
    )

    answer = run(provider.handlers["/prov"](call))

    account = etree.fromstring(answer.body)
    assert answer.status == 200
    assert answer.headers["Content-Type"].partition(";")[0] == "application/xml"
    assert account.tag == "account"
    assert [(node.tag, node.text) for node in account][:3] == [
        ("username", "B63349F4EE"),
        ("password", "45F4BF5F0E191F5DCC27"),
        ("allowMessage", "0"),
    ]
    assert [node.tag for node in account][3:] == ["X-install-id"]
    assert re.fullmatch("[0-9A-F]{32}", account.findtext("X-install-id") or "")


def test_the_install_is_kept_under_its_id(provider: Provider) -> None:
    """What the answer calls the install is what we know it by, with the app that made it."""
    call = Call(
        "GET",
        "/prov",
        "cloud_username=johndow&cloud_password=12345678&cloud_id=EXAMPLE&initialScreen=1",
        {"user-agent": "CloudSoftphone/1.5.6"},
    )

    answer = run(provider.handlers["/prov"](call))

    (install,) = provider.installs()
    assert install["id"] == etree.fromstring(answer.body).findtext("X-install-id")
    assert install["user_agent"] == "CloudSoftphone/1.5.6"


def test_every_sign_in_makes_an_install_of_its_own(provider: Provider) -> None:
    """Two phones of one user are told apart."""
    first, second = provider.signs_in(), provider.signs_in()

    ids = [etree.fromstring(answer.body).findtext("X-install-id") for answer in (first, second)]
    assert ids == [install["id"] for install in provider.installs()]
    assert ids[0] != ids[1]


def test_the_same_request_as_a_form_gets_the_same_answer(provider: Provider) -> None:
    """A provider that keeps passwords out of URLs loses nothing."""
    body = b"cloud_id=EXAMPLE&cloud_username=johndow&cloud_password=12345678"
    form = {"content-type": "application/x-www-form-urlencoded"}

    answer = provider.call(Call("POST", "/prov", headers=form, body=body))

    assert answer.status == 200
    assert etree.fromstring(answer.body).findtext("username") == "B63349F4EE"


def test_a_wrong_password_and_an_unknown_user_are_the_same(provider: Provider) -> None:
    """The same status, headers and document, after the same time on the clock and the same slow work."""
    before = provider.argon2.verified

    wrong = provider.signs_in(password="87654321")
    after_wrong, slept_after_wrong = provider.argon2.verified, list(provider.slept)
    unknown = provider.signs_in(username="nobody", password="87654321")

    assert wrong == unknown
    assert wrong.status == 403
    assert after_wrong - before == provider.argon2.verified - after_wrong == 1
    assert slept_after_wrong * 2 == provider.slept
