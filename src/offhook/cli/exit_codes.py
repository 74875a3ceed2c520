"""`offhook exit-codes`: what the exit codes of all commands mean."""

from __future__ import annotations

import typer

from offhook.cli import exits
from offhook.cli.exits import Exit, print_object
from offhook.cli.options import JsonOption


def exit_codes(json: JsonOption = False) -> None:
    """List the exit codes, which are the same for every command.

    Example: offhook exit-codes --json
    """
    if json:
        print_object({code.name.lower(): int(code) for code in Exit})
    else:
        typer.echo((exits.__doc__ or "").partition("\n\n")[2].rstrip())
