"""Logins beside their golden cases: what a link leaves out, and what is a link at all."""

import pytest

from offhook.core.errors import Invalid
from offhook.core.login import CloudId, Link, is_link, parse_link
from offhook.core.secret import Secret


def test_what_a_link_left_out_is_filled_in() -> None:
    """What the link brought counts; the rest comes from the user."""
    complete = parse_link("csc://bob:secret@ACME?branch=west")
    bare = parse_link("csc:ACME")

    assert complete.login("eve", Secret("guess")) == complete.login()
    assert complete.login().extras == {"branch": "west"}
    assert [bare.login().username, bare.login().password] == ["", Secret("")]
    assert [bare.login("eve").username, bare.login("eve", Secret("x")).password] == ["eve", Secret("x")]


@pytest.mark.parametrize(
    ("text", "link"), [("csc:ACME", True), (" CSC:x", True), ("acme:x", True), ("bob@ACME", False)]
)
def test_a_link_is_told_from_a_field(text: str, link: bool) -> None:
    """By the scheme of all apps, or the white label's own."""
    assert is_link(text, "Acme") is link


def test_a_cloud_id_made_by_hand() -> None:
    """Without what was entered, %fullcode% is the id itself, star included."""
    assert CloudId("ACME", editable=True).full_code == str(CloudId("ACME", editable=True)) == "ACME*"


@pytest.mark.parametrize(
    "text", ["csc:bob:sec/ret@ACME", "csc:bob:sec?ret@ACME", "csc:bob:sec#ret@ACME", "xyz:bob:secret@ACME"]
)
def test_a_refused_link_is_not_repeated(text: str) -> None:
    """Its password may be anywhere in it."""
    with pytest.raises(Invalid) as refusal:
        parse_link(text)

    assert "sec" not in str(refusal.value)


def test_a_link_may_be_made_by_hand() -> None:
    """All but the Cloud ID may be left out."""
    assert parse_link("csc:ACME") == Link(CloudId.parse("ACME"))
