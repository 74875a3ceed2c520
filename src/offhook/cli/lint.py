"""`offhook lint`: reads an account document and says what a phone would make of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from offhook.core import accountxml, xml
from offhook.core.errors import Fault, Invalid
from offhook.core.features import Features
from offhook.core.lint import SEVERITIES, Finding, Severity
from offhook.core.lint import lint as look_at
from offhook.core.mergeable import PROVIDER

CLEAN: Final = 0
FAULTY: Final = 1
UNREADABLE: Final = 2

_COLOURS: Final[dict[Severity, str]] = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_INDENT: Final = 9


class Remark(msgspec.Struct, frozen=True):
    """A finding and the line on which its key stands, when it stands on one."""

    severity: Severity
    key: str
    line: int | None
    what: str
    how: str


class Report(msgspec.Struct, frozen=True):
    """All that was found in a file; `faults` say why it could not be read."""

    file: str
    remarks: tuple[Remark, ...] = ()
    faults: tuple[Fault, ...] = ()

    def count(self, severity: Severity) -> int:
        """How many remarks are this bad."""
        return sum(remark.severity == severity for remark in self.remarks)

    def exit_code(self, *, strict: bool) -> int:
        """What the command ends with."""
        if self.faults:
            return UNREADABLE
        return FAULTY if self.count("error") or (strict and self.count("warning")) else CLEAN


def lint(
    file: Annotated[str, typer.Argument(help="An account document (Account XML), or - for standard input.")],
    features: Annotated[
        str | None,
        typer.Option(
            help="The features the app is licensed for: messaging,unlimited_subdomains=example.com. "
            "Without this, licences are not judged.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail too.")] = False,
) -> None:
    """Say what is wrong with an account document, and how to mend it.

    Examples: `offhook lint account.xml`, `offhook lint account.xml --features messaging,push --strict`,
    `curl -s "$URL" | offhook lint -`.

    Exit codes: 0 no errors, 1 errors (with --strict also warnings), 2 the file cannot be read.
    """
    licensed = _features(features)
    report = _examine(file, licensed)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(report)))
    elif report.faults:
        _print_faults(report)
    else:
        _print(report)
    raise typer.Exit(report.exit_code(strict=strict))


def _features(written: str | None) -> Features | None:
    if written is None:
        return None
    items = (item.strip().partition("=") for item in written.split(",") if item.strip())
    try:
        return Features.parse({name.strip(): domain.strip() if equals else "1" for name, equals, domain in items})
    except Invalid as error:
        raise typer.BadParameter(error.text, param_hint="--features") from None


def _examine(file: str, features: Features | None) -> Report:
    try:
        document = _read(file)
        reading = accountxml.loads(document, PROVIDER, "provider")
    except OSError as error:
        return Report(
            file, faults=(Fault("", f"It cannot be read: {error.strerror}. Name a file, or - for standard input."),)
        )
    except Invalid as error:
        return Report(file, faults=error.faults)
    tolerated = tuple(Finding("warning", remark.place, remark.text, "") for remark in reading.diagnostics)
    findings = look_at(reading.values, features=features, account_id=reading.account_id)
    lines = _lines(document)
    remarks = (
        Remark(finding.severity, finding.key, lines.get(finding.key.partition("/")[0]), finding.what, finding.how)
        for finding in (*tolerated, *findings)
    )
    return Report(file, tuple(sorted(remarks, key=lambda remark: SEVERITIES.index(remark.severity))))


def _read(file: str) -> bytes:
    """The bytes of a file, at most one more than a document may have."""
    if file == "-":
        return sys.stdin.buffer.read(xml.MAX_BYTES + 1)
    with Path(file).open("rb") as stream:
        return stream.read(xml.MAX_BYTES + 1)


def _lines(document: bytes) -> dict[str, int]:
    account = next(xml.parse(document).iter("account"))
    return {str(node.tag): node.sourceline for node in (account, *account) if node.sourceline}


def _print_faults(report: Report) -> None:
    console = Console(stderr=True, highlight=False)
    for fault in report.faults:
        console.print(Text.assemble(("error", _COLOURS["error"]), f"    {report.file} cannot be used"))
        console.print(Padding(Text(str(fault)), (0, 0, 0, _INDENT), expand=False))


def _print(report: Report) -> None:
    console = Console(highlight=False)
    for remark in report.remarks:
        heading = Text(f"{remark.severity:<{_INDENT}}", _COLOURS[remark.severity])
        heading.append(remark.key, "bold")
        heading.append(f"  line {remark.line}" if remark.line else "", "dim")
        console.print(heading)
        console.print(Padding(Text(remark.what), (0, 0, 0, _INDENT), expand=False))
        if remark.how:
            console.print(Padding(Text(remark.how, "italic"), (0, 0, 0, _INDENT), expand=False))
    counts = [f"{number} {word}{'s' * (number != 1)}" for word in SEVERITIES if (number := report.count(word))]
    console.print(Text(f"{report.file}: {', '.join(counts) or 'nothing to remark'}"))
