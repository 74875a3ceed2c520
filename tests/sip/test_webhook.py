"""The webhook: what we send is what the description says, and the example receives it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, SipAccount
from offhook.sip import settings
from offhook.sip.webhook import MESSAGES, Webhook, openapi
from tests.sip.places import WEBHOOK_SECRET
from tests.sip.told import answering

NewName = Callable[[], Address]
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "webhook-sip.json"
ANN = Address("ann", "sip.example.com")
ACCOUNT = SipAccount(ANN, Secret("new"), Secret("old"), aliases=("100", "4930100"), display_name="Ann")

CALLS: dict[str, Callable[[Webhook], object]] = {
    "sip.ensure": lambda system: system.ensure(ACCOUNT, "7:1"),
    "sip.rotate": lambda system: system.rotate(ACCOUNT, "7:2"),
    "sip.disable": lambda system: system.disable(ANN, "7:3"),
    "sip.remove": lambda system: system.remove(ANN, "7:4"),
    "sip.look_up": lambda system: system.look_up(ANN),
    "sip.registered": lambda system: system.registered([ANN]),
}


def opened(url: str) -> Webhook:
    return Webhook(settings.Webhook(url, Secret(WEBHOOK_SECRET)))


def test_the_page_is_what_the_code_says() -> None:
    """The description is written by scripts/reference.py; a stale one fails here."""
    assert json.loads(PAGE.read_text()) == json.loads(msgspec.json.encode(openapi()))


@pytest.mark.parametrize("kind", CALLS)
def test_what_is_sent_is_what_is_described(kind: str) -> None:
    """Each request has the fields of its schema and no others; a wish has the key of its operation."""
    with answering({"found": True, "enabled": True, "accounts": []}) as (url, told):
        CALLS[kind](opened(url))

    (heard,) = told
    described: dict[str, Any] = json.loads(PAGE.read_text())
    body = described["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = described["components"]["schemas"][body["properties"]["data"]["$ref"].rpartition("/")[2]]
    assert set(heard.body) == set(body["required"])
    assert heard.body["type"] == body["properties"]["type"]["const"]
    assert set(schema["required"]) <= set(heard.body["data"]) <= set(schema["properties"])
    named = {one["name"] for one in described["webhooks"][kind]["post"]["parameters"]}
    assert named <= set(heard.headers)
    if kind not in {"sip.look_up", "sip.registered"}:
        assert heard.headers["webhook-id"].startswith("sip-7:")


def test_no_password_is_sent() -> None:
    """Hashes are; and every kind has a request that this test knows."""
    with answering({"found": True}) as (url, told):
        CALLS["sip.ensure"](opened(url))

    assert told[0].body["data"] == {
        "username": "ann",
        "domain": "sip.example.com",
        "ha1s": [ANN.ha1(Secret("new")).reveal(), ANN.ha1(Secret("old")).reveal()],
        "aliases": ["100", "4930100"],
        "display_name": "Ann",
    }
    assert set(CALLS) == set(MESSAGES)


@pytest.mark.parametrize("answer", [{"found": "yes"}, {"found": True, "ha1s": [1]}])
def test_an_answer_of_another_shape_is_no_answer(answer: dict[str, object]) -> None:
    """Nobody knows then, so it is asked again."""
    with answering(answer) as (url, _), pytest.raises(Unavailable):
        opened(url).look_up(ANN)


def test_what_it_does_not_tell_is_not_known() -> None:
    """An account without hashes and aliases, a registration that is left out, and one that nobody asked for."""
    other = {"username": "eve", "domain": "x", "registered": True}
    with answering({"found": True, "enabled": True, "accounts": [other]}) as (url, _):
        found = opened(url).look_up(ANN)
        registered = opened(url).registered([ANN])

    assert found is not None
    assert (found.ha1s, found.aliases) == (None, None)
    assert registered == {}


def test_a_no_is_passed_on() -> None:
    """With its words, for the person."""
    with answering({"message": "We have no more numbers."}, status=422) as (url, _):
        with pytest.raises(Refused, match="no more numbers"):
            opened(url).ensure(ACCOUNT, "1:1")
        assert opened(url).faults() == ("We have no more numbers.",)


def test_the_example_does_a_thing_once(receiver: tuple[str, Path], new_name: NewName) -> None:
    """Asked again with the same key, it answers as before and does nothing more, whatever happened in between."""
    url, file = receiver
    system, account = opened(url), SipAccount(new_name(), Secret("a"))
    key = f"once:{account.address.username}"
    system.ensure(account, key)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE account SET enabled = 0 WHERE username = ?", (account.address.username,))

    system.ensure(account, key)

    found = system.look_up(account.address)
    assert found is not None
    assert not found.enabled
    assert system.faults() == ()


def test_the_example_refuses_what_is_not_signed(receiver: tuple[str, Path]) -> None:
    """Without a signature, with that of another secret, and long ago."""
    url, _ = receiver
    other = Webhook(settings.Webhook(url, Secret("whsec_" + "A" * 40)))

    plain = httpx2.post(url, json={"type": "sip.look_up", "data": {}}, verify=False, trust_env=False)

    assert plain.status_code == 401
    with pytest.raises(Unavailable, match="answered 401: This is not signed"):
        other.ensure(ACCOUNT, "1:1")
