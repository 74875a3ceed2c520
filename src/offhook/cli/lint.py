"""`offhook lint`: reads an account document, or an app's base, and says what a phone would make of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from lxml import etree
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from offhook.cli.exits import Exit, Misused, brief, plain, print_object, reported
from offhook.cli.options import JsonOption
from offhook.core import accountxml, base, xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Fault, Invalid
from offhook.core.features import Features
from offhook.core.lint import SEVERITIES, Finding, Severity
from offhook.core.lint import lint as look_at
from offhook.core.mergeable import PROVIDER, Value

ACCOUNT: Final = "account"
BASE: Final = "base configuration"

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
    """All that was found in a file of a kind; `faults` say why it could not be read."""

    file: str
    document: str = ACCOUNT
    remarks: tuple[Remark, ...] = ()
    faults: tuple[Fault, ...] = ()

    def count(self, severity: Severity) -> int:
        """How many remarks are this bad."""
        return sum(remark.severity == severity for remark in self.remarks)

    def exit_code(self, *, strict: bool) -> Exit:
        """What the command ends with."""
        if self.faults:
            return Exit.INVALID
        return Exit.FAILED if self.count("error") or (strict and self.count("warning")) else Exit.OK


class _Read(msgspec.Struct, frozen=True):
    """What a file holds: its kind, its keys, what was tolerated in reading them, on which lines they stand."""

    document: str
    values: dict[str, Value]
    tolerated: tuple[Diagnostic, ...]
    lines: dict[str, int]
    account_id: str | None = None


def lint(
    file: Annotated[str, typer.Argument(help="An account document (Account XML), or - for standard input.")],
    features: Annotated[
        str | None,
        typer.Option(
            help="The features the app is licensed for: messaging,unlimited_subdomains=example.com. "
            "Without this, licences are not judged.",
        ),
    ] = None,
    json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail too.")] = False,
) -> None:
    """Say what is wrong with an account document, and how to mend it.

    The base configuration that a portal serves is understood, too: its account is looked at.

    Examples:
      offhook lint account.xml
      offhook lint account.xml --features messaging,push --strict
      curl -s "$URL" | offhook lint -

    Exit codes: 0 no errors; 1 errors (with --strict also warnings); 2 the command was misused, or the file cannot be
    opened; 5 it is no such document.
    """
    with reported(as_json=json):
        report = _examine(file, _features(features))
    if json:
        print_object(msgspec.to_builtins(report))
    elif report.faults:
        _print_faults(report)
    else:
        _print(report)
    raise typer.Exit(report.exit_code(strict=strict))


def _features(written: str | None) -> Features | None:
    """Raises Misused."""
    if written is None:
        return None
    items = (item.strip().partition("=") for item in written.split(",") if item.strip())
    try:
        return Features.parse({name.strip(): domain.strip() if equals else "1" for name, equals, domain in items})
    except Invalid as error:
        raise Misused(f"--features: {error.text}") from None


def _examine(file: str, features: Features | None) -> Report:
    """Raises Misused when there is nothing to read."""
    document = _content(file)
    try:
        read = _read(document)
    except Invalid as error:
        return Report(file, faults=error.faults)
    tolerated = tuple(Finding("warning", remark.place, remark.text, "") for remark in read.tolerated)
    findings = look_at(read.values, features=features, account_id=read.account_id)
    remarks = (
        Remark(finding.severity, finding.key, read.lines.get(finding.key.partition("/")[0]), finding.what, finding.how)
        for finding in (*tolerated, *findings)
    )
    ordered = sorted(remarks, key=lambda remark: SEVERITIES.index(remark.severity))
    return Report(file, read.document, tuple(ordered))


def _content(file: str) -> bytes:
    """The bytes of a file, at most one more than a document may have. Raises Misused."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(xml.MAX_BYTES + 1)
        with Path(file).open("rb") as stream:
            return stream.read(xml.MAX_BYTES + 1)
    except OSError as error:
        raise Misused(
            f"{brief(file)} cannot be read: {error.strerror}. Name a file, or - for standard input."
        ) from None


def _read(document: bytes) -> _Read:
    """Tell the kinds apart. Raises Invalid."""
    root = xml.parse(document, "Account XML")
    if root.tag == "provisioning" and root.get("cloudId") is not None:
        app = base.loads(document)
        return _Read(BASE, app.account, app.diagnostics, _lines(root))
    if root.tag == "provisioning" and not list(root.iter("account")):
        what = "is a global part, with quick dials and dial actions for everybody; this looks at accounts only"
        raise Invalid.at("Account XML", what)
    account = accountxml.loads(document, PROVIDER, "provider")
    return _Read(ACCOUNT, account.values, account.diagnostics, _lines(root), account.account_id)


def _lines(root: etree._Element) -> dict[str, int]:
    account = next(root.iter("account"), root)
    return {str(node.tag): node.sourceline for node in (account, *account) if node.sourceline}


def _print_faults(report: Report) -> None:
    console = Console(stderr=True, highlight=False)
    for fault in report.faults:
        console.print(Text.assemble(("error", _COLOURS["error"]), f"    {brief(report.file)} cannot be used"))
        console.print(Padding(Text(plain(str(fault))), (0, 0, 0, _INDENT), expand=False))


def _print(report: Report) -> None:
    console = Console(highlight=False)
    if report.document != ACCOUNT:
        console.print(
            Text(f"{brief(report.file)} is the {report.document} of an app: this is about its account", "dim")
        )
    for remark in report.remarks:
        heading = Text(f"{remark.severity:<{_INDENT}}", _COLOURS[remark.severity])
        heading.append(plain(remark.key), "bold")
        heading.append(f"  line {remark.line}" if remark.line else "", "dim")
        console.print(heading)
        console.print(Padding(Text(plain(remark.what)), (0, 0, 0, _INDENT), expand=False))
        if remark.how:
            console.print(Padding(Text(plain(remark.how), "italic"), (0, 0, 0, _INDENT), expand=False))
    counts = [f"{number} {word}{'s' * (number != 1)}" for word in SEVERITIES if (number := report.count(word))]
    console.print(Text(f"{brief(report.file)}: {', '.join(counts) or 'nothing to remark'}"))
