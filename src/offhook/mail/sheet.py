"""Invitations on paper: a sheet of cards to cut out, one for each user."""

from __future__ import annotations

import io
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import segno
from fontTools.ttLib import TTFont, TTLibError
from fpdf import FPDF
from fpdf.enums import MethodReturnValue, WrapMode, XPos, YPos

from offhook.core.errors import Invalid
from offhook.core.secret import Discreet, Secret
from offhook.mail.letters import said
from offhook.provider.invitation import Ticket, Wording

# All lengths are in millimetres.
MARGIN: Final = 10.0
CARD_HEIGHT: Final = 54.0
CODE: Final = 42.0
PADDING: Final = 4.0
COLUMNS: Final = 2
QUIET_ZONE: Final = 4
DOT: Final = 8
FOOT: Final = 7.0
GAP: Final = 0.6
POINT: Final = 0.3528
LEADING: Final = 1.22
MAX_LINES: Final = 2
# A name of more letters does not fit into a line in large type.
LONG: Final = 24
# What stands for a letter that no font has.
BLANKS: Final = "□?"
_PLACES: Final = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    "/Library/Fonts/Arial Unicode.ttf",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
)


class Paper(StrEnum):
    """Sizes of paper."""

    A4 = "a4"
    LETTER = "letter"


class Card(Discreet, frozen=True):
    """One card: the invitation, and how its user is called besides their user name."""

    ticket: Ticket
    name: str = ""

    def __str__(self) -> str:
        return str(self.ticket)


class Fonts:
    """The letters that can be drawn: those of the fonts that were named, else of one of this machine, else Latin ones.

    Raises Invalid for a file that is no font.
    """

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        usual = (Path(place) for place in _PLACES)
        self.paths = tuple(paths) or tuple(path for path in usual if path.is_file())[:1]
        self._letters = frozenset(letter for path in self.paths for letter in _letters(path))

    def has(self, letter: str) -> bool:
        """Whether a letter can be drawn."""
        return ord(letter) in self._letters if self.paths else ord(letter) < 256 and letter.isprintable()

    def drawable(self, text: str) -> str:
        """The text as far as it can be drawn: an accent is left out rather than its letter, else a box stands there."""
        composed = unicodedata.normalize("NFC", text)
        return "".join(letter if self.has(letter) else self._instead(letter) for letter in composed)

    def lacks(self, text: str) -> bool:
        """Whether something of a text cannot be drawn."""
        return self.drawable(text) != unicodedata.normalize("NFC", text)

    def _instead(self, letter: str) -> str:
        plain = [one for one in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(one)]
        if plain and all(map(self.has, plain)):
            return "".join(plain)
        return next(blank for blank in BLANKS if self.has(blank) or blank == BLANKS[-1])


def draw(cards: Iterable[Card], wording: Wording, paper: Paper, fonts: Fonts) -> Iterator[bytes]:
    """The sheet as one piece, after an empty one for each card that is drawn, so that it can be told how far it is."""
    sheet = _Sheet(wording, paper, fonts)
    for card in cards:
        sheet.add(card)
        yield b""
    yield bytes(sheet.pdf.output())


class _Sheet:
    """A document under the pen."""

    def __init__(self, wording: Wording, paper: Paper, fonts: Fonts) -> None:
        self.pdf = FPDF(unit="mm", format=paper.value)
        self._fonts, self._wording, self._count = fonts, wording, 0
        self.pdf.set_auto_page_break(auto=False)
        self.pdf.set_title(f"Invitations to {wording.app}")
        self.pdf.set_creator("Offhook")
        self.pdf.set_lang(wording.language)
        for number, path in enumerate(fonts.paths):
            self.pdf.add_font(f"sheet{number}", "", path)
        self._family = "sheet0" if fonts.paths else "helvetica"
        self.pdf.set_fallback_fonts([f"sheet{number}" for number in range(1, len(fonts.paths))], exact_match=False)
        self._rows = int((self.pdf.h - 2 * MARGIN) // CARD_HEIGHT)
        self._width = (self.pdf.w - 2 * MARGIN) / COLUMNS

    def add(self, card: Card) -> None:
        """Draw one card at the next place."""
        place = self._count % (self._rows * COLUMNS)
        if not place:
            self.pdf.add_page()
        row, column = divmod(place, COLUMNS)
        self._draw(card, MARGIN + column * self._width, MARGIN + row * CARD_HEIGHT)
        self._count += 1

    def _draw(self, card: Card, left: float, top: float) -> None:
        pdf = self.pdf
        pdf.set_draw_color(170)
        pdf.set_line_width(0.1)
        pdf.set_dash_pattern(dash=1, gap=1)
        pdf.rect(left, top, self._width, CARD_HEIGHT)
        pdf.set_dash_pattern()
        pdf.image(_code(card.ticket.app_link.reveal()), x=left + 2, y=top + 3, w=CODE, h=CODE, alt_text="QR code")
        x, width = left + CODE + PADDING, self._width - CODE - 2 * PADDING
        pdf.set_xy(x, top + PADDING)
        bottom, ticket = top + CARD_HEIGHT - FOOT, card.ticket
        self._lines(x, width, bottom, self._wording.app, 9, grey=90, most=1)
        self._lines(x, width, bottom, card.name or ticket.username, 12, most=2)
        if card.name or len(ticket.username) > LONG:
            # Whoever types needs all of it.
            self._lines(x, width, bottom, ticket.username, 8 if len(ticket.username) <= 3 * LONG else 6, whole=True)
        self._lines(x, width, bottom, f"Cloud ID {ticket.cloud_id}", 8, grey=90, most=2)
        self._lines(x, width, bottom, "Password", 8, grey=90)
        for half in in_two(ticket.token):
            self._lines(x, width, bottom, half, 8, whole=True)
        if ticket.page:
            self._lines(x, width, bottom, ticket.page.reveal(), 6.5, whole=True, link=True)
        pdf.set_font(self._family, size=7)
        pdf.set_text_color(60)
        pdf.set_xy(left + PADDING, top + CARD_HEIGHT - FOOT)
        foot = f"Scan with the app: for one phone, until {said(ticket.expires_s)}"
        pdf.cell(self._width - 2 * PADDING, FOOT - 2, self._fonts.drawable(foot))

    def _lines(
        self,
        x: float,
        width: float,
        bottom: float,
        text: str,
        size: float,
        *,
        grey: int = 0,
        most: int = MAX_LINES,
        whole: bool = False,
        link: bool = False,
    ) -> None:
        """Some lines at the pen, which goes below them: a text is cut where there are too many, or whole or not there.

        What is not there, since another one took its room, is in the code.
        """
        pdf, shown = self.pdf, self._fonts.drawable(text)
        pdf.set_font(self._family, size=size)
        pdf.set_text_color(grey)
        pdf.set_x(x)
        height = size * POINT * LEADING
        lines = self._broken(width, shown, WrapMode.CHAR if link else WrapMode.WORD)
        if whole and pdf.get_y() + len(lines) * height > bottom:
            return
        for number, line in enumerate(lines if whole else lines[:most]):
            cut = not whole and number == most - 1 and len(lines) > most
            pdf.set_x(x)
            words = self._fonts.drawable(f"{line[:-1]}…") if cut else line
            pdf.cell(width, height, words, new_x=XPos.LEFT, new_y=YPos.NEXT, link=text if link else "")
        pdf.set_y(pdf.get_y() + GAP)

    def _broken(self, width: float, text: str, mode: WrapMode) -> list[str]:
        """The lines of a text in the present font."""
        lines = self.pdf.multi_cell(width, 1, text, dry_run=True, output=MethodReturnValue.LINES, wrapmode=mode)
        assert isinstance(lines, list)
        return lines


def in_two(token: Secret) -> tuple[str, str]:
    """A token on two lines, each of whole groups."""
    groups = token.reveal().split("-")
    half = (len(groups) + 1) // 2
    return f"{'-'.join(groups[:half])}-", "-".join(groups[half:])


def _code(text: str) -> io.BytesIO:
    picture = io.BytesIO()
    segno.make_qr(text, error="m").save(picture, kind="png", scale=DOT, border=QUIET_ZONE)
    picture.seek(0)
    return picture


def _letters(path: Path) -> frozenset[int]:
    try:
        with path.open("rb") as file, TTFont(file, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no TrueType font"
        raise Invalid.at(os.fspath(path), f"cannot be read: {reason}") from None
