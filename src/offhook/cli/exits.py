"""How a command ends: one table of exit codes, and one way to tell a person or a program what went wrong.

0  it worked                      5  what came in cannot be used
1  it failed for another reason   6  out of reach, too slow, or down for now
2  the command was misused        7  asked too often
3  refused                        8  in use, or changed meanwhile
4  there is no such thing

A fault of the command line is 2, also when an option names a file that is not there; what stands in a file is 5.
Of `lint`, 1 says that the document has errors, and 5 that it is none. Of `shadow`, 1 says that accounts differ, and 6
that not all could be compared. Of `demo` and `phone sign-in`, all but 0 say that no phone was signed in. Ctrl-C where
nothing else is said about it, as at a question: 130.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Final

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from offhook.core.errors import Conflict, Invalid, NotFound, OffhookError, Refused, TooMany, Unavailable
from offhook.phone import stopped
from offhook.phone.stopped import Stopped


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    MISUSED = 2
    REFUSED = 3
    NOT_FOUND = 4
    INVALID = 5
    UNAVAILABLE = 6
    TOO_MANY = 7
    CONFLICT = 8


class Misused(OffhookError):
    """The command line cannot be meant as it stands; says how it could."""


_OTHER_KEY: Final = (
    "A phone trusts the key that it met first at this address. If you know that the portal has another one now, as "
    "after it was set up anew, sign in with --portal-key KEY; `offhook portal-key` on its server prints it."
)
_CODES: Final[tuple[tuple[type[OffhookError], Exit], ...]] = (
    (Misused, Exit.MISUSED),
    (Refused, Exit.REFUSED),
    (NotFound, Exit.NOT_FOUND),
    (Invalid, Exit.INVALID),
    (Unavailable, Exit.UNAVAILABLE),
    (TooMany, Exit.TOO_MANY),
    (Conflict, Exit.CONFLICT),
)


def code_of(error: OffhookError) -> Exit:
    """The exit code for an error."""
    happened = _what(error)
    return next((code for kind, code in _CODES if isinstance(happened, kind)), Exit.FAILED)


def described(error: OffhookError) -> dict[str, Any]:
    """An error as an object for a program."""
    happened = _what(error)
    code = code_of(error)
    described = {"kind": code.name.lower(), "exit_code": int(code), "message": error.text}
    if isinstance(happened, Invalid):
        described["faults"] = [{"place": fault.place, "text": fault.text} for fault in happened.faults]
    if isinstance(happened, TooMany | Unavailable):
        described["retry_after_s"] = happened.retry_after_s
    if isinstance(error, Stopped):
        described |= {"service": error.service, "status": error.status, "reason": error.reason}
        if hint := _hint(error):
            described["hint"] = hint
    return described


@contextmanager
def reported(*, as_json: bool = False, beside: Callable[[], dict[str, Any]] = dict) -> Iterator[None]:
    """An error of ours inside ends the command with its exit code and a message on the standard error.

    With `as_json`, an object on the standard output says it under `error` instead, next to what `beside` gives.
    """
    try:
        yield
    except OffhookError as error:
        if as_json:
            print_object(beside() | {"error": described(error)})
        else:
            _tell(error)
        raise typer.Exit(code_of(error)) from None


@contextmanager
def as_misuse() -> Iterator[None]:
    """What is invalid inside was given on the command line, and did not come from a file or a server."""
    try:
        yield
    except Invalid as invalid:
        raise Misused(invalid.text) from None


def print_object(content: dict[str, Any]) -> None:
    """One JSON object on the standard output, in UTF-8 whatever the terminal speaks."""
    text = json.dumps(msgspec.to_builtins(content), ensure_ascii=False, indent=2)
    # A byte of the command line that is no text came in as half of a surrogate pair: JSON has an escape for it.
    typer.echo(text.encode("utf-8", "backslashreplace"))


def _tell(error: OffhookError) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    happened = _what(error)
    lines = [str(fault) for fault in happened.faults] if isinstance(happened, Invalid) else [error.text]
    for line in lines:
        console.print(Text.assemble(("Error: ", "bold red"), plain(line)))
    if isinstance(error, Stopped):
        for line in filter(None, (plain(error.detail), _hint(error))):
            console.print(Text(line, "dim"))


def _hint(error: Stopped) -> str:
    """What the person at this command can do, which is more than users of an app can."""
    return _OTHER_KEY if error.text == stopped.NOT_GENUINE else ""


def _what(error: OffhookError) -> OffhookError:
    return error.what if isinstance(error, Stopped) else error


def plain(text: str) -> str:
    """A text on one line, with everything that could steer a terminal made visible."""
    return "".join(mark if mark.isprintable() else f"\\x{ord(mark):02x}" for mark in text)


def brief(text: str, limit: int = 200) -> str:
    """A plain text of at most so many characters; the end of a longer one becomes three dots."""
    shown = plain(text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
