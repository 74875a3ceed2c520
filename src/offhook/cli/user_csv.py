"""`offhook user export` and `import`: users as a CSV file of our own."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import track

from offhook.cli import asking, plan_view
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, print_object, reported
from offhook.cli.options import CloudIdArgument, DataOption, JsonOption, YesOption, author, cloud_id, examples
from offhook.core.errors import Conflict
from offhook.provider import export as exports
from offhook.provider.imports import Manner

EXPORT_EXAMPLES: Final = examples(
    "offhook user export EXAMPLE --to users.csv",
    "offhook user export EXAMPLE --with-secrets --to everything.csv",
)
IMPORT_EXAMPLES: Final = examples(
    "offhook user import EXAMPLE users.csv",
    "printf 'username,attribute:tier\\nann,gold\\n' | offhook user import EXAMPLE - --yes",
)


def export(
    app_id: CloudIdArgument,
    to: Annotated[Path | None, typer.Option(help="Write this file; left out, standard output.", metavar="FILE")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="SIP passwords and other secrets in the clear, passwords as hashes.")
    ] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write the users of a Cloud ID as CSV.

    Columns: username, state, expires, sip_generated, quick_dials, and one for each attribute:NAME and override:KEY; a
    key that is called like a secret only with --with-secrets. A cell that begins with a quotation mark or a brace is
    JSON. A password in the clear is never written.
    """
    with reported(as_json=json), open_desk(data) as desk:
        if json and to is None:
            raise Misused("--json tells what was written, so name the file with --to.")
        if to is not None and to.exists() and not force:
            raise Conflict(f"{to} exists. Choose another name, or replace it with --force.")
        named = cloud_id(app_id)
        desk.tenants.get(named)
        total = desk.directory.count(named)
        pieces = exports.write(lambda: desk.directory.list(named), desk.sealer if with_secrets else None)
        if to is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece.encode())
            return
        _write(to, track(pieces, "Writing", total, console=Console(stderr=True), transient=True, disable=_unwatched()))
        if json:
            print_object({"cloud_id": named, "users": total, "file": str(to)})
        else:
            typer.echo(f"{plan_view.counted(total, 'user')} written to {to}.")


def import_(
    app_id: CloudIdArgument,
    file: Annotated[Path, typer.Argument(help="The CSV file; - is standard input.", metavar="FILE")],
    replace_passwords: Annotated[
        bool, typer.Option("--replace-passwords", help="Take the file's passwords for users who have hashed ones, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would happen.")] = False,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Add and change users as a CSV file says that `export` wrote, or one with some of its columns.

    Only the column username is needed; what has no column stays as it is, and an empty cell takes away. The column
    password is for the clear or for argon2:HASH or bcrypt:HASH. Either all lines are good, or nothing changes.
    """
    watch = plan_view.Stopwatch()
    with reported(as_json=json), plan_view.opened(file) as stream, open_desk(data) as desk:
        with watch.running(), plan_view.progress(stream) as tick:
            plan = desk.importer.plan_own(stream, cloud_id(app_id), Manner(author(), replace_passwords, tick))
        with closing(plan):
            if not json:
                plan_view.show(plan, str(file))
            written = None
            if not plan.is_empty and not dry_run:
                if plan.changes_what_exists:
                    asking.confirm(f"Change {plan_view.counted(plan.counts.changed, 'user')}?", yes=yes)
                with watch.running(), plan_view.spinner("Writing"):
                    written = desk.importer.carry_out(plan)
            if json:
                print_object(plan_view.record(plan, written, watch.seconds) | {"dry_run": dry_run})
            else:
                typer.echo(plan_view.done(plan, written, watch.seconds))


def _write(path: Path, pieces: Iterable[str]) -> None:
    """Write a file for nobody else to read, all of it or nothing. Raises Misused."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Misused(f"{path} cannot be written: {error.strerror}.") from None


def _unwatched() -> bool:
    return not sys.stderr.isatty()
