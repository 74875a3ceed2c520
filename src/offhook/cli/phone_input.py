"""Who signs in: a text, a link, a QR picture, or the fields of the app's initial screen in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import typer

from offhook.cli.exits import Misused
from offhook.core import login, signing
from offhook.core.errors import Invalid
from offhook.core.login import CloudId, Link, Login
from offhook.core.screen import Shown
from offhook.core.secret import Secret
from offhook.phone.portal import Portal

MAX_QR_FILE_BYTES: Final = 20 * 1024 * 1024


class Given(msgspec.Struct, frozen=True):
    """What the command line says; what it leaves out is asked for when there is a terminal."""

    text: str | None = None
    qr_image: Path | None = None
    password_stdin: bool = False

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask."""
        return sys.stdin.isatty() and not self.password_stdin


def read_login(given: Given, shown: Shown) -> Login:
    """The login; raises Misused when the words cannot be meant, Invalid when a picture holds no QR code for an app."""
    text = read_qr(given.qr_image, shown.uri_scheme) if given.qr_image else given.text
    if text is None:
        text = _ask_first_field(given, shown)
    with _as_misuse():
        if login.is_link(text, shown.uri_scheme):
            return _from_link(login.parse_link(text, shown.uri_scheme), given, shown)
        if not shown.username:
            raise Misused("This app signs in with a QR code or a link only. Give its text, or --qr-image FILE.")
        return login.parse_field(text, _password(given, shown), shown.fixed)


def read_key(text: str) -> str:
    """The portal's public key, from a text or a file; empty stays empty."""
    if not text:
        return ""
    path = Path(text)
    with _as_misuse():
        written = path.read_text("ascii", "replace")[:4096] if path.is_file() else text
        return signing.public_text(signing.parse_public(written))


def read_portal(text: str) -> Portal:
    """The portal's address."""
    with _as_misuse():
        return Portal.parse(text)


def read_cloud_id(text: str) -> CloudId:
    """The Cloud ID that a white label has built in."""
    with _as_misuse():
        return CloudId.parse(text)


def read_qr(path: Path, scheme: str) -> str:
    """The text of the QR code in a picture. Raises Misused without the library or the file, Invalid without a code."""
    try:
        import PIL.Image
        import zxingcpp
    except ImportError:
        raise Misused("Reading QR pictures needs a library: pip install 'offhook[qr]'") from None
    try:
        if path.stat().st_size > MAX_QR_FILE_BYTES:
            raise Misused(f"{path} has more than {MAX_QR_FILE_BYTES:,} bytes.")
        with PIL.Image.open(path) as picture:
            texts = [code.text for code in zxingcpp.read_barcodes(picture.convert("L"))]
    except (OSError, PIL.Image.DecompressionBombError) as error:
        raise Misused(f"{path} cannot be read as a picture: {getattr(error, 'strerror', None) or error}") from None
    links = [text for text in texts if login.is_link(text, scheme)]
    if not links:
        raise Invalid.at(str(path), f"shows no QR code of an app ({len(texts)} other codes)")
    return links[0]


def _from_link(link: Link, given: Given, shown: Shown) -> Login:
    if link.oauth:
        raise Misused("This link signs in through an external service, which this phone cannot do.")
    if shown.fixed and shown.fixed.name != link.cloud_id.name:
        raise Misused(f"This link is for the app {link.cloud_id.name}, and this app is {shown.fixed.name}.")
    if link.environment != "production":
        note = f"Note: the link means the portal {link.environment!r}; this phone asks the one of --portal."
        typer.echo(note, err=True)
    username = "" if link.username is not None or not given.asks else typer.prompt("Username", default="", err=True)
    password = Secret("") if link.password is not None else _password(given, shown)
    return link.login(username, password)


def _ask_first_field(given: Given, shown: Shown) -> str:
    if not given.asks:
        raise Misused('Say who signs in, for example: offhook phone sign-in "ann@DEMO*"')
    typer.echo(f"{shown.title}\n{shown.hint}".strip(), err=True)
    label = " / ".join(field for field in (shown.username, shown.scan and f"{shown.scan} (text or picture)") if field)
    answer: str = typer.prompt(label, err=True)
    if shown.scan and Path(answer).is_file():
        return read_qr(Path(answer), shown.uri_scheme)
    return answer


def _password(given: Given, shown: Shown) -> Secret:
    if given.password_stdin:
        return Secret(sys.stdin.readline(login.MAX_TEXT + 2).rstrip("\r\n"))
    if not given.asks:
        return Secret("")
    return Secret(typer.prompt(shown.password or "Password", default="", show_default=False, hide_input=True, err=True))


@contextmanager
def _as_misuse() -> Iterator[None]:
    """What is invalid here was given on the command line, and did not come from a server."""
    try:
        yield
    except Invalid as invalid:
        raise Misused(invalid.text) from None
