"""Asking the person at the terminal, and what a script gives instead of an answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import typer

from offhook.cli.exits import Misused
from offhook.core.secret import Secret

MAX_LINE: Final = 16 * 1024
STDIN: Final = Path("-")


def confirm(question: str, *, yes: bool) -> None:
    """Go on only when the person says yes; without a terminal, `--yes` must have said so. Raises Misused."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misused(f"{question} Nobody is there to say so: give --yes.")
    typer.confirm(question, abort=True, err=True)


def password(prompt: str, otherwise: str) -> Secret:
    """Ask for a new password twice, unseen; raises Misused without a terminal, saying what to do `otherwise`."""
    if not sys.stdin.isatty():
        raise Misused(otherwise)
    return Secret(typer.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))


def line() -> Secret:
    """The next line of the standard input; raises Misused when it is no text."""
    try:
        return Secret(sys.stdin.buffer.readline(MAX_LINE).decode().rstrip("\r\n"))
    except UnicodeDecodeError:
        raise Misused("What stands on the standard input is not UTF-8 text.") from None


def secret_from(path: Path) -> Secret:
    """The first line of a file, or the next one of the standard input. Raises Misused."""
    if path == STDIN:
        return line()
    try:
        with path.open(encoding="utf-8") as file:
            return Secret(file.readline(MAX_LINE).rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}.") from None


def text_from(path: Path, limit_bytes: int) -> str:
    """A document in a file, a byte order mark left out. Raises Misused."""
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
        if len(content) > limit_bytes:
            raise Misused(f"{path} has more than {limit_bytes:,} bytes.")
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}.") from None
