"""QR codes: read from a picture, and drawn in a terminal so that a camera can read them."""

from __future__ import annotations

import warnings
from itertools import zip_longest
from pathlib import Path
from typing import Final

import segno
from rich.console import Console
from rich.style import Style
from rich.text import Text

from offhook.cli.exits import Misused, brief
from offhook.core import login
from offhook.core.errors import Invalid

MAX_FILE_BYTES: Final = 20 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
# What a phone or a screen makes. The library knows many more formats, and hands one of them to another program.
FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
QUIET_ZONE: Final = 4
_DARK, _LIGHT = "#000000", "#ffffff"
_HALVES: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def read_qr(path: Path, scheme: str) -> str:
    """The text of the QR code in a picture. Raises Misused without the library or the file, Invalid without a code."""
    try:
        import PIL.Image
        import zxingcpp
    except ImportError:
        raise Misused("Reading QR pictures needs a library: pip install 'offhook[qr]'") from None
    named = brief(str(path))
    try:
        with path.open("rb") as file:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise Misused(f"{named} has more than {MAX_FILE_BYTES:,} bytes.")
            with warnings.catch_warnings():
                # We have a limit of our own, and say it in our own words.
                warnings.simplefilter("ignore")
                picture = PIL.Image.open(file, formats=FORMATS)
                if picture.width * picture.height > MAX_PIXELS:
                    raise Misused(f"{named} has more than {MAX_PIXELS:,} pixels.")
                texts = [code.text for code in zxingcpp.read_barcodes(picture.convert("L"))]
    except PIL.UnidentifiedImageError:
        raise Misused(f"{named} cannot be read as a picture: it is none of {', '.join(FORMATS)}.") from None
    except OSError as error:
        reason = error.strerror or "it is damaged"
        raise Misused(f"{named} cannot be read as a picture: {reason}.") from None
    except (ValueError, SyntaxError, EOFError, IndexError, PIL.Image.DecompressionBombError):
        # What the library lets through when a picture is broken.
        raise Misused(f"{named} cannot be read as a picture: it is damaged.") from None
    links = [text for text in texts if login.is_link(text, scheme)]
    if not links:
        raise Invalid.at(named, f"shows no QR code of an app ({len(texts)} other codes)")
    return links[0]


def print_qr(console: Console, text: str) -> None:
    """Draw a code, two rows in a line, black on white whatever the terminal's colours.

    Without colours, what is white is drawn, as it has to be on a dark background; cameras read it on a light one, too.
    """
    rows = [[bool(cell) for cell in row] for row in segno.make_qr(text, error="m").matrix_iter(border=QUIET_ZONE)]
    below = rows[1::2]
    coloured = console.color_system is not None and not console.no_color
    for upper, lower in zip_longest(rows[::2], below, fillvalue=[False] * len(rows[0])):
        cells = zip(upper, lower, strict=True)
        if coloured:
            line = Text("".join(_HALVES[pair] for pair in cells), Style(color=_DARK, bgcolor=_LIGHT))
        else:
            line = Text("".join(_HALVES[not above, not under] for above, under in cells))
        console.print(line, no_wrap=True, crop=False)
