"""Asking the person at the terminal, and what a script gives instead of an answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import typer

from offhook.cli.exits import Misused, brief
from offhook.core.errors import Invalid
from offhook.core.secret import Secret

# What a shell says of a command that Ctrl-C ended.
INTERRUPTED: Final = 130
MAX_LINE: Final = 16 * 1024
STDIN: Final = Path("-")


def attended() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Go on only when the person says yes; without a terminal, `--yes` must have said so. Raises Misused."""
    if yes:
        return
    if not attended():
        raise Misused(f"{question} Nobody is there to say so: give --yes.")
    with _ending():
        typer.confirm(question, abort=True, err=True)


def password(prompt: str, otherwise: str) -> Secret:
    """Ask for a new password twice, unseen; raises Misused without a terminal, saying what to do `otherwise`."""
    if not attended():
        raise Misused(otherwise)
    return _typed(prompt, hidden=True, twice=True)


def known_password(prompt: str) -> Secret:
    """Ask for a password that the person has already, unseen; it may be empty. Raises Misused."""
    return _typed(prompt, hidden=True)


def words(prompt: str) -> str:
    """Ask for some words; an empty answer stays empty. Raises Misused."""
    return _typed(prompt).reveal()


def needed_words(prompt: str) -> str:
    """Ask until there is an answer. Raises Misused."""
    while not (answer := words(prompt).strip()):
        typer.echo("Nothing was typed. Something is needed here; Ctrl-C ends.", err=True)
    return answer


def _typed(prompt: str, *, hidden: bool = False, twice: bool = False) -> Secret:
    # With a default, even an empty one, the library would take an empty new password.
    default = None if twice else ""
    try:
        with _ending():
            typed = typer.prompt(
                prompt, default, show_default=False, hide_input=hidden, confirmation_prompt=twice, err=True
            )
        return Secret(typed)
    except UnicodeDecodeError:
        raise Misused("What was typed is not UTF-8 text.") from None


@contextmanager
def _ending() -> Iterator[None]:
    """Ctrl-C ends the command as it does everywhere; to the library it is the same as a no."""
    try:
        yield
    except typer.Abort as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):
            typer.echo("Aborted!", err=True)
            raise typer.Exit(INTERRUPTED) from None
        raise


def line() -> Secret:
    """The next line of the standard input, without its end and nothing else; raises Misused when it is no text."""
    if sys.stdin is None:
        raise Misused("There is no standard input to read a line from.")
    return Secret(_one_line(sys.stdin.buffer.readline(MAX_LINE + 1), "What stands on the standard input"))


def secret_from(path: Path) -> Secret:
    """The first line of a file, or the next one of the standard input. Raises Misused."""
    if path == STDIN:
        return line()
    try:
        with path.open("rb") as file:
            return Secret(_one_line(file.readline(MAX_LINE + 1), str(path)))
    except OSError as error:
        raise Misused(f"{brief(str(path))} cannot be read: {error.strerror}.") from None


def text_from(path: Path, limit_bytes: int) -> str:
    """A document in a file or, for a dash, in the input, a byte order mark left out.

    Raises Misused when it cannot be read, and Invalid when it is too large or no text.
    """
    try:
        with nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise Misused(f"{brief(str(path))} cannot be read: {error.strerror or error}.") from None
    called = "the input" if path == STDIN else brief(str(path))
    if len(content) > limit_bytes:
        raise Invalid.at(called, f"has more than {limit_bytes:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        saved = "; it is UTF-16: save it as UTF-8" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ""
        raise Invalid.at(called, f"is not UTF-8 text: byte {error.start + 1:,} is wrong{saved}") from None


def _one_line(content: bytes, what: str) -> str:
    """A line as text. Its end alone is taken off: a password may end in blanks."""
    if len(content) > MAX_LINE:
        raise Misused(f"{what} has a line of more than {MAX_LINE:,} bytes.")
    try:
        return content.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise Misused(f"{what} is not UTF-8 text.") from None
