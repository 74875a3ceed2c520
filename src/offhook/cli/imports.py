"""`offhook import`: moving over from the vendor's sample script."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from offhook.cli import asking, plan_view
from offhook.cli.desk import desk_to_look, open_desk
from offhook.cli.exits import Misused, print_object, reported
from offhook.cli.options import DataOption, JsonOption, YesOption, author, examples, here, new_cloud_id
from offhook.core.catalogue import KEYS
from offhook.provider import template as templates
from offhook.provider.imports import Manner
from offhook.provider.planning import Plan
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Credential

if TYPE_CHECKING:
    from offhook.wiring import Desk

app = typer.Typer(
    name="import",
    help="Move over from the vendor's sample script.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_NO_HOST: Final = (
    "neither --host nor the template names a SIP host for all users. Phones that sign in by our own portal will refuse "
    'their account ("host: is empty"). Repeat this with --host SIPHOST, unless the vendor\'s portal names it.'
)
_CSV: Final = examples(
    "offhook import csv users/SAMPLE.csv --template extProv/SAMPLE.xml --cloud-id SAMPLE --host sip.example.net",
    "offhook import csv users/SAMPLE.csv --cloud-id SAMPLE --dry-run",
)


@app.callback()
def main() -> None:
    """Move over from the vendor's sample script."""


@app.command("csv", epilog=_CSV)
def import_csv(
    file: Annotated[Path, typer.Argument(help="The users file; - is standard input.", metavar="USERS.csv")],
    app_id: Annotated[str, typer.Option("--cloud-id", help="Of this app; made when there is none.", metavar="ID")],
    template: Annotated[
        Path | None, typer.Option(help="The account template; left out, that of the Cloud ID stays.", metavar="FILE")
    ] = None,
    credential: Annotated[
        Credential | None,
        typer.Option(
            help="What {cloud_password} stands for and the app keeps: a token (usual), SIP credentials, or "
            "the password as typed, which other services of yours may need."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="SIP server of the app that our own portal gets for a new Cloud ID.", metavar="SIPHOST")
    ] = "",
    replace_passwords: Annotated[
        bool, typer.Option("--replace-passwords", help="Take the file's passwords for users who have hashed ones, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would happen.")] = False,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Take over the two files of the vendor's sample script, as they are.

    Either all of it is good, or nothing changes. Asks only when users or settings that exist would change.
    """
    watch = plan_view.Stopwatch()
    with reported(as_json=json), plan_view.opened(file) as stream, _desk(data, dry_run=dry_run) as desk:
        _check_host(host)
        text = None if template is None else asking.text_from(template, templates.MAX_BYTES)
        with watch.running(), plan_view.progress(stream) as tick:
            manner = Manner(author(), replace_passwords, tick)
            plan = desk.importer.plan_vendor(stream, new_cloud_id(app_id), text, credential, manner)
        with closing(plan):
            host = host or desk.host_of(plan.tenant)
            lacks_host = plan.tenant_is == "new" and not host
            if not json:
                plan_view.show(plan, str(file))
            if lacks_host:
                _warn(_NO_HOST)
            written, app_made = None, False
            if not plan.is_empty and not dry_run:
                if plan.changes_what_exists:
                    asking.confirm(_question(plan), yes=yes)
                with watch.running(), plan_view.spinner("Writing"):
                    written = desk.importer.carry_out(plan)
                app_made = plan.tenant_is == "new" and desk.make_app(plan.tenant.cloud_id, host)
            somebody = next(desk.directory.list(plan.tenant.cloud_id), None) if written else None
    if json:
        more = {"dry_run": dry_run, "app_made": app_made, "lacks_host": lacks_host}
        print_object(plan_view.record(plan, written, watch.seconds) | more)
        return
    typer.echo(plan_view.done(plan, written, watch.seconds))
    if somebody is not None and plan.tenant_is == "new":
        _next_steps(somebody, data, app_made=app_made, lacks_host=lacks_host)


def _desk(data: Path | None, *, dry_run: bool) -> AbstractContextManager[Desk]:
    """A desk; where there is no data yet, a dry run has one that is gone afterwards."""
    return desk_to_look(data) if dry_run else open_desk(data)


def _check_host(host: str) -> None:
    key = KEYS.find("host")
    if host and key and (reason := key.fault(host)):
        raise Misused(f"--host: {reason}")


def _question(plan: Plan) -> str:
    parts = []
    if plan.counts.changed:
        parts.append(plan_view.counted(plan.counts.changed, "user"))
    if plan.tenant_is == "changed":
        parts.append(f"the settings of {plan.tenant.cloud_id}")
    return f"Change {' and '.join(parts)}?"


def _warn(text: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble(("Warning: ", "bold red"), text))


def _next_steps(somebody: Subscriber, data: Path | None, *, app_made: bool, lacks_host: bool) -> None:
    name = somebody.cloud_id
    there = here(data)
    parameters = (f"cloud_id={name}", f"cloud_username={somebody.username}", "cloud_password=PASSWORD")
    words = " ".join(f"--data-urlencode {shlex.quote(parameter)}" for parameter in parameters)
    typer.echo(
        f"""
Next:
  offhook serve{there}
  curl {words} http://127.0.0.1:8080/prov
  offhook explain {shlex.quote(somebody.name)}{there}
In the vendor's portal, paste what this prints:
  offhook definitions {name} --public-url https://YOUR-SERVER{there}"""
    )
    if app_made:
        typer.echo(f"Our own portal has an app {name} now, too: offhook app show {name}{there}")
    if lacks_host:
        typer.echo(
            f"""Before a phone can use it, it needs the SIP host:
  offhook app edit {name} --set account.host=SIPHOST{there}
  offhook app publish {name}{there}"""
        )
