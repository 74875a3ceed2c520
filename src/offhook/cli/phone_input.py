"""Who signs in: a text, a link, a QR picture, or the fields of the app's initial screen in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import typer

from offhook.cli import asking
from offhook.cli.exits import Misused, as_misuse, brief
from offhook.cli.phone_qr import read_qr
from offhook.core import login, screen, signing
from offhook.core.login import CloudId, Link, Login
from offhook.core.screen import Classic, Screen, Shown, WhiteLabel
from offhook.core.secret import Secret
from offhook.phone import wire
from offhook.phone.portal import Portal

_MAX_KEY_BYTES: Final = 4096
# What a server may fill of a terminal with its words: a title, a hint, the name of a field.
_MOST_WORDS: Final = 200
_MOST_LABEL: Final = 60


class Given(msgspec.Struct, frozen=True):
    """What the command line says; what it leaves out is asked for when there is a terminal."""

    text: str | None = None
    qr_image: Path | None = None
    password_stdin: bool = False

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask."""
        return not self.password_stdin and asking.attended()

    def check(self) -> None:
        """Raises Misused when one part of the command line would silently win over another."""
        if self.text is not None and self.qr_image is not None:
            raise Misused("Give either TEXT or --qr-image FILE: both say who signs in.")


def screen_of(label: CloudId, offered: Screen) -> Shown:
    """The screen of the app `label`; when it is the generic one, its Cloud ID is known all the same."""
    shown = screen.show(offered, label)
    if not isinstance(offered, Classic):
        return shown
    return msgspec.structs.replace(shown, fixed=label, username=offered.texts.username or WhiteLabel.WORDS.username)


def read_login(given: Given, shown: Shown) -> Login:
    """The login; raises Misused when the words cannot be meant, Invalid when a picture holds no QR code for an app."""
    text = read_qr(given.qr_image, shown.uri_scheme) if given.qr_image else given.text
    if text is None:
        text = _ask_first_field(given, shown)
    with as_misuse():
        if login.is_link(text, shown.uri_scheme):
            return _from_link(login.parse_link(text, shown.uri_scheme), given, shown)
        if not shown.username:
            raise Misused("This app signs in with a QR code or a link only. Give its text, or --qr-image FILE.")
        return login.parse_field(_without(shown.fixed, text), _password(given, shown), shown.fixed)


def read_key(text: str) -> str:
    """The portal's public key, from a text or a file; empty stays empty."""
    if not text:
        return ""
    if not text.startswith("ed25519:"):
        try:
            text = asking.text_from(Path(text), _MAX_KEY_BYTES)
        except Misused as error:
            raise Misused(
                f"--portal-key takes a key such as ed25519:BASE64, or a file with one. {error.text}"
            ) from None
    with as_misuse():
        return signing.public_text(signing.parse_public(text))


def read_portal(text: str) -> Portal:
    """The portal's address."""
    with as_misuse():
        return Portal.parse(text)


def read_cloud_id(text: str) -> CloudId:
    """The Cloud ID that a white label has built in."""
    with as_misuse():
        return CloudId.parse(text)


def check_trust() -> None:
    """Raises Misused when the authorities that this machine trusts cannot be read."""
    with as_misuse():
        wire.system_trust()


def _without(fixed: CloudId | None, text: str) -> str:
    """A username without the Cloud ID that the app knows already; any other `@` belongs to the name."""
    name, _, behind = text.strip().rpartition("@")
    return name if fixed and name and behind.removesuffix("*").upper() == fixed.name else text


def _from_link(link: Link, given: Given, shown: Shown) -> Login:
    if link.oauth:
        raise Misused("This link signs in through an external service, which this phone cannot do.")
    if shown.fixed and shown.fixed.name != link.cloud_id.name:
        raise Misused(f"This link is for the app {link.cloud_id.name}, and this app is {shown.fixed.name}.")
    if link.environment != "production":
        note = f"Note: the link means the portal {link.environment!r}; this phone asks the one of --portal."
        typer.echo(note, err=True)
    username = "" if link.username is not None or not given.asks else asking.words("Username")
    password = Secret("") if link.password is not None else _password(given, shown)
    return link.login(username, password)


def _ask_first_field(given: Given, shown: Shown) -> str:
    if not given.asks:
        raise Misused('Say who signs in, for example: offhook phone sign-in "ann@DEMO*"')
    for words in (shown.title, shown.hint):
        if words:
            typer.echo(brief(words, _MOST_WORDS), err=True)
    scan = shown.scan and f"{brief(shown.scan, _MOST_LABEL)} (its text; a picture with --qr-image)"
    return asking.needed_words(" / ".join(filter(None, (brief(shown.username, _MOST_LABEL), scan))))


def _password(given: Given, shown: Shown) -> Secret:
    if given.password_stdin:
        return asking.line()
    if not given.asks:
        return Secret("")
    return asking.known_password(brief(shown.password, _MOST_LABEL) or "Password")
