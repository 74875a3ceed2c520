"""The initial screen: its fields by mode, its words by app."""

import msgspec
import pytest

from offhook.core.login import CloudId
from offhook.core.screen import Classic, QrOnly, Screen, Texts, WhiteLabel, show

ACME = CloudId.parse("ACME")


def test_the_classic_screen_asks_for_the_cloud_id() -> None:
    """Two fields and a QR reader; no Cloud ID is built in, whatever the app's is."""
    shown = show(Classic(), ACME)

    assert [shown.username, shown.password, shown.scan] == ["Cloud ID", "Password", "Scan a QR code"]
    assert [shown.fixed, shown.uri_scheme] == [None, "csc"]


def test_a_white_label_asks_for_the_username() -> None:
    """Its Cloud ID is built in, its scheme may be its own, and its QR reader may be missing."""
    shown = show(WhiteLabel(qr=False, uri_scheme="acmephone"), ACME)

    assert [shown.username, shown.password, shown.scan] == ["Username", "Password", ""]
    assert [shown.fixed, shown.uri_scheme] == [ACME, "acmephone"]


def test_a_screen_without_fields() -> None:
    """With a QR code alone there is nothing to type, whatever words the app has for it."""
    shown = show(QrOnly(Texts(username="Phone", password="PIN", submit="Go")), ACME)

    assert [shown.username, shown.password, shown.submit] == ["", "", ""]
    assert [shown.hint, shown.scan] == ["Scan the QR code you were sent", "Scan a QR code"]


@pytest.mark.parametrize("mode", [Classic, WhiteLabel])
def test_the_apps_words_count(mode: type[Classic | WhiteLabel]) -> None:
    """Every text can be the app's own."""
    shown = show(mode(Texts("Welcome", "Ask Eve", "Phone", "PIN", "Go", "Camera")), ACME)

    assert [shown.title, shown.hint, shown.username, shown.password, shown.submit, shown.scan] == [
        "Welcome",
        "Ask Eve",
        "Phone",
        "PIN",
        "Go",
        "Camera",
    ]


@pytest.mark.parametrize("screen", [Classic(qr=False), WhiteLabel(uri_scheme="acme"), QrOnly(Texts(hint="Ask"))])
def test_a_screen_comes_back_from_json(screen: Screen) -> None:
    """The mode tells which screen it is."""
    assert msgspec.json.decode(msgspec.json.encode(screen), type=Screen) == screen


@pytest.mark.parametrize("text", [b'{"mode":"none"}', b'{"mode":"classic","uri_scheme":"acme"}', b"{}"])
def test_a_screen_that_is_none_is_refused(text: bytes) -> None:
    """An unknown mode, and words that a mode does not have."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Screen)
