"""What phones come with that is not what they should have: recognised where they are to leave, refused elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest

from offhook.core.errors import Invalid
from offhook.core.secret import Secret
from offhook.policy import document
from offhook.provider import template
from offhook.provider.change import Change
from offhook.provider.definitions import account_keys
from offhook.provider.directory import Directory
from offhook.provider.subscriber import Override
from offhook.provider.tenant import Credential, Tenant
from offhook.storage.subscribers import KEPT_S
from offhook.web.http import Call
from tests.world_directory import directory_of
from tests.world_provider import Phone, Provider

VENDORS = (
    "<account><cloud_username>{cloud_username}</cloud_username>"
    "<cloud_password>{cloud_password}</cloud_password></account>"
)


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


# --- the user's own password ---


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("how", ["suspend", "revoke", "remove", "expire", "report"])
def test_a_phone_with_the_users_password_is_told_to_leave(
    provider: Provider, directory: Directory, how: str, *, reset: bool
) -> None:
    """Where a Cloud ID returns the password as typed, too; also when that was set anew, or the user is gone."""
    phone = provider.phone(cloud_id="VENDOR")
    if reset:
        directory.change("VENDOR", "johndow", Change(), Secret("another one"))

    match how:
        case "suspend":
            directory.suspend("VENDOR", "johndow")
        case "revoke":
            provider.installs_desk.revoke(phone.account["X-install-id"])
        case "remove":
            directory.remove("VENDOR", "johndow")
        case "expire":
            directory.change("VENDOR", "johndow", Change(expires_s=provider.clock.now_s()))
        case _:
            assert phone.reports().status == (403 if reset else 200)
            return

    assert [phone.asks().status for _ in range(2)] == [410, 410]
    phone.account["cloud_password"] = "a guess"
    assert phone.asks().status == 403


def test_a_password_of_before_opens_nothing(provider: Provider, directory: Directory) -> None:
    """After a reset, the phone that has the old one is refused, until its user signs in anew."""
    phone = provider.phone(cloud_id="VENDOR")

    directory.change("VENDOR", "johndow", Change(), Secret("another one"))

    assert phone.asks().status == 403
    assert provider.phone(cloud_id="VENDOR", cloud_password="another one").asks().status == 304


def test_the_other_installs_of_a_removed_user_keep_no_password(provider: Provider, directory: Directory) -> None:
    """Who comes with a token is recognised by that; and in the end a tombstone is forgotten."""
    phones = [provider.phone(), provider.phone(cloud_id="VENDOR")]
    provider.has_user("ann@EXAMPLE")
    directory.remove("EXAMPLE", "johndow")
    directory.remove("VENDOR", "johndow")

    kept = [bool(install["password"]) for install in provider.installs()]
    provider.clock.time_s += KEPT_S + 1
    directory.remove("EXAMPLE", "ann")

    assert kept == [False, True]
    assert [install["cloud_id"] for install in provider.installs()] == ["VENDOR"]
    assert [phone.asks().status for phone in phones] == [403, 410]


# --- SIP credentials ---


def test_sip_credentials_of_before_are_good_until_the_phone_has_new_ones(
    provider: Provider, directory: Directory
) -> None:
    """Once it has come with those it was given last, whoever has found the older ones gets nothing for them."""
    phone = provider.phone(cloud_id="SIP")
    thief = Phone.__new__(Phone)
    thief.__dict__ = {**vars(phone), "account": dict(phone.account), "validators": {}}
    for password in ("second", "third"):
        directory.change("SIP", "johndow", Change(secrets={"password": Secret(password)}))
        assert phone.asks(keep=False).status == 200
    assert phone.asks().status == 200

    still = thief.asks(keep=False).status
    assert phone.asks().status == 304
    provider.sightings.flush()

    assert still == 200
    assert thief.asks(keep=False).status == 403
    assert phone.asks().status == 304


# --- strangers ---


def test_forgotten_phones_of_an_office_hold_nobody_up(provider: Provider) -> None:
    """However many come from one address, who is right there is served, also by a slow hash."""
    phone = provider.phone(cloud_id="VENDOR")
    for number in range(100):
        sent = {"cloud_id": "VENDOR", "cloud_username": "x", "cloud_password": "y", "install_id": f"gone{number}"}
        assert provider.call(Call("POST", "/prov/again", "", body=urlencode(sent).encode())).status == 403
    provider.clock.time_s += 3600
    others = [provider.phone(cloud_id="VENDOR") for _ in range(40)]
    for other in others:
        other.account["cloud_password"] = "of before"
        assert other.asks().status == 403

    assert phone.asks().status == 304


# --- the logout status ---


def test_a_phone_is_answered_with_the_status_that_it_knows(provider: Provider, directory: Directory) -> None:
    """A new one comes with the account; who has not asked since is logged out with the old one."""
    tenant = provider.tenants.get("EXAMPLE")
    statuses = [410, 423, 418, 410]
    phones = [provider.phone()]
    for status in statuses[1:]:
        provider.clock.time_s += 10
        provider.tenants.put(msgspec.structs.replace(tenant, logout_status=status))
        phones.append(provider.phone())
    known = [phone.account.get("extProvLogoutStatusCode", "410") for phone in phones]

    directory.suspend("EXAMPLE", "johndow")

    assert known == ["410", "423", "418", "410"]
    assert [phone.asks(tags=False).status for phone in phones] == statuses
    assert [phone.asks().status for phone in phones] == statuses


def test_a_new_logout_status_reaches_a_phone_with_its_account(provider: Provider, directory: Directory) -> None:
    """The portal, which cannot know what a phone has, goes on telling the first one."""
    phone = provider.phone()
    tenant = msgspec.structs.replace(provider.tenants.get("EXAMPLE"), logout_status=423)

    provider.tenants.put(tenant)
    changed = phone.asks()
    directory.suspend("EXAMPLE", "johndow")

    assert b"<extProvLogoutStatusCode>423<" in changed.body
    keys = account_keys(provider.tenants.get("EXAMPLE"), "https://prov.example.net")
    assert keys["extProvLogoutStatusCode"] == "410"
    assert phone.asks().status == 423


def test_nobody_but_the_cloud_id_says_which_status_logs_out(provider: Provider, directory: Directory) -> None:
    """With another one, a phone would take a refusal for a logout; what was stored before counts for nothing."""
    with pytest.raises(Invalid, match="belongs to the Cloud ID"):
        directory.change("EXAMPLE", "johndow", Change(overrides={"extProvLogoutStatusCode": Override("403")}))
    with pytest.raises(Invalid, match="belongs to the Cloud ID"):
        template.validate("<account><extProvLogoutStatusCode>403</extProvLogoutStatusCode></account>")
    for then in ('do = "set", value = "403"', 'do = "blank"'):
        with pytest.raises(Invalid, match="belongs to the Cloud ID"):
            document.parse(f'[[rules]]\nid = "a"\nthen = [{{ key = "extProvLogoutStatusCode", {then} }}]')
    provider.has_user("eve@EXAMPLE", overrides={"extProvLogoutStatusCode": "403"})

    account = provider.phone("eve").account

    assert account["extProvLogoutStatusCode"] == "410"
