"""`offhook keys`: the keys that seal passwords and other secrets in the database."""

from __future__ import annotations

import sys

import msgspec
import typer

from offhook.cli import asking
from offhook.cli.desk import open_desk
from offhook.cli.exits import print_object, reported
from offhook.cli.options import DataOption, JsonOption, YesOption, examples

app = typer.Typer(
    name="keys",
    help="The keys that seal passwords and other secrets in the database.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command("list", epilog=examples("offhook keys list --json"))
def list_keys(data: DataOption = None, json: JsonOption = False) -> None:
    """List the keys by number, and how many secrets need each."""
    with reported(as_json=json), open_desk(data) as desk:
        found = desk.keyring.show()
        if json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
            return
        for one in found:
            typer.echo(f"Key {one.number} seals {one.texts:,} secrets{' and is current' if one.is_current else ''}.")


@app.command(epilog=examples("offhook keys rotate"))
def rotate(data: DataOption = None, json: JsonOption = False) -> None:
    """Make a new key and seal everything with it anew; it can be done while serving. Back the keys up afterwards."""
    with reported(as_json=json), open_desk(data) as desk:
        number, rows = desk.keyring.rotate()
        if json:
            print_object({"key": number, "rows": rows})
        else:
            typer.echo(f"Key {number} is current, and {rows:,} rows are sealed with it. Back the keys up.")


@app.command(epilog=examples("offhook keys forget --yes"))
def forget(yes: YesOption = False, data: DataOption = None, json: JsonOption = False) -> None:
    """Delete the keys that nothing in the database needs; older backups of it can be opened only with their own."""
    with reported(as_json=json), open_desk(data) as desk:
        asking.confirm("Delete keys for good? Backups of the database that need them need backups of them.", yes=yes)
        numbers = desk.keyring.forget()
        if json:
            print_object({"forgotten": numbers})
        else:
            typer.echo(f"Forgot {', '.join(map(str, numbers))}." if numbers else "All keys are needed.")
