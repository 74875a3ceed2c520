"""What phones come with that is not what they should have: recognised where they are to leave, refused elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from offhook.provider.directory import Directory
from offhook.provider.tenant import Credential, Tenant
from offhook.web.http import Call
from tests.world_directory import directory_of
from tests.world_provider import Provider

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
