"""What is done to one rule of the Live policy at once, whatever is drafted: pause it, let it go on, take it out."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import typer

from offhook.cli import policy_publishing
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, reported
from offhook.cli.options import (
    AuthorOption,
    CloudIdArgument,
    DataOption,
    JsonOption,
    NoteOption,
    YesOption,
    cloud_id,
    examples,
    signature,
)
from offhook.cli.policy_publishing import BlankOption

RuleArgument: TypeAlias = Annotated[str, typer.Argument(help="The id of a rule.", metavar="RULE")]

app: Final = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=examples('offhook policy pause EXAMPLE gold-codecs --reason "calls without sound"'))
def pause(
    app_id: CloudIdArgument,
    rule: RuleArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why, as explain will say it.", metavar="TEXT")],
    blank_removed: BlankOption = False,
    yes: YesOption = False,
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let a rule of the Live policy rest, at once: it is as good as absent. The draft stays as it is.

    It rests until `policy resume`, whatever files are published meanwhile.
    """
    with reported(as_json=json), open_desk(data) as desk:
        if not reason.strip():
            raise Misused("--reason is empty. Say why: others will find the rule paused.")
        by, named, why = signature(author), cloud_id(app_id), reason.strip()
        proposal = desk.policies.propose_pausing(named, rule, why, by.author, blank_removed=blank_removed)
        policy_publishing.publish(desk, proposal, by, f"paused {rule}: {why}", urgent=True, yes=yes, json=json)


@app.command(epilog=examples("offhook policy resume EXAMPLE gold-codecs"))
def resume(
    app_id: CloudIdArgument,
    rule: RuleArgument,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let a rule go on that was paused, by somebody or by its guard; shows whom it reaches, and asks."""
    with reported(as_json=json), open_desk(data) as desk:
        by = signature(author)
        proposal = desk.policies.propose_resuming(cloud_id(app_id), rule, by.author)
        policy_publishing.publish(desk, proposal, by, note or f"resumed {rule}", yes=yes, json=json)


@app.command(epilog=examples("offhook policy withdraw EXAMPLE gold-codecs"))
def withdraw(
    app_id: CloudIdArgument,
    rule: RuleArgument,
    blank_removed: BlankOption = False,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Take a rule out of the Live policy, at once. The draft stays as it is."""
    with reported(as_json=json), open_desk(data) as desk:
        by = signature(author)
        proposal = desk.policies.propose_withdrawing(cloud_id(app_id), rule, by.author, blank_removed=blank_removed)
        policy_publishing.publish(desk, proposal, by, note or f"withdrew {rule}", urgent=True, yes=yes, json=json)
