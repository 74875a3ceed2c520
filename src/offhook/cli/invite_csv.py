"""`offhook invite csv`: many users from a file, each line with its own end, and again where it was interrupted."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TextIO

import msgspec
import typer
from rich.console import Console
from rich.progress import track

from offhook.cli import asking, invite_view
from offhook.cli.desk import open_desk
from offhook.cli.exits import Exit, Misused, brief, plain, print_object, reported
from offhook.cli.invite_words import LastsOption, UrlOption, seconds
from offhook.cli.options import CloudIdArgument, DataOption, JsonOption, author, cloud_id, examples
from offhook.core.errors import Invalid
from offhook.core.secret import Discreet
from offhook.provider.invitation import State
from offhook.provider.invitations import Made, Wanted
from offhook.provider.subscriber import username_key

if TYPE_CHECKING:
    from offhook.wiring import Desk

EXAMPLES: Final = examples(
    "offhook invite csv EXAMPLE office.csv",
    "offhook invite csv EXAMPLE office.csv --report links.csv --expires 14d",
    "printf 'username,mail,name\\nann,ann@example.com,Ann Lee\\n' | offhook invite csv EXAMPLE -",
)
MAX_BYTES: Final = 32 * 1024 * 1024
MAX_LINES: Final = 100_000
AT_ONCE: Final = 100
_MAIL: Final = frozenset({"mail", "email", "e-mail"})
# Whoever has one of these has been invited already, and is passed over when the file is read again.
_DONE: Final = frozenset({State.CREATED, State.MAILED, State.OPENED, State.ACTIVATED})


class Line(Discreet, frozen=True):
    """What became of one line."""

    line: int
    username: str
    result: str  # invited, passed over or failed
    text: str = ""
    link: str = ""

    def __str__(self) -> str:
        return f"line {self.line}, {self.result}"


def csv_(
    app_id: CloudIdArgument,
    file: Annotated[Path, typer.Argument(help="The CSV file; - is standard input.", metavar="FILE")],
    expires: LastsOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also those who were invited already, or have signed in.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write what became of each line, with its link, to this file.", metavar="FILE")
    ] = None,
    public_url: UrlOption = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Invite the users of a CSV file: columns username and, if you like, mail, name or any attribute.

    Mails go out from `offhook serve`. Each line is for itself: those that fail are told, with their reasons, and the
    others are invited. A file that was interrupted is simply given again: who was invited is passed over. The report
    has links, so nobody else should read it; it goes on where it was.
    """
    with reported(as_json=json), open_desk(data) as desk, ExitStack() as stack:
        named = cloud_id(app_id)
        desk.tenants.get(named)
        rows = list(rows_of(file, seconds(expires)))
        desk.elsewhere.public_url = invite_view.checked_url(public_url) or desk.elsewhere.public_url
        write = _report(stack, report)
        counts, failed = Counter[str](), list[Line]()
        batches = [rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)]
        console = Console(stderr=True)
        for batch in track(batches, "Inviting", console=console, transient=True, disable=not console.is_terminal):
            for one in _invite(desk, named, batch, again=again):
                counts[one.result] += 1
                failed += [one] if one.result == "failed" else []
                write(one)
        _tell(named, counts, failed, report, json=json)
    if failed:
        raise typer.Exit(Exit.INVALID)


def rows_of(file: Path, expires_s: int) -> Iterator[tuple[int, Wanted]]:
    """The lines of a file. Raises Misused, Invalid."""
    rows = csv.DictReader(io.StringIO(asking.text_from(file, MAX_BYTES), newline=""))
    place = brief(str(file))
    try:
        names = [(name or "").strip() for name in rows.fieldnames or ()]
        if "username" not in names:
            raise Invalid.at(place, "does not begin with a line that names the column username")
        if len(set(names)) < len(names):
            raise Invalid.at(place, "has a column twice")
        for row in islice(rows, MAX_LINES + 1):
            if rows.line_num > MAX_LINES + 1:
                raise Invalid.at(place, f"has more than {MAX_LINES:,} lines")
            yield rows.line_num, _wanted({(name or "").strip(): text for name, text in row.items() if name}, expires_s)
    except csv.Error as error:
        raise Invalid.at(f"{place}, after line {rows.line_num}", str(error)) from None


def _wanted(row: dict[str, str | None], expires_s: int) -> Wanted:
    cells = {name: (text or "").strip() for name, text in row.items()}
    address = next((cells[name] for name in cells if name.lower() in _MAIL and cells[name]), "")
    attributes = {
        name.removeprefix("attribute:"): text
        for name, text in cells.items()
        if text and name != "username" and name.lower() not in _MAIL
    }
    return Wanted(cells.get("username", ""), address, attributes, expires_s)


def _invite(desk: Desk, named: str, batch: Sequence[tuple[int, Wanted]], *, again: bool) -> Iterator[Line]:
    known = {} if again else _invited_already(desk, named, [one for _, one in batch])
    coming = [one for _, one in batch if key_of(one.username) not in known]
    made = iter(desk.invitations.invite_all(named, coming, author()))
    wording = desk.elsewhere.wordings.of(named)
    for line, one in batch:
        state = known.get(key_of(one.username))
        if state is not None:
            yield Line(line, one.username, "passed over", f"{state} already")
            continue
        found = next(made)
        if isinstance(found, Made):
            link = invite_view.ticket_of(found, wording, desk.elsewhere.public_url).link.reveal()
            yield Line(line, one.username, "invited", one.address, link)
        else:
            yield Line(line, one.username, "failed", str(found))


def key_of(username: str) -> str:
    """How a name is compared; nothing for what cannot be one."""
    try:
        return username_key(username)
    except Invalid:
        return ""


def _invited_already(desk: Desk, named: str, batch: Sequence[Wanted]) -> dict[str, State]:
    now_s = desk.clock.now_s()
    newest = desk.invitations.store.newest_of(named, [key for one in batch if (key := key_of(one.username))])
    return {key: state for key, one in newest.items() if (state := one.state(now_s)) in _DONE}


def _report(stack: ExitStack, path: Path | None) -> Any:  # noqa: ANN401 - a function of a line
    """What writes a line to the report, at once: an interruption loses none that was told. Raises Misused."""
    if path is None:
        return lambda _: None
    try:
        is_new = not path.exists() or not path.stat().st_size
        # Nobody else may read the links, not even for a moment.
        path.touch(mode=0o600)
        path.chmod(0o600)
        file: TextIO = stack.enter_context(path.open("a", encoding="utf-8", newline=""))
    except OSError as error:
        raise Misused(f"{brief(str(path))} cannot be written: {error.strerror}.") from None
    writer = csv.writer(file)
    if is_new:
        writer.writerow(Line.__struct_fields__)

    def write(line: Line) -> None:
        writer.writerow(msgspec.structs.astuple(line))
        file.flush()

    return write


def _tell(named: str, counts: Counter[str], failed: Sequence[Line], report: Path | None, *, json: bool) -> None:
    if json:
        record = {"cloud_id": named, "invited": counts["invited"], "passed_over": counts["passed over"]}
        print_object(record | {"failed": [msgspec.to_builtins(one) for one in failed]})
        return
    for one in failed:
        typer.echo(f"Line {one.line}, {plain(one.username) or '(no name)'}: {plain(one.text)}", err=True)
    said = f"{counts['invited']:,} invited to {named}, {counts['passed over']:,} passed over, {len(failed):,} failed."
    typer.echo(said + (f" The report is {report}." if report else ""))
    sys.stdout.flush()
