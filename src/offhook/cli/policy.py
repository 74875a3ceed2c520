"""`offhook policy`: rules of who gets what, from a file to what phones are answered by, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from offhook.cli import (
    asking,
    policy_file,
    policy_kinds,
    policy_publishing,
    policy_rule,
    publishing,
    rollout_view,
    showing,
)
from offhook.cli import explain as explaining
from offhook.cli import policy_view as view
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, print_object, reported
from offhook.cli.moments import moment
from offhook.cli.options import (
    AuthorOption,
    CloudIdArgument,
    DataOption,
    JsonOption,
    NoteOption,
    UserArgument,
    YesOption,
    examples,
    here,
    signature,
    signing_in,
    who_decides,
)
from offhook.cli.options import cloud_id as parse_cloud_id
from offhook.cli.policy_publishing import BlankOption, OverOption
from offhook.cli.showing import NumberArgument, WhichOption
from offhook.policy import document
from offhook.provider.explain import Asked
from offhook.provider.policyversion import PolicyVersion, State

if TYPE_CHECKING:
    from offhook.provider.proposal import Proposal
    from offhook.wiring import Desk

_HELP: Final = """Rules of who gets what.

A policy is a file: rules in their order, of which the upper one decides, and the segments that they speak of. Look at
what a file would change (plan), keep it as a draft, publish it; every version stays in the history. What a rule can
hold, kinds says, and docs/reference/policy.md.
"""
app = typer.Typer(
    name="policy",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# As many digits as numbers of versions have; with more, it is a day.
_DIGITS: Final = 7

FileArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(help="TOML or JSON, - for the input; left out, the draft.", metavar="[FILE]"),
]


@app.command(epilog=examples("offhook policy plan EXAMPLE policy.toml", "offhook policy plan EXAMPLE --json"))
def plan(
    app_id: CloudIdArgument,
    file: FileArgument = None,
    blank_removed: BlankOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what publishing a file, or the draft, would change, and what to know first; changes nothing."""
    with reported(as_json=json), open_desk(data) as desk:
        proposal = _proposed(desk, parse_cloud_id(app_id), file, "", blank_removed=blank_removed)
        shown = policy_publishing.show(proposal, json=json)
        _, counted = publishing.count(desk, policy_publishing.change(desk, proposal), json=json)
        if json:
            print_object(shown["plan"] | counted)


@app.command(epilog=examples('offhook policy draft EXAMPLE policy.toml --note "gold gets better codecs"'))
def draft(
    app_id: CloudIdArgument,
    file: Annotated[Path, typer.Argument(help="A policy as TOML or JSON; - for the input.", metavar="FILE")],
    blank_removed: BlankOption = False,
    over: OverOption = None,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Keep a file as the draft, in place of the one there was; phones get nothing of it.

    Asks before it takes the place of somebody else's.
    """
    with reported(as_json=json), open_desk(data) as desk:
        by = who_decides(author)
        proposal = _proposed(desk, parse_cloud_id(app_id), file, by, blank_removed=blank_removed, over=over)
        shown = policy_publishing.show(proposal, json=json)
        proposal.unless_undoing()
        if proposal.replaces and proposal.replaces.author != by:
            asking.confirm(f"{view.headline(proposal.replaces)} is the draft. Replace it?", yes=yes)
        version = desk.policies.keep_draft(proposal, by, note)
        then = f"offhook policy publish {version.cloud_id}{here(data)}"
        policy_publishing.done(
            version, f"Policy {version.number} of {version.cloud_id} is the draft. Next: {then}", shown, json=json
        )


@app.command(epilog=examples("offhook policy publish EXAMPLE policy.toml", "offhook policy publish EXAMPLE --yes"))
def publish(
    app_id: CloudIdArgument,
    file: FileArgument = None,
    blank_removed: BlankOption = False,
    over: OverOption = None,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Answer phones by a file, or by the draft, from now on; shows what changes, and asks.

    Nothing happens when nothing changes.
    """
    with reported(as_json=json), open_desk(data) as desk:
        by = signature(author)
        proposal = _proposed(desk, parse_cloud_id(app_id), file, by.author, blank_removed=blank_removed, over=over)
        policy_publishing.publish(desk, proposal, by, note, yes=yes, json=json)


@app.command(
    epilog=examples("offhook policy approve EXAMPLE --author bob", "offhook policy approve EXAMPLE policy.toml")
)
def approve(
    app_id: CloudIdArgument,
    file: FileArgument = None,
    blank_removed: BlankOption = False,
    yes: YesOption = False,
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Approve of a file, or of the draft, as a second person: exactly as it is now, beside what is Live now."""
    with reported(as_json=json), open_desk(data) as desk:
        proposal = _proposed(desk, parse_cloud_id(app_id), file, "", blank_removed=blank_removed)
        shown = policy_publishing.show(proposal, json=json)
        publishing.approve(desk, policy_publishing.change(desk, proposal), signature(author), shown, yes=yes, json=json)


@app.command(epilog=examples("offhook policy discard EXAMPLE"))
def discard(
    app_id: CloudIdArgument,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let go of the draft; it stays in the history, and phones get what is Live, as before."""
    with reported(as_json=json), open_desk(data) as desk:
        named = parse_cloud_id(app_id)
        draft = desk.policies.show(named, State.EDITABLE)
        asking.confirm(f"{view.headline(draft)}: Discard it?", yes=yes)
        discarded = desk.policies.discard(named)
        text = f"The draft of {named}, policy {discarded.number}, is discarded. `policy export --version` still has it."
        policy_publishing.done(discarded, text, {}, json=json)


app.registered_commands.extend(policy_rule.app.registered_commands)
app.command(epilog=examples("offhook policy kinds", "offhook policy kinds during"))(policy_kinds.kinds)


@app.command(epilog=examples("offhook policy restore EXAMPLE 3"))
def restore(
    app_id: CloudIdArgument,
    number: NumberArgument,
    blank_removed: BlankOption = False,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Publish an earlier version anew; shows what changes, and asks. The draft stays as it is.

    A rule that is paused stays paused.
    """
    with reported(as_json=json), open_desk(data) as desk:
        by, named = signature(author), parse_cloud_id(app_id)
        proposal = desk.policies.propose_restoring(named, number, by.author, blank_removed=blank_removed)
        policy_publishing.publish(desk, proposal, by, note or f"restored from version {number}", yes=yes, json=json)


@app.command(epilog=examples("offhook policy show EXAMPLE", "offhook policy show EXAMPLE --version live --json"))
def show(
    app_id: CloudIdArgument,
    which: WhichOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show a version as its file; of the Live one also what the guards of its rollouts have found."""
    with reported(as_json=json), open_desk(data) as desk:
        version = desk.policies.show(parse_cloud_id(app_id), showing.which(which, State))
        rollouts = desk.rollouts.show(version)
        if json:
            found = {"rollouts": [rollout_view.record(one) for one in rollouts]}
            print_object(view.version_record(version, whole=True) | found)
            return
        showing.tell(view.headline(version))
        if stale := _stale(desk, version, which):
            showing.tell(stale)
        rollout_view.show(rollouts)
        sys.stdout.write(f"\n{version.text}")


@app.command(epilog=examples("offhook policy export EXAMPLE rules.toml", "offhook policy export EXAMPLE - --version 3"))
def export(
    app_id: CloudIdArgument,
    to: Annotated[Path, typer.Argument(help="A file, or - for the output.", metavar="FILE")],
    which: WhichOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write a version into a file, to be kept in git, planned and published again."""
    with reported(as_json=json), open_desk(data) as desk:
        version = desk.policies.show(parse_cloud_id(app_id), showing.which(which, State))
        if to == asking.STDIN:
            if json:
                print_object(view.version_record(version, whole=True))
            else:
                sys.stdout.write(version.text)
                if stale := _stale(desk, version, which):
                    typer.echo(stale, err=True)
            return
        policy_file.write(to, version.text, replace=force)
        wrote = f"Wrote policy {version.number} of {version.cloud_id} to {to}. {_stale(desk, version, which)}"
        policy_publishing.done(version, wrote.rstrip(), {"file": str(to)}, json=json)


@app.command(epilog=examples("offhook policy history EXAMPLE"))
def history(app_id: CloudIdArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """List the versions, the newest first."""
    with reported(as_json=json), open_desk(data) as desk:
        versions = desk.policies.history(parse_cloud_id(app_id))
        if json:
            showing.print_list(map(view.version_record, versions))
        else:
            view.show_history(versions)


@app.command(epilog=examples("offhook policy at 2027-01-31T18:00 ann@EXAMPLE", "offhook policy at 3 ann@EXAMPLE"))
def at(
    when: Annotated[str, typer.Argument(help="A time, in UTC unless it says otherwise, or a version.", metavar="WHEN")],
    who: UserArgument,
    trace: Annotated[bool, typer.Option("--trace", help="Every rule, and why it matched or did not.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a user got at some time, by the policy of then: the user and the app are as they are now."""
    with reported(as_json=json), open_desk(data) as desk:
        login = signing_in(who)
        name = login.cloud_id.name
        is_number = when.isascii() and when.isdecimal() and len(when) <= _DIGITS
        moment_s = None if is_number else moment("WHEN", when)
        version = desk.policies.show(name, int(when)) if moment_s is None else desk.policies.at(name, moment_s)
        asked = Asked(now_s=moment_s, policy=document.parse(version.text))
        if not json:
            showing.tell(view.headline(version))
        explaining.tell(desk.explain.account(login.username, login.cloud_id, asked), trace=trace, json=json)


def _proposed(
    desk: Desk, named: str, file: Path | None, by: str, *, blank_removed: bool, over: int | None = None
) -> Proposal:
    if file is None and blank_removed:
        raise Misused("--blank-removed goes with a FILE: a draft is published as it is.")
    if file is None:
        return desk.policies.propose_draft(named, over=over)
    text = policy_file.read(file)
    with policy_file.located(file, text):
        return desk.policies.propose(named, text, by, blank_removed=blank_removed, over=over)


def _stale(desk: Desk, version: PolicyVersion, which: str | None) -> str:
    """What to know of a draft that is shown since nobody said which version; empty when there is nothing."""
    if which is not None or version.state is not State.EDITABLE:
        return ""
    live = next((one for one in desk.policies.history(version.cloud_id) if one.state is State.LIVE), None)
    if live is None:
        return "This is the draft, and nothing is Live."
    since = " since, so that this may be out of date" if (live.published_s or 0) > version.changed_s else ""
    return f"This is the draft. Live is policy {live.number}{since}; --version live is that."
