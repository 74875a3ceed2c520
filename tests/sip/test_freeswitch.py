"""FreeSWITCH, by its documents: what mod_xml_curl asks and what it takes, and what its event socket says."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import urlencode

import pytest
from lxml import etree

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, SipAccount
from offhook.sip import settings
from offhook.sip.freeswitch import Directory, FreeSwitch
from offhook.web import freeswitch as face
from offhook.web.http import Answer, Call
from tests.sip.event_socket import PASSWORD, event_socket
from tests.sip.places import FREESWITCH_PASSWORD, DictRegister, question

ANN = Address("ann", "sip.example.com")
NOT_FOUND = b'<document type="freeswitch/xml"><section name="result"><result status="not found"/></section></document>'


def settled(**changes: object) -> settings.FreeSwitch:
    usual: dict[str, object] = {"username": "freeswitch", "password": Secret(FREESWITCH_PASSWORD)}
    return settings.FreeSwitch(**(usual | changes))  # type: ignore[arg-type]  # a table of examples


def directory(*accounts: SipAccount, **changes: object) -> Directory:
    register = DictRegister()
    register.accounts = {account.address: account for account in accounts}
    return Directory(settled(**changes), register)


def params(document: bytes) -> dict[str, str]:
    root = etree.fromstring(document)
    assert root.xpath("count(//user)") == 1
    return {str(one.get("name")): str(one.get("value")) for one in root.iter("param")}


@pytest.mark.parametrize("qop", ["auth", ""])
@pytest.mark.parametrize(("used", "answered"), [("new", "new"), ("old", "old"), ("neither", "new")])
def test_of_two_passwords_the_used_one_is_answered(used: str, answered: str, qop: str) -> None:
    """FreeSWITCH takes one hash, so it gets the one that fits what the phone sent; the newest when none does."""
    asked = directory(SipAccount(ANN, Secret("new"), Secret("old")))

    said = params(asked.answer(question(ANN, ANN.ha1(Secret(used)).reveal(), qop=qop)))

    assert said["a1-hash"] == ANN.ha1(Secret(answered)).reveal()


def test_the_document_is_as_it_is_documented() -> None:
    """Domain, group, user, parameters and variables; a display name brings no markup and no variable with it."""
    account = SipAccount(ANN, Secret("pw"), display_name='<Ann> "$${x}" & ${system ls}')

    root = etree.fromstring(directory(account).answer(question(ANN, "")))

    assert root.tag == "document"
    assert root.get("type") == "freeswitch/xml"
    path = "section[@name='directory']/domain[@name='sip.example.com']/groups/group/users/user[@id='ann']"
    (user,) = root.xpath(path)
    variables = {one.get("name"): one.get("value") for one in user.iter("variable")}
    assert variables == {"user_context": "default", "effective_caller_id_name": "Ann x & system ls"}
    (dialled,) = user.xpath("params/param[@name='dial-string']/@value")
    assert dialled == "${sofia_contact(internal/ann@sip.example.com)}"


def test_only_who_checks_a_phone_gets_a_hash() -> None:
    """A question for a call gets the way to the phone; one for a clear password gets nothing."""
    asked = directory(SipAccount(ANN, Secret("pw")))
    usual = question(ANN, "")

    assert set(params(asked.answer(usual | {"action": "user_call"}))) == {"dial-string"}
    assert set(params(asked.answer({**usual, "action": ""}))) == {"dial-string"}
    assert asked.answer(usual | {"action": "reverse-auth-lookup"}) == NOT_FOUND


def test_an_alias_rings_at_all_and_logs_in_nowhere() -> None:
    """A call to a number finds the phones that have it; a phone that registers as the number is nobody."""
    bob = Address("bob", ANN.domain)
    asked = directory(*(SipAccount(one, Secret("pw"), aliases=("100",)) for one in (ANN, bob)))
    number = question(Address("100", ANN.domain), "")

    said = params(asked.answer(number | {"action": "user_call"}))

    ways = [f"${{sofia_contact(internal/{one})}}" for one in (ANN, bob)]
    assert said == {"dial-string": ",".join(ways)}
    assert asked.answer(number) == NOT_FOUND


@pytest.mark.parametrize(
    "change",
    [
        {"user": "nobody"},
        {"domain": "other.example.com"},
        {"user": ""},
        {"domain": ""},
        {"section": "dialplan"},
        {"section": "configuration"},
        {"user": "a\x00b"},
        {"purpose": "gateways", "user": ""},
    ],
)
def test_whatever_else_is_not_found(change: dict[str, str]) -> None:
    """FreeSWITCH wants to be told so in a document."""
    asked = directory(SipAccount(ANN, Secret("pw")))

    assert asked.answer(question(ANN, "") | change) == NOT_FOUND


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "client", "admitted"),
    [
        (basic("freeswitch", FREESWITCH_PASSWORD), "192.0.2.7", True),
        (basic("freeswitch", FREESWITCH_PASSWORD), "198.51.100.7", False),
        (basic("freeswitch", FREESWITCH_PASSWORD), "unknown", False),
        (basic("freeswitch", "other"), "192.0.2.7", False),
        (basic("other", FREESWITCH_PASSWORD), "192.0.2.7", False),
        ("Basic ???", "192.0.2.7", False),
        ("Bearer x", "192.0.2.7", False),
        ("", "192.0.2.7", False),
    ],
)
def test_who_may_ask(authorization: str, client: str, *, admitted: bool) -> None:
    """Name and password, and the network: an answer holds what logs in."""
    assert directory(networks=("192.0.2.0/24",)).admits(authorization, client) == admitted


def asked_over_http(call: Call) -> Answer:
    handlers = face.endpoints({"berlin": directory(SipAccount(ANN, Secret("pw")))})
    return asyncio.run(handlers[face.PATH](call))  # type: ignore[arg-type]  # a handler is a coroutine function


def call(**changes: object) -> Call:
    usual: dict[str, object] = {
        "method": "POST",
        "path": "/sip/berlin/directory",
        "headers": {
            "authorization": basic("freeswitch", FREESWITCH_PASSWORD),
            "content-type": "application/x-www-form-urlencoded",
        },
        "body": urlencode(question(ANN, ANN.ha1(Secret("pw")).reveal())).encode(),
        "client": "192.0.2.7",
        "parameters": {"system": "berlin"},
    }
    return Call(**(usual | changes))  # type: ignore[arg-type]  # a table of examples


def test_over_http_as_mod_xml_curl_asks() -> None:
    """A form by POST, a document back, which nobody keeps."""
    answer = asked_over_http(call())

    assert answer.status == 200
    assert answer.headers == {"Content-Type": "text/xml; charset=utf-8", "Cache-Control": "no-store"}
    assert params(answer.body)["a1-hash"] == ANN.ha1(Secret("pw")).reveal()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"headers": {}}, 401),
        ({"parameters": {"system": "paris"}}, 401),
        ({"method": "GET"}, 405),
        ({"body": b"section=directory&section=x"}, 400),
    ],
)
def test_over_http_others_learn_nothing(change: dict[str, object], status: int) -> None:
    """Not even whether there is such a system."""
    assert asked_over_http(call(**change)).status == status


def test_without_systems_there_is_no_face() -> None:
    """Nothing listens where nobody has FreeSWITCH."""
    assert face.endpoints({}) == {}


def test_without_an_event_socket_nothing_is_known_of_registrations() -> None:
    """And the check of the installation says what that means."""
    system = FreeSwitch(settled(), DictRegister())

    system.disable(ANN, "1:1")

    assert system.registered([ANN]) == {}
    assert "event socket" in system.faults()[0]


def test_the_event_socket_is_checked() -> None:
    """Its password, that it is there, and that it knows the profile."""
    with event_socket() as socket:

        def faults(**changes: object) -> tuple[str, ...]:
            own = {"control": socket.control, "control_password": Secret(PASSWORD)} | changes
            return FreeSwitch(settled(**own), DictRegister()).faults()

        assert faults() == ()
        assert "refuses our password" in faults(control_password=Secret("wrong"))[0]
        assert "no SIP profile external" in faults(profile="external")[0]
        assert "ConnectionRefusedError" in faults(control="tcp:127.0.0.1:1")[0]


def test_a_profile_that_is_not_there_is_no_success() -> None:
    """Who is suspended is not said to be away when nobody looked."""
    with event_socket() as socket:
        own = settled(control=socket.control, control_password=Secret(PASSWORD), profile="external")

        with pytest.raises(Unavailable, match="external"):
            FreeSwitch(own, DictRegister()).disable(ANN, "1:1")


def test_a_name_cannot_become_a_command() -> None:
    """What has other letters than names have is not said on the event socket, nor dialled."""
    odd = Address("ann\nexit", "sip.example.com")
    with event_socket() as socket:
        own = settled(control=socket.control, control_password=Secret(PASSWORD))
        system = FreeSwitch(own, DictRegister())

        system.disable(odd, "1:1")

        assert system.registered([odd]) == {}
    strange = Address("a,b}${x", "sip.example.com")
    said = params(directory(SipAccount(strange, Secret("pw"))).answer(question(strange, "")))
    assert "dial-string" not in said
