"""A policy's file as somebody keeps it: read as text, written again, and its faults told by file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from offhook.cli import asking
from offhook.cli.exits import Misused, brief
from offhook.core.errors import Conflict, Fault, Invalid
from offhook.policy import document

MAX_BYTES: Final = 4 * document.MAX_CHARACTERS
_PLACE: Final = re.compile(r"(rules|segments)\[(\d+)\]")


def read(path: Path) -> str:
    """The text of a file, or of the input. Raises Misused, and Invalid when it is no text."""
    return asking.text_from(path, MAX_BYTES)


def write(to: Path, text: str, *, replace: bool) -> None:
    """Write a file. Raises Conflict when it is there, and Misused."""
    try:
        with to.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(f"{brief(str(to))} is there already; --force replaces it.") from None
    except OSError as error:
        raise Misused(f"{brief(str(to))} cannot be written: {error.strerror}.") from None


@contextmanager
def located(path: Path, text: str) -> Iterator[None]:
    """Faults inside are told with the name of the file, and those of rules and segments with the line they begin on."""
    try:
        yield
    except Invalid as invalid:
        called = "the input" if path == asking.STDIN else brief(str(path))
        raise Invalid(*(_located(fault, called, text) for fault in invalid.faults)) from None


def _located(fault: Fault, called: str, text: str) -> Fault:
    found = _PLACE.match(fault.place)
    line = _line(text, found[1], int(found[2])) if found else None
    where = called if line is None else f"{called}:{line}"
    return Fault(where if fault.place == document.NAME else f"{where}: {fault.place}", fault.text)


def _line(text: str, table: str, position: int) -> int | None:
    """On which line the entry of a list begins; None where that is written in another way, such as in JSON."""
    headings = re.finditer(rf"^[ \t]*\[\[[ \t]*{table}[ \t]*\]\]", text, re.MULTILINE)
    for number, heading in enumerate(headings, 1):
        if number == position:
            return text.count("\n", 0, heading.start()) + 1
    return None
