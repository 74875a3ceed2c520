"""`offhook doctor`: what differs between what we believe and what is so elsewhere, and how it is mended."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from offhook.cli.desk import open_desk
from offhook.cli.exits import Exit, plain, reported
from offhook.cli.options import DataOption, JsonOption
from offhook.provider.doctor import Finding


def doctor(
    mend: Annotated[bool, typer.Option("--mend", help="Put right what can be put right.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Compare users, phones and their things with SIP systems and the like, and list every difference.

    Ends with 0 when nothing is wrong any more, else with 1. What is just being made is no difference.

    Example: offhook doctor --mend
    """
    with reported(as_json=json), open_desk(data) as desk:
        found = []
        for finding in desk.doctor.examine(mend=mend):
            found.append(finding)
            if not json:
                typer.echo(_line(finding))
    wrong = [one for one in found if one.mended is not True]
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode([_record(one) for one in found])).decode() + "\n")
    elif not found:
        typer.echo("Nothing is wrong.")
    if wrong:
        raise typer.Exit(Exit.FAILED)


def _line(finding: Finding) -> str:
    how = "Mended." if finding.mended else f"To mend: {finding.remedy}." if finding.remedy else ""
    if finding.mended is False:
        how = "Not mended."
    return plain(f"{finding.check}: {finding.place} {finding.text} {how}".rstrip())


def _record(finding: Finding) -> dict[str, object]:
    record: dict[str, object] = msgspec.to_builtins(finding)
    del record["name"]
    return record
