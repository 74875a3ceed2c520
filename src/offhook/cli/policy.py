"""`offhook policy`: rules of who gets what, from a file to what phones are answered by, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from offhook.cli import asking, publishing, rollout_view, showing
from offhook.cli import explain as explaining
from offhook.cli import policy_view as view
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, brief, print_object, reported
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
from offhook.cli.showing import NumberArgument, WhichOption
from offhook.core.errors import Conflict
from offhook.policy import document
from offhook.provider.explain import Asked
from offhook.provider.policyversion import PolicyVersion, State
from offhook.release.records import Signature

if TYPE_CHECKING:
    from offhook.provider.policies import Proposal
    from offhook.release.change import Change
    from offhook.wiring import Desk

_HELP: Final = """Rules of who gets what.

A policy is a file: rules in their order, of which the upper one decides, and the segments that they speak of. Look at
what a file would change (plan), keep it as a draft, publish it; every version stays in the history.
"""
app = typer.Typer(
    name="policy",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

MAX_BYTES: Final = 4 * document.MAX_CHARACTERS

FileArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(help="TOML or JSON, - for the input; left out, the draft.", metavar="[FILE]"),
]
BlankOption: TypeAlias = Annotated[
    bool, typer.Option("--blank-removed", help="Send keys empty that are set no more; else phones keep what they have.")
]
RuleArgument: TypeAlias = Annotated[str, typer.Argument(help="The id of a rule.", metavar="RULE")]


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
        shown = _shown(proposal, json=json)
        _, counted = publishing.count(desk, _change(desk, proposal), json=json)
        if json:
            print_object(shown["plan"] | counted)


@app.command(epilog=examples('offhook policy draft EXAMPLE policy.toml --note "gold gets better codecs"'))
def draft(
    app_id: CloudIdArgument,
    file: Annotated[Path, typer.Argument(help="A policy as TOML or JSON; - for the input.", metavar="FILE")],
    blank_removed: BlankOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Keep a file as the draft, in place of the one there was; phones get nothing of it."""
    with reported(as_json=json), open_desk(data) as desk:
        by = who_decides(author)
        proposal = _proposed(desk, parse_cloud_id(app_id), file, by, blank_removed=blank_removed)
        shown = _shown(proposal, json=json)
        version = desk.policies.keep_draft(proposal, by, note)
        then = f"offhook policy publish {version.cloud_id}{here(data)}"
        _done(version, f"Policy {version.number} of {version.cloud_id} is the draft. Next: {then}", shown, json=json)


@app.command(epilog=examples("offhook policy publish EXAMPLE policy.toml", "offhook policy publish EXAMPLE --yes"))
def publish(
    app_id: CloudIdArgument,
    file: FileArgument = None,
    blank_removed: BlankOption = False,
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
        proposal = _proposed(desk, parse_cloud_id(app_id), file, by.author, blank_removed=blank_removed)
        _publish(desk, proposal, by, note, yes=yes, json=json)


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
        shown = _shown(proposal, json=json)
        publishing.approve(desk, _change(desk, proposal), signature(author), shown, yes=yes, json=json)


@app.command(epilog=examples("offhook policy restore EXAMPLE 3"))
def restore(
    app_id: CloudIdArgument,
    number: NumberArgument,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Publish an earlier version anew; shows what changes, and asks. The draft stays as it is."""
    with reported(as_json=json), open_desk(data) as desk:
        by, named = signature(author), parse_cloud_id(app_id)
        proposal = desk.policies.propose_restoring(named, number, by.author)
        _publish(desk, proposal, by, note or f"restored from version {number}", yes=yes, json=json)


@app.command(epilog=examples('offhook policy pause EXAMPLE gold-codecs --reason "calls without sound"'))
def pause(
    app_id: CloudIdArgument,
    rule: RuleArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why, as explain will say it.", metavar="TEXT")],
    yes: YesOption = False,
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let a rule of the Live policy rest, at once: it is as good as absent. The draft stays as it is."""
    with reported(as_json=json), open_desk(data) as desk:
        if not reason.strip():
            raise Misused("--reason is empty. Say why: others will find the rule paused.")
        by = signature(author)
        proposal = desk.policies.propose_pausing(parse_cloud_id(app_id), rule, reason.strip(), by.author)
        _publish(desk, proposal, by, f"paused {rule}: {reason.strip()}", urgent=True, yes=yes, json=json)


@app.command(epilog=examples("offhook policy withdraw EXAMPLE gold-codecs"))
def withdraw(
    app_id: CloudIdArgument,
    rule: RuleArgument,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Take a rule out of the Live policy, at once. The draft stays as it is."""
    with reported(as_json=json), open_desk(data) as desk:
        by = signature(author)
        proposal = desk.policies.propose_withdrawing(parse_cloud_id(app_id), rule, by.author)
        _publish(desk, proposal, by, note or f"withdrew {rule}", urgent=True, yes=yes, json=json)


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
            sys.stdout.write(version.text)
            return
        _write(to, version.text, replace=force)
        _done(version, f"Wrote policy {version.number} of {version.cloud_id} to {to}.", {"file": str(to)}, json=json)


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
        is_number = when.isascii() and when.isdecimal() and len(when) < 10
        moment_s = None if is_number else moment("WHEN", when)
        version = desk.policies.show(name, int(when)) if moment_s is None else desk.policies.at(name, moment_s)
        asked = Asked(now_s=moment_s, policy=document.parse(version.text))
        if not json:
            showing.tell(view.headline(version))
        explaining.tell(desk.explain.account(login.username, login.cloud_id, asked), trace=trace, json=json)


def _proposed(desk: Desk, named: str, file: Path | None, by: str, *, blank_removed: bool) -> Proposal:
    if file is None and blank_removed:
        raise Misused("--blank-removed goes with a FILE: a draft is published as it is.")
    if file is None:
        return desk.policies.propose_draft(named)
    return desk.policies.propose(named, asking.text_from(file, MAX_BYTES), by, blank_removed=blank_removed)


def _change(desk: Desk, proposal: Proposal) -> Change:
    return desk.releases.change(proposal.tenant.cloud_id, policy=proposal)


def _publish(
    desk: Desk, proposal: Proposal, by: Signature, note: str, *, yes: bool, json: bool, urgent: bool = False
) -> None:
    """Show it, ask, and publish it, unless nothing changes."""
    shown, change = _shown(proposal, json=json), _change(desk, proposal)
    release, told = publishing.publish(desk, change, by, note, yes=yes, json=json, urgent=urgent)
    version = desk.policies.show(change.cloud_id, State.LIVE)
    nothing = "" if release else "Nothing changes: policy"
    text = f"{nothing or 'Policy'} {version.number} of {change.cloud_id} is Live."
    _done(version, text, {"plan": shown["plan"] | told}, json=json)


def _shown(proposal: Proposal, *, json: bool) -> dict[str, Any]:
    if not json:
        view.show_proposal(proposal)
    return {"plan": view.proposal_record(proposal)}


def _done(version: PolicyVersion, text: str, record: dict[str, Any], *, json: bool) -> None:
    if json:
        print_object(view.version_record(version) | record)
    else:
        showing.tell(text)


def _write(to: Path, text: str, *, replace: bool) -> None:
    try:
        with to.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(f"{brief(str(to))} is there already; --force replaces it.") from None
    except OSError as error:
        raise Misused(f"{brief(str(to))} cannot be written: {error.strerror}.") from None
