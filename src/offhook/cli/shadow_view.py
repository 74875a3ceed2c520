"""How a shadow is shown: what it is about to do, how far it is, and what two services say differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from offhook.cli.exits import brief, plain
from offhook.cli.phone_view import console_for
from offhook.cli.plan_view import counted
from offhook.core.comparison import What
from offhook.core.shadow import Group, Tally, Words

_MOST_ROWS: Final = 40
_SOME_MINUTES_S: Final = 120
_MOST_VALUE: Final = 60
_NOT_SENT: Final = "(not sent)"
_EMPTY: Final = "(empty)"


class Outcome(msgspec.Struct, frozen=True):
    """What a shadow saw, and what it was to see; `stopped` says why it ended before its time."""

    cloud_id: str
    theirs: str
    ours: str
    users: int
    tally: Tally
    seconds: float
    left_out: int = 0
    stopped: str = ""
    interrupted: bool = False
    behind: dict[str, int] = {}

    @property
    def notes(self) -> Iterator[str]:
        """What an operator will want to know beside the differences."""
        if self.left_out:
            yield f"{counted(self.left_out, 'user')} left out, since only a hash of the password is known."
        for key, users in self.behind.items():
            yield (
                f"{key} of ours leads {counted(users, 'user')} back to the other service: after switching, their "
                "phones go on asking there, unless its name moves to the new server."
            )
        if self.stopped:
            yield f"{self.stopped} {counted(self.users - self.tally.asked, 'user')} not compared."


def progress() -> Progress:
    """A bar on the standard error, if anybody watches."""
    console = console_for(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def counts(tally: Tally) -> str:
    """The sum, on a line."""
    told = [f"{tally.alike:,} alike", f"{tally.different:,} different", f"{tally.refused:,} refused by both"]
    return ", ".join([*told, f"{tally.failed:,} failed"])


def duration(seconds: float) -> str:
    """A time for a person."""
    if seconds < _SOME_MINUTES_S:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 60 * _SOME_MINUTES_S else f"{seconds / 3600:.1f} h"


def report(outcome: Outcome) -> RenderableType:
    """The report for a person."""
    return Lines(*_parts(outcome))


def _parts(outcome: Outcome) -> Iterator[RenderableType]:
    tally = outcome.tally
    asked = f"{tally.asked:,} of {counted(outcome.users, 'user')} in {duration(outcome.seconds)}"
    good = not (tally.different or tally.failed or outcome.stopped)
    yield Text.assemble((asked, "bold"), ": ", (counts(tally), "green" if good else "bold"))
    for what in What:
        if groups := [group for group in tally.groups() if group.what is what]:
            yield from _titled(f"Different: {what}", _differences(groups), len(groups))
    if words := tally.refusals(by_both=False):
        yield from _titled("Refused by one of them", _said(words, "lets them in"), len(words))
    if words := tally.failures():
        yield from _titled("Could not be compared", _said(words, "-"), len(words))
    if words := tally.refusals(by_both=True):
        yield from _titled("Refused by both, which is the same", _said(words, ""), len(words))
    if groups := tally.groups(expected=True):
        yield from _titled("Differences that have to be", _expected(groups), len(groups))
    for note in outcome.notes:
        yield Text.assemble(("Note: ", "yellow"), plain(note))


def _titled(title: str, table: Table, rows: int) -> Iterator[RenderableType]:
    yield Text(f"\n{title}", "bold")
    yield table
    if rows > _MOST_ROWS:
        yield Text(f"and {rows - _MOST_ROWS:,} more; --json tells all", "dim")


def _differences(groups: Sequence[Group]) -> Table:
    table = _table("Key", "Users", "Theirs", "Ours", "Of")
    for group in groups[:_MOST_ROWS]:
        first = group.examples[0]
        shown = [_value(first.theirs), _value(first.ours)]
        if first.theirs == first.ours:
            shown[1] = Text("a different one, which is not shown", "dim")
        user = Text(brief(first.user, _MOST_VALUE))
        table.add_row(Text(plain(group.key), "bold"), f"{group.users:,}", *shown, user)
    return table


def _expected(groups: Sequence[Group]) -> Table:
    table = _table("Key", "Users", "Why")
    for group in groups[:_MOST_ROWS]:
        table.add_row(Text(plain(group.key)), f"{group.users:,}", Text(group.expected, "dim"))
    return table


def _said(words: Sequence[Words], otherwise: str) -> Table:
    table = _table("Theirs", "Ours", "Users", "Such as")
    for one in words[:_MOST_ROWS]:
        shown = (Text(plain(told) or otherwise) for told in (one.theirs, one.ours))
        table.add_row(*shown, f"{one.users:,}", Text(", ".join(brief(user, _MOST_VALUE) for user in one.examples)))
    return table


def _value(shown: str | None) -> Text:
    if not shown:
        return Text(_NOT_SENT if shown is None else _EMPTY, "dim")
    # Blanks at an end are to be seen, since they may be the whole difference.
    return Text(f'"{brief(shown, _MOST_VALUE)}"' if shown != shown.strip() else brief(shown, _MOST_VALUE))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column == "Users" else "left", overflow="fold")
    return table


def report_object(outcome: Outcome) -> dict[str, Any]:
    """The report for a program."""
    tally = outcome.tally
    return {
        "cloud_id": outcome.cloud_id,
        "theirs": outcome.theirs,
        "ours": outcome.ours,
        "users": outcome.users,
        "alike": tally.alike,
        "different": tally.different,
        "refused": tally.refused,
        "failed": tally.failed,
        "seconds": round(outcome.seconds, 3),
        "stopped": outcome.stopped or None,
        "differences": [_group_object(group) for group in tally.groups()],
        "expected": [_group_object(group) | {"why": group.expected} for group in tally.groups(expected=True)],
        "refused_by_one": msgspec.to_builtins(tally.refusals(by_both=False)),
        "refused_by_both": msgspec.to_builtins(tally.refusals(by_both=True)),
        "failures": msgspec.to_builtins(tally.failures()),
        "different_users": tally.named,
        "notes": list(outcome.notes),
    }


def _group_object(group: Group) -> dict[str, Any]:
    return {
        "key": group.key,
        "what": group.what.name.lower(),
        "users": group.users,
        "examples": msgspec.to_builtins(group.examples),
    }
