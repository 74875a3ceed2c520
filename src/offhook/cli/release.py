"""`offhook release`: app and policy of a Cloud ID together, from a folder in git to what phones get, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from offhook.cli import app_view, policy_file, policy_view, publishing, showing
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, print_object, reported
from offhook.cli.moments import iso, shown
from offhook.cli.options import (
    AuthorOption,
    CloudIdArgument,
    DataOption,
    JsonOption,
    NoteOption,
    YesOption,
    examples,
    here,
    signature,
)
from offhook.cli.options import cloud_id as parse_cloud_id
from offhook.cli.policy_publishing import BlankOption, OverOption
from offhook.cli.showing import MOST_VERSIONS
from offhook.core.errors import Conflict, Invalid
from offhook.core.theme import Theme
from offhook.policy import document
from offhook.portal import files, folder
from offhook.portal.app import App

if TYPE_CHECKING:
    from offhook.release.change import Change
    from offhook.release.records import Release, Signature
    from offhook.wiring import Desk

_HELP: Final = """App and policy together.

What phones of a Cloud ID get is its app and its policy. Keep both in one folder in git: app.toml, theme/ and
policy.toml; what is missing there stays as it is. Look at what the folder, or what is drafted, would change for whom
(plan), have somebody approve of it, publish it at once, and go back to any release.
"""
POLICY: Final = "policy.toml"
app = typer.Typer(
    name="release",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

FolderArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(help="A folder with app.toml, policy.toml or both; left out, the drafts.", metavar="[FOLDER]"),
]
ReleaseArgument: TypeAlias = Annotated[
    int, typer.Argument(help="A release; see history.", metavar="RELEASE", max=MOST_VERSIONS)
]


@app.command(epilog=examples("offhook release plan EXAMPLE ./example", "offhook release plan EXAMPLE --json"))
def plan(
    app_id: CloudIdArgument,
    source: FolderArgument = None,
    blank_removed: BlankOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what publishing a folder, or the drafts, would change and for whom; changes nothing."""
    with reported(as_json=json), open_desk(data) as desk:
        change = _proposed(desk, parse_cloud_id(app_id), source, "", blank_removed=blank_removed)
        record = _shown(change, json=json)
        _, counted = publishing.count(desk, change, json=json)
        if json:
            print_object(record | counted)


@app.command(
    epilog=examples("offhook release approve EXAMPLE ./example --author bob", "offhook release approve EXAMPLE")
)
def approve(
    app_id: CloudIdArgument,
    source: FolderArgument = None,
    blank_removed: BlankOption = False,
    yes: YesOption = False,
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Approve as a second person: of exactly this content, beside exactly what is Live now."""
    with reported(as_json=json), open_desk(data) as desk:
        change = _proposed(desk, parse_cloud_id(app_id), source, "", blank_removed=blank_removed)
        publishing.approve(desk, change, signature(author), _shown(change, json=json), yes=yes, json=json)


@app.command(epilog=examples("offhook release publish EXAMPLE ./example", "offhook release publish EXAMPLE --yes"))
def publish(
    app_id: CloudIdArgument,
    source: FolderArgument = None,
    blank_removed: BlankOption = False,
    over: OverOption = None,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let phones get a folder, or the drafts, at once: both halves or none; shows what changes, and asks.

    Nothing happens when nothing changes. What is drafted beside a folder stays.
    """
    with reported(as_json=json), open_desk(data) as desk:
        by = signature(author)
        change = _proposed(desk, parse_cloud_id(app_id), source, by.author, blank_removed=blank_removed, over=over)
        _publish(desk, change, by, note, yes=yes, json=json)


@app.command(epilog=examples("offhook release restore EXAMPLE 3"))
def restore(
    app_id: CloudIdArgument,
    number: ReleaseArgument,
    blank_removed: BlankOption = False,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Publish anew what a release was, both halves of it; shows what changes, and asks. The drafts stay."""
    with reported(as_json=json), open_desk(data) as desk:
        by = signature(author)
        change = desk.releases.propose_restoring(parse_cloud_id(app_id), number, by.author, blank_removed=blank_removed)
        _publish(desk, change, by, note or f"restored from release {number}", yes=yes, json=json)


@app.command(epilog=examples("offhook release history EXAMPLE"))
def history(app_id: CloudIdArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """List the releases, the newest first, with the versions of both halves and who stands behind them."""
    with reported(as_json=json), open_desk(data) as desk:
        releases = desk.releases.history(parse_cloud_id(app_id))
        if json:
            showing.print_list(map(_record, releases))
            return
        table = showing.table("Release", "Published", "App", "Policy", "By", "Approved by", "Note")
        table.columns[1].no_wrap = True
        for one in releases:
            halves = (_half(one, "app", one.app), _half(one, "policy", one.policy))
            said = one.publication
            table.add_row(
                str(one.number), shown(said.published_s), *halves, str(said.by), str(said.approved_by), said.note
            )
        showing.console().print(table)


@app.command(
    epilog=examples("offhook release export EXAMPLE ./example", "offhook release export EXAMPLE ./old --release 3")
)
def export(
    app_id: CloudIdArgument,
    to: Annotated[Path, typer.Argument(help="A folder, made when it is not there.", metavar="FOLDER")],
    number: Annotated[
        int | None, typer.Option("--release", help="Left out, what is Live.", metavar="RELEASE", max=MOST_VERSIONS)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what the folder holds.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write app and policy into a folder, to be kept in git and published again."""
    with reported(as_json=json), open_desk(data) as desk:
        release = desk.releases.find(parse_cloud_id(app_id), number)
        written = _write(desk, release, to, force=force)
        if json:
            print_object(_record(release) | {"files": [str(path) for path in written]})
        else:
            then = f"offhook release publish {release.cloud_id} {to}{here(data)}"
            showing.tell(f"Wrote release {release.number} of {release.cloud_id} into {to}. When it is edited: {then}")


def _proposed(
    desk: Desk, named: str, source: Path | None, by: str, *, blank_removed: bool, over: int | None = None
) -> Change:
    if source is None and blank_removed:
        raise Misused("--blank-removed goes with a FOLDER: a draft is published as it is.")
    if source is None:
        return desk.releases.propose_drafts(named, over=over)
    content, policy = _read(source, named)
    return desk.releases.propose(named, content, policy, by, blank_removed=blank_removed, over=over)


def _read(source: Path, named: str) -> tuple[tuple[App, Theme] | None, str | None]:
    """What a folder holds, None for a half that it does not say anything of. Raises Invalid, and Misused."""
    has_app, has_policy = (files.exists(source / name) for name in (folder.APP, POLICY))
    if not has_app and not has_policy:
        raise Misused(
            f"{source} has neither {folder.APP} nor {POLICY}; `offhook release export {named} DIR` makes both."
        )
    policy = policy_file.read(source / POLICY) if has_policy else None
    if policy is not None:
        with policy_file.located(source / POLICY, policy):
            document.parse(policy)
    if not has_app:
        return None, policy
    found = folder.read(source)
    if found.app.cloud_id != named:
        raise Invalid.at(f"{folder.APP}: cloud_id", f"is {found.app.cloud_id}, and not {named}")
    return (found.app, found.theme), policy


def _shown(change: Change, *, json: bool) -> dict[str, Any]:
    """Show both differences, and return them as an object."""
    record: dict[str, Any] = {"app": None, "policy": None}
    if change.app:
        record["app"] = app_view.plan_record(change.app.plan)
        if not json:
            showing.tell("App:")
            app_view.show_plan(change.app.plan)
    if change.policy:
        record["policy"] = policy_view.proposal_record(change.policy)
        if not json:
            showing.tell("Policy:")
            policy_view.show_proposal(change.policy)
    return record


def _publish(desk: Desk, change: Change, by: Signature, note: str, *, yes: bool, json: bool) -> None:
    record = _shown(change, json=json)
    release, told = publishing.publish(desk, change, by, note, yes=yes, json=json)
    standing = release or desk.releases.find(change.cloud_id)
    if json:
        print_object(_record(standing) | {"plan": record | told})
    else:
        nothing = "" if release else "Nothing changes: release"
        showing.tell(f"{nothing or 'Release'} {standing.number} of {change.cloud_id} is Live: {_halves(standing)}.")


def _halves(release: Release) -> str:
    halves = (("app", release.app), ("policy", release.policy))
    return " and ".join(f"{half} {number}" for half, number in halves if number is not None)


def _half(release: Release, half: str, number: int | None) -> str:
    """The number of a half, in brackets where it stayed as it was."""
    return "" if number is None else str(number) if half in release.changed else f"({number})"


def _record(release: Release) -> dict[str, Any]:
    said = release.publication
    return {
        "cloud_id": release.cloud_id,
        "release": release.number,
        "app": release.app,
        "policy": release.policy,
        "changed": list(release.changed),
        "published_at": iso(said.published_s),
        "author": said.by.author,
        "account": said.by.account,
        "approved_by": said.approved_by.author,
        "approved_account": said.approved_by.account,
        "approved_at": iso(said.approved_s),
        "note": said.note,
    }


def _write(desk: Desk, release: Release, to: Path, *, force: bool) -> list[Path]:
    written: list[Path] = []
    path = to / POLICY
    if release.policy is not None and files.exists(path) and not force:
        raise Conflict(f"{path} exists. Choose another folder, or replace what is there with --force.")
    if release.app is not None:
        version = desk.portal.show(release.cloud_id, release.app)
        written += folder.write(to, version.app, desk.portal.theme(version), replace=force)
    if release.policy is not None:
        try:
            files.put(path, desk.policies.show(release.cloud_id, release.policy).text.encode())
        except OSError as error:
            raise Invalid.at(str(path), f"cannot be written: {error.strerror}") from None
        written.append(path)
    return written
