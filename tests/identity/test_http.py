"""A service as an upstream: how it is asked, what its answers mean, and those that mean nothing."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler

import pytest

from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Secret
from offhook.identity.asking import Untold
from offhook.identity.http import MAX_ANSWER_BYTES, SAYS_NO, Http
from tests.identity.places import ANN, Service, drip, say

PASSWORD = Secret(ANN[1])


@pytest.mark.parametrize(
    "further",
    [
        {},
        {"send": "basic"},
        {"send": "form", "fields": {"login": "{username}", "secret": "{password}", "realm": "phones"}},
    ],
)
def test_it_is_asked_as_it_wants(service: Service, further: dict[str, object]) -> None:
    """With JSON, a form or HTTP Basic, and with headers of the operator's; nothing of a user is in the address."""
    upstream = Http(service.settings(**further))

    found = upstream.vouch("ann", PASSWORD)

    assert found is not None
    assert upstream.vouch("ann", Secret("wrong")) is None
    path, name, headers = service.asked[0]
    assert (path, name) == ("/check", "ann")
    assert {name.lower(): text for name, text in headers.items()}["x-api-key"] == "hidden-key"


def answering(service: Service, status: int, content: object, **headers: str) -> None:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    service.answers = lambda request: say(request, status, raw, **headers)


@pytest.mark.parametrize(
    ("status", "content", "text"),
    [
        (403, {"message": "Your contract has ended."}, "Your contract has ended."),
        (403, {"message": 5}, SAYS_NO),
        (403, b"no JSON", SAYS_NO),
        (403, {"message": "x" * 900}, "x" * 500),
    ],
)
def test_a_refusal_may_have_a_text(service: Service, status: int, content: object, text: str) -> None:
    """For the person, of some length; else there is one of ours."""
    answering(service, status, content)

    with pytest.raises(Refused) as raised:
        Http(service.settings()).vouch("ann", PASSWORD)

    assert raised.value.text == text


@pytest.mark.parametrize(
    ("status", "content", "headers"),
    [
        (500, {}, {}),
        (429, {}, {}),
        (302, {}, {"location": "/elsewhere"}),
        (200, b"no JSON", {}),
        (200, b"[" * 100_000, {}),
        (200, b"x" * (MAX_ANSWER_BYTES + 1), {}),
    ],
)
def test_what_is_no_clear_word_is_none(service: Service, status: int, content: object, headers: dict[str, str]) -> None:
    """Nobody gets in, and nobody is told that their password is wrong; nobody is sent elsewhere with it."""
    answering(service, status, content, **headers)
    upstream = Http(service.settings())

    with pytest.raises(Unavailable):
        upstream.vouch("ann", PASSWORD)

    assert len(service.asked) == 1
    assert upstream.faults()


def test_who_takes_for_ever_is_not_waited_for(service: Service) -> None:
    """Also when there is always a little more."""
    service.answers = drip
    began = time.monotonic()

    with pytest.raises(Unavailable):
        Http(service.settings(timeout_s=0.4)).vouch("ann", PASSWORD)

    assert time.monotonic() - began < 1.2


def test_the_answer_may_be_in_a_field(service: Service) -> None:
    """Where every status is 200: true is a yes, false a no, and everything else is nothing."""
    upstream = Http(service.settings(verdict="ok", username="", groups="", attributes={}))

    answering(service, 200, {"ok": True})
    found = upstream.vouch(" Ann", PASSWORD)
    assert found is not None
    assert found.username == "ann"
    answering(service, 200, {"ok": False})
    assert upstream.vouch("ann", PASSWORD) is None
    odd: object
    for odd in ({}, {"ok": "false"}, {"ok": 1}, []):
        answering(service, 200, odd)
        with pytest.raises(Unavailable):
            upstream.vouch("ann", PASSWORD)


def test_attributes_and_groups_are_where_the_operator_says(service: Service) -> None:
    """Texts and numbers count; groups may be a list, or stand between commas."""
    wanted = {"a": "user.a", "b": "user.b.1", "c": "user.c", "d": "nowhere.at.all", "e": "user.e"}
    settings = service.settings(attributes=wanted)
    user = {"name": 42, "a": 7, "b": ["x", "y"], "c": {"no": "text"}, "e": True, "groups": "sales, north ,,sales"}
    answering(service, 200, {"user": user})

    found = Http(settings).vouch("ann", PASSWORD)

    assert found is not None
    assert found.username == "42"
    assert found.attributes == {"a": "7", "b": "y", "e": "true"}
    assert found.groups == ("north", "sales")
    answering(service, 200, {"user": {"name": "ann", "groups": {"odd": 1}}})
    without = Http(settings).vouch("ann", PASSWORD)
    assert without is not None
    assert without.groups == ()
    answering(service, 200, {"user": {"name": "ann", "groups": [f"group-{number}" for number in range(2000)]}})
    with pytest.raises(Untold):
        Http(settings).vouch("ann", PASSWORD)
    answering(service, 200, {"user": {}})
    with pytest.raises(Untold):
        Http(settings).vouch("ann", PASSWORD)


def test_who_vouches_for_anybody_is_a_fault(service: Service) -> None:
    """A status that means yes to everything is found out; a refusal of nobody is none."""
    answering(service, 200, {"user": {"name": "x"}})
    assert "vouches for" in Http(service.settings()).faults()[0]

    answering(service, 403, {})
    assert Http(service.settings()).faults() == ()


def test_a_refusal_to_tell_has_to_say_why(service: Service) -> None:
    """Else it may be that we may not ask any more, and everybody would be logged out."""
    upstream = Http(service.settings())
    answering(service, 403, {"message": "Your contract has ended."})
    with pytest.raises(Refused):
        upstream.look_up("ann")

    answering(service, 403, b"<h1>Forbidden</h1>")
    with pytest.raises(Untold):
        upstream.look_up("ann")


def test_without_an_address_for_it_nobody_is_looked_up(service: Service) -> None:
    """And a name with a colon cannot be sent with HTTP Basic."""
    with pytest.raises(Untold):
        Http(service.settings(look_up_url="")).look_up("ann")

    assert Http(service.settings(send="basic")).vouch("a:b", PASSWORD) is None


def test_a_request_is_no_more_than_it_seems(service: Service) -> None:
    """What stands in fields is not filled in twice."""
    seen: list[bytes] = []

    def look(request: BaseHTTPRequestHandler) -> bool:
        seen.append(request.requestline.encode())
        return False

    service.answers = look
    Http(service.settings()).vouch("{password}", PASSWORD)

    assert service.asked[0][1] == "{password}"
    assert b"right" not in seen[0]
