"""`offhook explain`: what a user gets, key by key, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from offhook.cli.desk import open_desk
from offhook.cli.exits import plain, print_object, reported
from offhook.cli.options import DataOption, JsonOption, UserArgument, examples, signing_in
from offhook.provider.explain import Dial, Explanation, Line, Said

_PLAIN_WIDTH: Final = 200

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(
    epilog=examples(
        "offhook explain ann@EXAMPLE",
        "offhook explain 'ann@EXAMPLE*'     # with the Editable version of the app",
        "offhook explain ann@EXAMPLE --json | jq '.lines[] | select(.kept_out != [])'",
    )
)
def explain(who: UserArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show what a user gets: each key with its value, the layer it comes from, why, and what it was chosen over.

    Quick dials come below.     Secrets are masked. Nothing is changed, and no install is made.
    """
    with reported(as_json=json), open_desk(data) as desk:
        login = signing_in(who)
        explanation = desk.explain.account(login.username, login.cloud_id)
        if json:
            print_object(msgspec.to_builtins(explanation))
        else:
            _show(explanation)


def _show(explanation: Explanation) -> None:
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Key", "Value", "Layer", "Why"):
        table.add_column(heading, overflow="fold")
    for line in explanation.lines:
        table.add_row(Text(plain(line.key), "bold"), plain(line.value), plain(line.layer) or "-", plain(line.reason))
        for kind, said in _others(line):
            table.add_row("", Text(plain(said.value), "dim"), Text(plain(said.layer), "dim"), Text(kind + said.reason))
    console.print(table)
    if explanation.quick_dials:
        console.print(_dials(explanation.quick_dials))
    for remark in explanation.diagnostics:
        console.print(Text.assemble(("Note: ", "yellow"), plain(str(remark))))


def _dials(dials: Iterable[Dial]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("\nQuick dial", "\nName", "\nNumber", "\nLayer", "\nWhy"):
        table.add_column(heading, overflow="fold")
    for dial in dials:
        row = (plain(dial.name), plain(dial.uri), f"{dial.layer} {dial.rank}", dial.reason)
        table.add_row(Text(plain(dial.id), "bold"), *row)
    return table


def _others(line: Line) -> Iterator[tuple[str, Said]]:
    for said in line.kept_out:
        yield "kept out: ", said
    for said in line.beaten:
        yield "beaten: ", said
