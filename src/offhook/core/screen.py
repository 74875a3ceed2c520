"""The initial screen of an app: which fields it shows before there is an account, and their texts."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

from offhook.core.errors import Invalid
from offhook.core.login import SCHEME, CloudId


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words on the screen; the app's own are used where a text is left empty."""

    title: str = ""
    hint: str = ""
    username: str = ""
    password: str = ""
    submit: str = ""
    scan: str = ""


class Classic(msgspec.Struct, frozen=True, tag="classic", tag_field="mode", forbid_unknown_fields=True):
    """Two fields, "Cloud ID" and "Password", and a QR reader: the generic app."""

    texts: Texts = Texts()
    qr: bool = True

    WORDS: ClassVar[Texts] = Texts("Sign in", "", "Cloud ID", "Password", "Sign in", "Scan a QR code")
    uri_scheme: ClassVar[str] = SCHEME


class WhiteLabel(msgspec.Struct, frozen=True, tag="white_label", tag_field="mode", forbid_unknown_fields=True):
    """The Cloud ID is built in, so the first field is a plain username."""

    texts: Texts = Texts()
    qr: bool = True
    uri_scheme: str = SCHEME

    WORDS: ClassVar[Texts] = Texts("Sign in", "", "Username", "Password", "Sign in", "Scan a QR code")


class QrOnly(msgspec.Struct, frozen=True, tag="qr_only", tag_field="mode", forbid_unknown_fields=True):
    """No fields: the user scans a QR code or opens a link."""

    texts: Texts = Texts()
    uri_scheme: str = SCHEME

    WORDS: ClassVar[Texts] = Texts("Sign in", "Scan the QR code you were sent", "", "", "", "Scan a QR code")
    qr: ClassVar[bool] = True


Screen: TypeAlias = Classic | WhiteLabel | QrOnly


def loads(document: bytes) -> Screen:
    """Read what a portal sends; raises Invalid."""
    try:
        screen: Screen = msgspec.json.decode(document, type=Screen)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid.at("screen", f"cannot be read: {error}") from None
    return screen


class Shown(msgspec.Struct, frozen=True):
    """A screen with every text in place, ready to be drawn; an empty field label means that the field is not there."""

    title: str
    hint: str
    username: str
    password: str
    submit: str
    scan: str
    fixed: CloudId | None
    uri_scheme: str


def show(screen: Screen, cloud_id: CloudId | None = None) -> Shown:
    """Choose the words: the app's texts, else those of its mode, where it has the field at all.

    `cloud_id` is the one that a white label has built in.
    """
    own, words = screen.texts, screen.WORDS
    return Shown(
        title=own.title or words.title,
        hint=own.hint or words.hint,
        username=words.username and (own.username or words.username),
        password=words.password and (own.password or words.password),
        submit=words.submit and (own.submit or words.submit),
        scan=(own.scan or words.scan) if screen.qr else "",
        fixed=None if isinstance(screen, Classic) else cloud_id,
        uri_scheme=screen.uri_scheme,
    )
