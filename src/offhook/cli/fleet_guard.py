"""`offhook fleet-guard`: logouts that are held back because there are suspiciously many."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import msgspec
import typer

from offhook.cli import asking
from offhook.cli.desk import open_desk
from offhook.cli.exits import plain, print_object, reported
from offhook.cli.moments import shown, with_moments
from offhook.cli.options import CloudIdArgument, DataOption, JsonOption, YesOption, cloud_id, examples, user
from offhook.core.errors import Invalid
from offhook.provider.guarding import Cancellation, Report

app = typer.Typer(
    name="fleet-guard",
    help="Logouts that are held back: look at them, let them go, or withdraw what decided them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_RELEASE: Final = examples(
    "offhook fleet-guard release EXAMPLE --yes", "offhook fleet-guard release EXAMPLE --user ann@EXAMPLE"
)


@app.command(epilog=examples("offhook fleet-guard show", "offhook fleet-guard show EXAMPLE --json"))
def show(
    app_id: Annotated[
        str | None, typer.Argument(help="Which Cloud ID; all that hold logouts back if left out.", metavar="[CLOUDID]")
    ] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what is held back, since when and why, with the first of them.

    Example: offhook fleet-guard show EXAMPLE
    """
    with reported(as_json=json), open_desk(data) as desk:
        reports = desk.guarding.show(cloud_id(app_id) if app_id else None)
    if json:
        records = [_record(report) for report in reports]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(records)).decode() + "\n")
        return
    if not reports:
        typer.echo("Nothing is held back.")
    for report in reports:
        _show(report)


@app.command(epilog=_RELEASE)
def release(
    app_id: CloudIdArgument,
    who: Annotated[
        str | None, typer.Option("--user", help="Only the logouts of this user.", metavar="USER@CLOUDID")
    ] = None,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let held logouts go: all that were decided till now, also those whose phones have not asked yet."""
    with reported(as_json=json), open_desk(data) as desk:
        named = cloud_id(app_id)
        if who is not None:
            one = user(who)
            if one.cloud_id != named:
                raise Invalid.at("--user", f"{one} is no user of {named}")
            count = desk.guarding.release_user(*one)
            _tell({"cloud_id": named, "user": str(one), "released": count}, f"Released {one}.", json=json)
            return
        report = desk.guarding.show(named)[0]
        if report.holding:
            asking.confirm(f"Log out {report.count:,} phones of {named} and all others decided till now?", yes=yes)
        count = desk.guarding.release(named)
        _tell({"cloud_id": named, "released": count}, f"Released {count:,} of {named}.", json=json)


@app.command(epilog=examples("offhook fleet-guard cancel EXAMPLE"))
def cancel(app_id: CloudIdArgument, yes: YesOption = False, data: DataOption = None, json: JsonOption = False) -> None:
    """Withdraw the decisions behind held logouts: suspended users are resumed, revoked installs active again.

    Users who were removed or have expired stay so. What was decided for phones that did not ask yet stays, too.

    Example: offhook fleet-guard cancel EXAMPLE
    """
    with reported(as_json=json), open_desk(data) as desk:
        named = cloud_id(app_id)
        asking.confirm(f"{_said(desk.guarding.plan(named), 'would be')} Do it?", yes=yes)
        done = desk.guarding.cancel(named)
        _tell(msgspec.to_builtins(done), _said(done, "were"), json=json)


def _said(one: Cancellation, were: str) -> str:
    said = f"Of {one.cloud_id}, {one.resumed:,} users {were} resumed and {one.reactivated:,} installs reactivated."
    return f"{said} {one.staying:,} logouts stay decided." if one.staying else said


def _tell(record: dict[str, Any], said: str, *, json: bool) -> None:
    if json:
        print_object(record)
    else:
        typer.echo(said)


def _record(report: Report) -> dict[str, Any]:
    record = with_moments(msgspec.to_builtins(report))
    return record | {"count": report.count, "examples": [with_moments(one) for one in record["examples"]]}


def _show(report: Report) -> None:
    if not report.holding:
        typer.echo(f"{report.cloud_id}: nothing is held back.")
        return
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.reasons.items())
    typer.echo(f"{report.cloud_id}: {report.count:,} logouts are held back since {shown(report.since_s)} ({reasons}).")
    for one in report.examples:
        whose = plain(one.user) or "(removed)"
        typer.echo(f"  {one.install_id}  {whose}  {one.reason}  {shown(one.first_s)}")
    typer.echo(f"`offhook fleet-guard release {report.cloud_id}` lets them go, `cancel` withdraws the decisions.")
