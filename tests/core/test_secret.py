"""Secrets hide themselves, wherever they are shown by accident."""

import msgspec
import pytest
from rich.pretty import pretty_repr

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Conflict, Fault, Invalid, NotFound, OffhookError, Refused, TooMany, Unavailable
from offhook.core.login import CloudId, Login
from offhook.core.placeholders import Scope, Target, expand
from offhook.core.secret import Secret
from offhook.core.webservice import Credentials, Definition, Request, Response, prepare


def test_a_secret_shows_asterisks() -> None:
    """In every way of formatting, and inside other records; only reveal gives it out."""
    secret = Secret("hunter2")
    login = Login(CloudId.parse("ACME"), "ann", secret)

    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r}", repr([secret]), repr(login), pretty_repr(login)]

    assert not any("hunter2" in text for text in shown)
    assert secret.reveal() == "hunter2"


def test_secrets_compare_by_what_they_hide() -> None:
    """Equal texts are equal secrets; a text is none, and an empty one is false."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("\ud800") == Secret("\ud800")
    assert {Secret("a"), Secret("a")} == {Secret("a")}
    assert [bool(Secret("")), bool(Secret("a"))] == [False, True]


def test_a_secret_is_not_stored_by_mistake() -> None:
    """JSON knows no secrets: whoever stores one must say so."""
    with pytest.raises(TypeError):
        msgspec.json.encode(Secret("hunter2"))


def test_nothing_on_the_way_of_a_request_shows_a_password() -> None:
    """Neither the values, nor the definition, nor what was filled in, nor the request, nor the answer."""
    scope = Scope({"password": "hunter2"}, {"cloud_password": "hunter2"}, {"pin": "hunter2"})
    definition = Definition(
        "extProv",
        "https://prov.example.net/%password%?p=%password%#%password%",
        method="POST",
        post_data="p=%password%&token=hunter2",
        auth_username="ann",
        auth_password="hunter2",
        custom_headers="Authorization: Bearer hunter2",
    )
    request = prepare(definition, scope).request
    expansion = expand("%password%", scope, Target.RAW, "place")
    records = (scope, definition, expansion, request, request.credentials, Response(200, {"a": "hunter2"}, b"hunter2"))

    shown = [*map(repr, records), *map(str, records), *map(pretty_repr, records)]

    assert "hunter2" in request.url
    assert not any("hunter2" in text for text in shown)
    assert str(request) == "POST https://prov.example.net/%password%"
    assert repr(scope) == "Scope(password, account[cloud_password], pin)"


def test_a_request_made_by_hand_shows_its_place() -> None:
    """Without a template, scheme, host and path of the URL are shown, and never its query."""
    request = Request("GET", "https://portal.example/v1/ACME?x=hunter2#y", credentials=Credentials("ann", Secret("b")))

    assert request.place == "https://portal.example/v1/ACME"
    assert Request("GET", "https://ann:hunter2@portal.example/@x").place == "https://portal.example/@x"
    assert repr(request) == "Request(GET https://portal.example/v1/ACME)"


def test_an_answer_finds_its_headers() -> None:
    """Header names know no case, and an absent one is empty."""
    response = Response(304, {"etag": '"5f2c"'})

    assert [response.header("ETag"), response.header("Date")] == ['"5f2c"', ""]
    assert repr(response) == "Response(304, 0 bytes)"


def test_errors_are_named_for_what_happened() -> None:
    """Each has a text fit to be shown; two say when to come back; one lists every fault with its place."""
    invalid = Invalid(Fault("title", "is empty"), Fault("", "is odd"))

    assert str(invalid) == invalid.text == "title: is empty; is odd"
    assert [fault.place for fault in invalid.faults] == ["title", ""]
    assert [TooMany("slow down", 5).retry_after_s, Unavailable("later").retry_after_s] == [5, 30]
    assert all(issubclass(kind, OffhookError) for kind in (Invalid, Refused, NotFound, Conflict, TooMany, Unavailable))
    assert [str(Diagnostic("title", "is empty")), str(Diagnostic("", "is odd"))] == ["title: is empty", "is odd"]


def test_faults_are_reported_together() -> None:
    """No faults, no error; else all of them in one."""
    Invalid.unless_empty([])

    with pytest.raises(Invalid, match="a: x; b: y"):
        Invalid.unless_empty(Fault(place, text) for place, text in (("a", "x"), ("b", "y")))
