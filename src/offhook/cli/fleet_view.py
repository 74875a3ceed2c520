"""How a fleet is shown: what its phones do, what was answered how quickly, how old they are, how changes spread."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from offhook.cli.exits import plain
from offhook.phone.fleet import Report
from offhook.phone.spread import Percentiles

_MOST: Final = 10


def table(report: Report, *, waited: Percentiles) -> RenderableType:
    """The report for a person."""
    return Group(*_parts(report, waited))


def report_object(report: Report, *, waited: Percentiles) -> dict[str, Any]:
    """The report for a program; all durations are seconds."""
    content: dict[str, Any] = msgspec.to_builtins(report)
    return content | {"waited_for_connection": msgspec.to_builtins(waited)}


def _parts(report: Report, waited: Percentiles) -> Iterator[RenderableType]:
    states = ", ".join(f"{count:,} {state}" for state, count in report.states.items())
    after = timedelta(seconds=round(report.elapsed_s))
    yield Text(f"{report.phones:,} phones after {after}: {states}", "bold")
    if report.services:
        yield _services(report)
    if any(age.count for age in report.ages.values()):
        yield _ages(report)
    if report.changes:
        yield _changes(report)
    yield from _words("Errors", report.errors)
    yield from _words("Notes", report.notes)
    yield Text(
        f"The fleet itself: its loop was late by {_time(report.lateness.p99_s)} (p99); "
        f"a request waited {_time(waited.p99_s)} (p99) for a free connection, which is not in the latencies.",
        "dim",
    )


def _services(report: Report) -> Table:
    rows = _table("Service", "Answers", "p50", "p95", "p99", "max")
    for service in report.services:
        answers = ", ".join(f"{status}: {count:,}" for status, count in service.answers.items())
        took = service.latency
        rows.add_row(service.name, answers, *map(_time, (took.p50_s, took.p95_s, took.p99_s, took.max_s)))
    return rows


def _ages(report: Report) -> Table:
    rows = _table("Age of what phones have", "Phones", "p50", "p95", "p99", "max")
    for service, age in report.ages.items():
        if age.count:
            rows.add_row(service, f"{age.count:,}", *map(_time, (age.p50_s, age.p95_s, age.p99_s, age.max_s)))
    return rows


def _changes(report: Report) -> Table:
    rows = _table("Change", "Revision", "Phones", "p50", "p99", "all", "from the server: p99")
    for change in report.changes[:_MOST]:
        first = change.after_first
        times = (first.p50_s, first.p99_s, first.max_s, change.after_server.p99_s)
        rows.add_row(change.service, plain(change.revision), f"{change.phones:,}", *map(_time, times))
    return rows


def _words(title: str, counted: dict[str, int]) -> Iterator[RenderableType]:
    if counted:
        rows = _table(title, "")
        for text, count in sorted(counted.items(), key=lambda one: -one[1])[:_MOST]:
            rows.add_row(Text(plain(text)), f"{count:,}")
        yield rows


def _table(*columns: str) -> Table:
    rows = Table(box=None, padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        rows.add_column(name, justify="right" if number > 1 else "left")
    return rows


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))
