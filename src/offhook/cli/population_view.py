"""How a difference by population is shown: its progress, a table of who gets what otherwise, and all as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from offhook.cli.exits import plain
from offhook.cli.moments import iso, shown
from offhook.cli.plan_view import counted
from offhook.cli.showing import console
from offhook.core.mergeable import PORTAL, USER
from offhook.provider.population import EXAMPLES, Difference, Moved, Tick, Touched
from offhook.provider.replacement import Fate, Kind, Move
from offhook.provider.settlement import Sent

# A person reads no more of them; as JSON, there are all.
MOST_ROWS: Final = 30
# Of one key, a person reads so many values; of more, how many users and phones get another one.
MOST_OF_ONE: Final = 5
_FATES: Final = {
    Fate.REFUSED: ("is refused", "red"),
    Fate.LOGGED_OUT: ("is logged out", "red"),
    Fate.LET_IN: ("is let in, and was not", "green"),
    Fate.OTHER_MESSAGE: ("is turned away with another message", ""),
    Fate.REGISTERS_ANEW: ("registers anew", "yellow"),
}
_NAMES: Final = {
    Kind.KEY: "",
    Kind.QUICK_DIAL: "quick dial ",
    Kind.DIAL_ACTION: "dial action ",
    Kind.DEVICES: "devices, ",
    Kind.APP: "app, ",
}
_RANKS: Final = {USER: " (enforced)", PORTAL: " (portal)"}


@contextmanager
def progress(users: int) -> Iterator[Tick]:
    """A bar on the standard error while users are counted, if anybody watches."""
    watching = Console(stderr=True)
    # Without colours the bar is nothing but blanks.
    bars = () if watching.no_color else (BarColumn(),)
    columns = SpinnerColumn(), TextColumn("{task.description}"), *bars, MofNCompleteColumn()
    with Progress(*columns, console=watching, transient=True, disable=not watching.is_terminal) as bar:
        task = bar.add_task("Looking at users", total=users)
        yield lambda done: bar.update(task, completed=done)


def show(difference: Difference) -> None:
    """Who gets what otherwise: the counts in a line, then a table, the greatest first."""
    out = console()
    out.print(Text(_headline(difference), "bold"), soft_wrap=True)
    if difference.later.users:
        out.print(Text(_later(difference)), soft_wrap=True)
    for hint in difference.hints:
        out.print(Text.assemble(("Warning: ", "bold yellow"), plain(str(hint))), soft_wrap=True)
    if not difference.fates and not difference.moves:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("Users", "Installs", "What", "From", "To", "Such as"):
        table.add_column(heading, overflow="fold")
    for fate, touched in difference.fates.items():
        said, style = _FATES[fate]
        table.add_row(*_numbers(touched), Text(said, style), "", "", _examples(touched))
    rows = list(_grouped(difference.moves))
    for one in rows[:MOST_ROWS]:
        move = one.move
        table.add_row(*_numbers(one.touched), _name(move), *_ways(move), _examples(one.touched))
    out.print(table)
    if len(rows) > MOST_ROWS:
        out.print(f"and {counted(len(rows) - MOST_ROWS, 'more change')}; --json tells them")


def _grouped(moves: Iterable[Moved]) -> Iterator[Moved]:
    """The moves, of which those of one key are a single row when they are many, such as a value for each user."""
    by_name: dict[tuple[Kind, str], list[Moved]] = {}
    for one in moves:
        by_name.setdefault((one.move.kind, one.move.name), []).append(one)
    for name, several in by_name.items():
        if len(several) <= MOST_OF_ONE:
            yield from several
            continue
        touched = [one.touched for one in several]
        examples = tuple(dict.fromkeys(name for one in touched for name in one.examples))[:EXAMPLES]
        users, installs = sum(one.users for one in touched), sum(one.installs for one in touched)
        yield Moved(Move(*name, various=True), Touched(users, installs, examples))


def record(difference: Difference) -> dict[str, Any]:
    """All of it as an object."""
    moves = (msgspec.to_builtins(one.move) | msgspec.to_builtins(one.touched) for one in difference.moves)
    return {
        "at": iso(difference.now_s),
        "users": difference.users,
        "installs": difference.installs,
        "passed_over": difference.passed_over,
        "share": round(difference.share, 6),
        "affected": msgspec.to_builtins(difference.affected),
        "later": msgspec.to_builtins(difference.later),
        **{fate.value: msgspec.to_builtins(difference.fates.get(fate, Touched())) for fate in Fate},
        "changes": list(moves),
        "hints": [{"place": one.place, "text": one.text} for one in difference.hints],
    }


def _headline(difference: Difference) -> str:
    affected, users = difference.affected, difference.users
    share = f" ({affected.users / users:.1%})" if users else ""
    passed_over = f"; {difference.passed_over:,} more are suspended or expired" if difference.passed_over else ""
    return (
        f"{affected.users:,} of {counted(users, 'user')}{share} and {affected.installs:,} of "
        f"{counted(difference.installs, 'install')} get something else as of {shown(difference.now_s)}{passed_over}."
    )


def _later(difference: Difference) -> str:
    examples = ", ".join(difference.later.examples)
    return (
        f"For up to {counted(difference.later.users, 'more user')} something changes at another time, on another phone "
        f"or network, or at a sign-in, such as {plain(examples)}."
    )


def _numbers(touched: Touched) -> tuple[str, str]:
    return f"{touched.users:,}", f"{touched.installs:,}"


def _examples(touched: Touched) -> str:
    return plain(", ".join(touched.examples))


def _name(move: Move) -> str:
    return plain(f"{_NAMES[move.kind]}{move.name}")


def _ways(move: Move) -> tuple[str, str]:
    if move.kind is Kind.APP:
        return "", "(as above)"
    if move.various:
        return "(various)", "(various)"
    return _said(move, move.before), _said(move, move.after)


def _said(move: Move, sent: Sent | None) -> str:
    if sent is None:
        return "(none)" if move.kind is Kind.DEVICES else "(not sent)"
    if move.kind is Kind.DEVICES:
        return sent.text.replace("_", " ")
    if sent.kept_out and not sent.text:
        return plain(f"(not taken: {sent.kept_out})")
    empty = "(empty)" if move.kind is Kind.KEY else "(removed)"
    why = f" (theirs is not taken: {sent.kept_out})" if sent.kept_out else ""
    attributes = "".join(f' {name}="{text}"' for name, text in sent.attributes)
    return plain(f"{sent.text or empty}{attributes}{_RANKS.get(sent.rank, '')}{why}")
