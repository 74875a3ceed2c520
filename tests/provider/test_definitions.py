"""The definitions of the sign-in, as they are pasted into a portal, and as an app reads them."""

from __future__ import annotations

import pytest
from lxml import etree

from offhook.core import webservice
from offhook.core.errors import Invalid
from offhook.core.placeholders import Scope
from offhook.provider.definitions import as_lines, as_xml, check_public_url, definitions
from offhook.provider.tenant import Names, Tenant
from offhook.web import parameters
from offhook.web.http import Call

URL = "https://prov.example.net"
INPUTS = {"username": "ann&co", "password": "S3cr&t=ü ", "fullcode": "EXAMPLE*", "installid": "d-1"}
INPUTS |= {"platform": "ios", "version": "9.1", "platformversion": "17.4", "locale": "de-AT"}
DEVICE = "platform=%platform%&version=%version%&platformversion=%platformversion%&locale=%locale%"


@pytest.mark.parametrize("prefix", [webservice.INITIAL, webservice.GLOBAL])
def test_an_app_sends_what_the_face_reads(prefix: str) -> None:
    """Definition, placeholders, form and parameters together bring every input across."""
    keys = definitions(Tenant("EXAMPLE"), URL)
    definition = webservice.define(prefix, lambda key: keys.get(key, ""))
    assert definition is not None

    request = webservice.prepare(definition, Scope(INPUTS), strict=True).request

    headers = {name.lower(): value for name, value in request.headers}
    read = parameters.read(Call(request.method, "/prov", headers=headers, body=request.body))
    assert request.method == "POST"
    assert "S3cr" not in request.url
    assert read == {
        "cloud_id": "EXAMPLE*",
        "cloud_username": "ann&co",
        "cloud_password": "S3cr&t=ü ",
        "installid": "d-1",
        "platform": "ios",
        "version": "9.1",
        "platformversion": "17.4",
        "locale": "de-AT",
    }


def test_each_cloud_id_has_its_own_names() -> None:
    """Where even the Cloud ID is called otherwise, the address tells it."""
    names = Names(username="log in", password="pin", cloud_id="app", device="dev")

    keys = definitions(Tenant("EXAMPLE", names=names), f"{URL}/phones/")

    assert keys["InitialProvisioningUrl"] == f"{URL}/phones/prov/EXAMPLE/account"
    assert keys["initialGlobalProvisioningUrl"] == f"{URL}/phones/prov/EXAMPLE/global"
    sent = "app=%fullcode%&log%20in=%username%&pin=%password%&dev=%installid%"
    assert keys["InitialProvisioningPostData"] == f"{sent}&{DEVICE}"


def test_they_can_be_pasted() -> None:
    """As lines for a form, as elements for a document, whose ampersands are escaped."""
    keys = definitions(Tenant("EXAMPLE"), URL)

    lines, elements = list(as_lines(keys)), list(as_xml(keys))

    form = "cloud_id=%fullcode%&cloud_username=%username%&cloud_password=%password%&installid=%installid%"
    form = f"{form}&{DEVICE}"
    assert lines[:4] == [
        "InitialProvisioningUrl               = https://prov.example.net/prov",
        "InitialProvisioningMethod            = POST",
        f"InitialProvisioningPostData          = {form}",
        "InitialProvisioningContentType       = application/x-www-form-urlencoded",
    ]
    assert lines[4] == "initialGlobalProvisioningUrl         = https://prov.example.net/prov/global"
    read = {node.tag: node.text for node in etree.fromstring(f"<x>{''.join(elements)}</x>")}
    assert read == keys
    assert "&amp;cloud_username" in elements[2]


@pytest.mark.parametrize(
    "url", [URL, f"{URL}:8443/phones", "http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost"]
)
def test_addresses_that_work(url: str) -> None:
    """An https address, or this machine for trying out (D4)."""
    assert check_public_url(url) == ()


def test_an_address_that_gets_asterisks() -> None:
    """An app sends no password over plain http, and who pastes such an address learns it before."""
    (remark,) = check_public_url("http://prov.example.net")

    assert str(remark) == "--public-url: is not https: an app sends asterisks there in place of the password"


@pytest.mark.parametrize(
    "url", ["", "prov.example.net", "ftp://x", "https://", "https://a b", f"{URL}?x=1", f"{URL}/ü"]
)
def test_addresses_that_cannot_be(url: str) -> None:
    """What is no address of a server is refused."""
    with pytest.raises(Invalid, match="--public-url"):
        check_public_url(url)
