"""How versions and their differences are shown, whatever they are of: lines in colour, tables, JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from offhook.cli.exits import Misused, plain
from offhook.core.difference import Kind, Line, count, summary

MOST_VERSIONS: Final = 999_999_999
_STYLES: Final = {Kind.ADDITION: "green", Kind.CHANGE: "yellow", Kind.REMOVAL: "red"}
_PLAIN_WIDTH: Final = 200
_State = TypeVar("_State", bound=StrEnum)

WhichOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--version", help="live, editable or a number; left out, the Editable, else Live.", metavar="WHICH"),
]
NumberArgument: TypeAlias = Annotated[
    int, typer.Argument(help="A version that was Live; see history.", metavar="VERSION", max=MOST_VERSIONS)
]


def which(written: str | None, states: type[_State]) -> _State | int | None:
    """The version that was asked for, None without a choice. Raises Misused."""
    if written is None:
        return None
    if written.isascii() and written.isdecimal() and len(written) < 10:
        return int(written)
    if written in {"live", "editable"}:
        return states(written)
    raise Misused(f"--version takes live, editable or a number, not {written!r}.")


def console() -> Console:
    """Wide where no terminal says how wide."""
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def tell(text: str) -> None:
    """A line for a person."""
    console().print(Text(plain(text)), soft_wrap=True)


def table(*headings: str) -> Table:
    """A table without lines."""
    return Table(*headings, box=None, header_style="bold", pad_edge=False)


def show_lines(lines: Collection[Line], told: Callable[[Line], str] = str, between: Iterable[Text] = ()) -> None:
    """What would change, line by line, then what somebody should know, then the counts."""
    out = console()
    for line in lines:
        out.print(Text(plain(told(line)), _STYLES[line.kind]), soft_wrap=True)
    for text in between:
        out.print(text, soft_wrap=True)
    out.print(Text(summary(lines), "bold"), soft_wrap=True)


def counts(lines: Collection[Line]) -> dict[str, Any]:
    """The counts and the lines as an object."""
    return {**{f"{kind.value}s": count(lines, kind) for kind in Kind}, "lines": msgspec.to_builtins(lines)}


def print_list(records: Iterable[dict[str, Any]]) -> None:
    """A JSON array on the standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(list(records)), indent=2).decode() + "\n")
