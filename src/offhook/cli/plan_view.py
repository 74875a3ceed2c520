"""How an import is shown: its progress, its plan, what came of it."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from offhook.cli.exits import Misused, plain
from offhook.provider.planning import Plan
from offhook.provider.planning import Progress as Tick

# Of fewer lines nobody wants to know how quickly they went by.
_MANY: Final = 1000
_COUNTS: Final = (
    ("added", "new"),
    ("changed", "changed"),
    ("unchanged", "as they were"),
    ("skipped", "lines left out"),
    ("absent", "not in the file; they stay"),
)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file of users, or the standard input for `-`. Raises Misused."""
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise Misused(f"{path} cannot be read: {error.strerror}.") from None
    with file:
        yield file


@contextmanager
def progress(file: BinaryIO) -> Iterator[Tick]:
    """A bar on the standard error while a file is read, if anybody watches."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), _Speed())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Reading", total=_size(file), lines=0)

        def tick(lines: int) -> None:
            bar.update(task, completed=file.tell() if bar.tasks[0].total else 0, lines=lines)

        yield tick


@contextmanager
def spinner(what: str) -> Iterator[None]:
    """A sign of life on the standard error, if anybody watches."""
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        bar.add_task(what, total=None)
        yield


class Stopwatch:
    """Measures the time that the work takes, without the time a person takes to answer."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time passes inside."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began


def show(plan: Plan, name: str) -> None:
    """What an import would do."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    console.print(Text.assemble((plain(name), "bold"), " into ", (plan.tenant.cloud_id, "bold"), f" ({_tenant(plan)})"))
    table = Table(show_header=False, box=None)
    table.add_column(justify="right", style="bold")
    table.add_column()
    for field, words in _COUNTS:
        number: int = getattr(plan.counts, field)
        if number or field == "added":
            table.add_row(f"{number:,}", words)
    console.print(table)
    if plan.counts.kept_passwords:
        console.print(
            f"{plan.counts.kept_passwords:,} of them have a password that is hashed here already: it stays. "
            "--replace-passwords takes those of the file."
        )
    for remark in plan.remarks:
        console.print(Text.assemble(("Note: ", "yellow"), plain(str(remark))))
    if more := plan.remark_count - len(plan.remarks):
        console.print(f"and {more:,} more notes")


def done(plan: Plan, written: int | None, seconds: float) -> str:
    """What came of it, in a line; `written` is None when nothing was done."""
    if written is None:
        return "Nothing was changed."
    if not written:
        return f"{plan.tenant.cloud_id} was {'made' if plan.tenant_is == 'new' else 'changed'}. No user was written."
    speed = f", {plan.counts.lines / seconds:,.0f} lines a second" if plan.counts.lines >= _MANY else ""
    return f"{counted(written, 'user')} written to {plan.tenant.cloud_id} in {seconds:.1f} s{speed}."


def counted(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def record(plan: Plan, written: int | None, seconds: float) -> dict[str, Any]:
    """All of it as an object."""
    return {
        "cloud_id": plan.tenant.cloud_id,
        "cloud_id_is": plan.tenant_is,
        **{field: getattr(plan.counts, field) for field, _ in _COUNTS},
        "kept_passwords": plan.counts.kept_passwords,
        "written": written or 0,
        "notes": [{"place": remark.place, "text": remark.text} for remark in plan.remarks],
        "note_count": plan.remark_count,
        "lines": plan.counts.lines,
        "seconds": round(seconds, 3),
    }


def _tenant(plan: Plan) -> str:
    match plan.tenant_is:
        case "new":
            return "a new Cloud ID"
        case "changed":
            return "its settings change"
        case "as it was":
            return "its settings stay"


def _size(file: BinaryIO) -> int | None:
    if not file.seekable():
        return None
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


class _Speed(ProgressColumn):
    """How many lines there were, and how many a second."""

    def render(self, task: Task) -> Text:
        lines = task.fields["lines"]
        return Text(f"{lines:,} lines, {lines / task.elapsed:,.0f} a second" if task.elapsed else "")
