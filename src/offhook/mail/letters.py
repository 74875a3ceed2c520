"""Writes mails from templates, in text and in HTML; a language is a folder of templates."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import jinja2
import segno

from offhook.core.secret import Secret
from offhook.provider.invitation import Ticket, Wording
from offhook.provider.mail import Mail

ENGLISH: Final = "en"
PICTURE: Final = "invitation"
# Dots of a code are drawn as squares of this many pixels, so that it is sharp where it is shown larger.
SCALE: Final = 6
QUIET_ZONE: Final = 4
_TEMPLATES: Final = Path(__file__).parent / "templates"


class Letters:
    """Every text is the operator's or ours; what came from outside is written as text, never as markup."""

    def __init__(self) -> None:
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=jinja2.select_autoescape(["html"]),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )

    def invitation(self, address: str, ticket: Ticket, wording: Wording) -> Mail:
        """As the port says."""
        words = {
            "username": ticket.username,
            "cloud_id": ticket.cloud_id,
            "until": said(ticket.expires_s),
            "page": ticket.page.reveal(),
            "token": ticket.token.reveal(),
            "picture": PICTURE,
        }
        return self._mail(address, "invitation", wording, words, ((PICTURE, qr_picture(ticket.app_link)),))

    def code(self, address: str, code: Secret, minutes: int, wording: Wording) -> Mail:
        """As the port says."""
        return self._mail(address, "code", wording, {"code": code.reveal(), "minutes": str(minutes)})

    def _mail(
        self,
        address: str,
        kind: str,
        wording: Wording,
        words: dict[str, str],
        pictures: tuple[tuple[str, bytes], ...] = (),
    ) -> Mail:
        language = wording.language if (_TEMPLATES / wording.language).is_dir() else ENGLISH
        known = {**words, "app": wording.app, "support": wording.support, "language": language}
        subject = self._written(f"{language}/{kind}.subject", known)
        return Mail(
            to=address,
            # A name of several lines would be further lines of the header.
            subject=" ".join(subject.split()),
            text=self._written(f"{language}/{kind}.txt", known),
            html=self._written(f"{language}/{kind}.html", known | {"subject": subject}),
            pictures=pictures,
        )

    def _written(self, name: str, known: dict[str, str]) -> str:
        return self._pages.get_template(name).render(known)


def qr_picture(text: Secret) -> bytes:
    """A QR code as PNG."""
    picture = io.BytesIO()
    segno.make_qr(text.reveal(), error="m").save(picture, kind="png", scale=SCALE, border=QUIET_ZONE)
    return picture.getvalue()


def said(moment_s: int) -> str:
    """A time for people, to the minute."""
    moment = datetime.fromtimestamp(moment_s, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
