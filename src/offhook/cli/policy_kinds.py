"""`offhook policy kinds`: what a rule can hold, as the reference page says it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.text import Text

from offhook.cli import showing
from offhook.cli.exits import Misused, brief, print_object, reported
from offhook.cli.options import JsonOption
from offhook.core.keys import near
from offhook.policy import examples
from offhook.policy import kinds as catalogue
from offhook.policy.kinds import Shape

CEL = "cel"


def kinds(
    name: Annotated[str | None, typer.Argument(help="One of them; left out, a list.", metavar="[NAME]")] = None,
    json: JsonOption = False,
) -> None:
    """Say what a rule can hold: conditions, effects, rollouts, and what expressions in CEL can read (cel)."""
    with reported(as_json=json):
        known = {kind.name: kind for group in catalogue.groups() for kind in group.kinds}
        if name is None:
            _list(json=json)
        elif name == CEL:
            _expressions(json=json)
        elif name in known:
            _show(known[name], json=json)
        else:
            meant = near(name, [*known, CEL])
            hint = f"Did you mean {meant[0]}?" if meant else f"There are {', '.join([*known, CEL])}."
            raise Misused(f"A rule holds no {brief(name, 40)}. {hint}")


def _list(*, json: bool) -> None:
    if json:
        print_object({"kinds": [msgspec.to_builtins(group) for group in catalogue.groups()]})
        return
    for group in catalogue.groups():
        showing.tell(f"{group.title}. {group.about}")
        table = showing.table()
        for kind in group.kinds:
            table.add_row(f"  {kind.name}", kind.short)
        showing.console().print(table)
    showing.tell(f"  {CEL}  What expressions can read and call. One of them: offhook policy kinds NAME")


def _show(kind: Shape, *, json: bool) -> None:
    if json:
        print_object(msgspec.to_builtins(kind))
        return
    out = showing.console()
    out.print(Text(kind.written, "bold"))
    out.print(Text(kind.about))
    table = showing.table("Field", "What it holds", "Left out")
    for field in kind.fields:
        table.add_row(field.name, field.value, "needed" if field.needed else field.default)
    out.print(table)
    out.print(Text(f"\n{kind.example}".rstrip()), soft_wrap=True)


def _expressions(*, json: bool) -> None:
    if json:
        print_object({"variables": dict(examples.VARIABLES), "functions": dict(examples.FUNCTIONS)})
        return
    for heading, entries in (("Name", examples.VARIABLES), ("Made of", examples.FUNCTIONS)):
        table = showing.table(heading, "What it is" if heading == "Name" else "Such as")
        for name, said in entries.items():
            table.add_row(name.replace("`", ""), said.replace("`", "") if heading == "Name" else said)
        showing.console().print(table)
