"""`offhook fleet-guard`: decisions that are held back because they log out suspiciously many."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final, TypeAlias

import msgspec
import typer

from offhook.cli import asking
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, plain, print_object, reported
from offhook.cli.moments import shown, with_moments
from offhook.cli.options import CloudIdArgument, DataOption, JsonOption, YesOption, cloud_id, examples, user
from offhook.provider.guarding import Cancellation, Decision, Guarding, Report
from offhook.provider.ports import Ending

app = typer.Typer(
    name="fleet-guard",
    help="Decisions that log very many out, and are held back: look at them, let them go, or undo them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_RELEASE: Final = examples(
    "offhook fleet-guard release EXAMPLE --yes", "offhook fleet-guard release EXAMPLE --user ann@EXAMPLE"
)

DecisionOption: TypeAlias = Annotated[
    int,
    typer.Option("--decision", show_default=False, help="Only this one; all that are held if left out.", metavar="NO"),
]


@app.command(epilog=examples("offhook fleet-guard show", "offhook fleet-guard show EXAMPLE --json"))
def show(
    app_id: Annotated[
        str | None, typer.Argument(help="Which Cloud ID; all that hold logouts back if left out.", metavar="[CLOUDID]")
    ] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show the decisions that are held back: who made them, when, on how many users, and how many of those are gone.

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
    decision: DecisionOption = 0,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let users go who wait: those of all held decisions, also those whose phones have not asked yet.

    Decisions that are only going on are not meant, nor any that is made or held while you are asked: with --decision,
    let go of one of those. So also the removal of a single user.
    """
    with reported(as_json=json), open_desk(data) as desk:
        named = cloud_id(app_id)
        if who is not None:
            one = user(who)
            if one.cloud_id != named:
                raise Misused(f"--user: {one} is no user of {named}.")
            count = desk.guarding.release_user(*one)
            _tell({"cloud_id": named, "user": str(one), "released": count}, f"Released {one}.", json=json)
            return
        numbers = _numbers(desk.guarding, named, decision)
        waiting = desk.guarding.waiting(named, numbers)
        said = f"decision {decision}" if decision else f"{len(numbers):,} decisions"
        asking.confirm(f"Let {said}, {waiting:,} users in all, of {named} go?", yes=yes)
        count = desk.guarding.release(named, numbers)
        _tell({"cloud_id": named, "released": count}, f"Released {count:,} users of {named}.", json=json)


@app.command(epilog=examples("offhook fleet-guard cancel EXAMPLE", "offhook fleet-guard cancel EXAMPLE --decision 7"))
def cancel(
    app_id: CloudIdArgument,
    decision: DecisionOption = 0,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Undo held decisions, whether or not a phone has asked since: all that they changed is as before.

    Suspended users are resumed, expired accounts have their earlier date, revoked installs are active again. Users who
    were removed stay so, and their phones held. Accounts that came due by their own date keep it, and stay held: give
    them another date, or let them go. A rule that logs out does so no more until it is changed.

    Example: offhook fleet-guard cancel EXAMPLE
    """
    with reported(as_json=json), open_desk(data) as desk:
        named = cloud_id(app_id)
        numbers = _numbers(desk.guarding, named, decision)
        asking.confirm(f"{_said(desk.guarding.plan(named, numbers), 'would be')} Do it?", yes=yes)
        done = desk.guarding.cancel(named, numbers)
        _tell(msgspec.to_builtins(done), _said(done, "were"), json=json)


def _numbers(guarding: Guarding, named: str, decision: int) -> tuple[int, ...]:
    """The decision that was asked for, or all that are held now: what the question is about, and nothing later."""
    return (decision,) if decision else guarding.show(named)[0].numbers


def _said(one: Cancellation, were: str) -> str:
    resumed = f"Of {one.cloud_id}, {one.resumed:,} users {were} resumed"
    prolonged = f"{one.prolonged - one.endless:,} accounts {were} given their earlier date"
    said = [f"{resumed}, {prolonged}, and {one.reactivated:,} installs {were} reactivated."]
    if one.endless:
        said.append(f"{one.endless:,} accounts had no date to come: they {were} made never to expire.")
    if one.staying:
        said.append(f"{one.staying:,} installs of removed users stay held.")
    if one.due:
        prolong = f"`offhook user set USER@{one.cloud_id} --expires DATE`"
        said.append(f"{one.due:,} accounts came due by their own date and stay held: {prolong} prolongs one.")
    if one.rules:
        said.append(f"{one.rules:,} rules log nobody out any more until they are changed.")
    return " ".join(said)


def _tell(record: dict[str, Any], said: str, *, json: bool) -> None:
    if json:
        print_object(record)
    else:
        typer.echo(said)


def _record(report: Report) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.to_builtins(report)
    return record | {"decisions": [with_moments(one) for one in record["decisions"]]}


def _show(report: Report) -> None:
    if not report.held:
        typer.echo(f"{report.cloud_id}: nothing is held back.")
    else:
        typer.echo(f"{report.cloud_id}: {report.held:,} decisions are held back, and {report.count:,} users wait.")
    for one in report.decisions:
        typer.echo(f"  {_line(one)}")
    if report.held:
        typer.echo(f"`offhook fleet-guard release {report.cloud_id}` lets them go, `cancel` undoes the decisions.")


def _line(one: Decision) -> str:
    who = f"by {plain(one.author)}" if one.author else "by the date" if one.reason is Ending.EXPIRED else "by somebody"
    users = ", ".join(plain(name) for name in one.examples)
    stage = "held" if one.held else "going on"
    what = f"{one.users:,} users {one.reason}"
    if one.rule:
        what = f"up to {one.users:,} users logged out by rule {plain(one.rule.partition('/')[0])}"
    said = f"decision {one.no}: {what} {who}, {shown(one.made_s)}, {one.gone:,} gone, {stage}"
    return f"{said} ({users})" if users else said
