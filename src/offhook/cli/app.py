"""`offhook app`: the apps of the portal, from the first draft to what phones get, and back."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from offhook.cli import app_view as view
from offhook.cli import publishing, showing
from offhook.cli.asking import confirm
from offhook.cli.desk import open_desk
from offhook.cli.exits import as_misuse, print_object, reported
from offhook.cli.options import (
    AuthorOption,
    CloudIdArgument,
    DataOption,
    JsonOption,
    NoteOption,
    RevealOption,
    YesOption,
    examples,
    here,
    new_cloud_id,
    signature,
    who_decides,
)
from offhook.cli.options import cloud_id as parse_cloud_id
from offhook.cli.showing import NumberArgument, WhichOption
from offhook.core.login import CloudId
from offhook.portal import folder as folders
from offhook.portal import reading
from offhook.portal.edits import edited
from offhook.portal.versions import State, Version
from offhook.release.records import Signature

if TYPE_CHECKING:
    from offhook.portal.catalogue import Portal, Proposal
    from offhook.wiring import Desk

_HELP: Final = """Apps of the portal.

An app has an Editable version, which testers reach with a star behind the Cloud ID, and a Live one, which all others
get. Change the Editable as often as you like, then publish it; every Live version stays in the history.
"""
app = typer.Typer(
    name="app",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ForceOption: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace the app that the folder holds.")]


@app.command(epilog=examples('offhook app create EXAMPLE --name "Example Telephone" --host sip.example.com'))
def create(
    app_id: CloudIdArgument,
    name: Annotated[str, typer.Option(help="How people call it; becomes the title of accounts too.")] = "",
    host: Annotated[str, typer.Option(help="The SIP server.", metavar="SIPHOST")] = "",
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make an app, as an Editable version whose users come from our own provider service."""
    with reported(as_json=json), open_desk(data) as desk:
        new = new_cloud_id(app_id)
        account = {"title": name or new} | ({"host": host} if host else {})
        made = reading.from_document({"cloud_id": new, "name": name, "account": account})
        version = desk.portal.create(made, author=who_decides(author), note=note)
        _done(version, f"Made {version.cloud_id}. Next: offhook app publish {version.cloud_id}{here(data)}", json=json)


@app.command(
    epilog=examples(
        "offhook app edit EXAMPLE --set account.title=Example --set features.messaging=true",
        "offhook app edit EXAMPLE --unset account.proxy",
        "offhook app edit EXAMPLE --to ./example     # edit the files, then: offhook app apply ./example",
    )
)
def edit(
    app_id: CloudIdArgument,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Set one place of app.toml.", metavar="PLACE=VALUE")
    ] = None,
    removals: Annotated[list[str] | None, typer.Option("--unset", help="Remove one place.", metavar="PLACE")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write the Editable into a folder.", metavar="DIR")] = None,
    force: ForceOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make the Editable version, a copy of Live when there is none, and change it or write it into a folder."""
    with reported(as_json=json), open_desk(data) as desk:
        portal, by = desk.portal, who_decides(author)
        version = portal.edit(parse_cloud_id(app_id), by)
        record: dict[str, Any] = {}
        if settings or removals:
            proposal = portal.propose(edited(version.app, settings or [], removals or []), portal.theme(version))
            record["plan"] = _shown(proposal, json=json)
            version = portal.accept(proposal, by, note) if proposal.plan.lines else version
        if to is not None:
            record["files"] = [str(path) for path in _write(portal, version, to, force=force)]
        written = f"Wrote {version} into {to}. When its files are edited: offhook app apply {to}{here(data)}"
        _done(version, _next_step(version, data) if to is None else written, json=json, **record)


@app.command(
    epilog=examples("offhook app apply ./example", 'offhook app apply ./example --publish --yes --note "new logo"')
)
def apply(
    folder: Annotated[Path, typer.Argument(help="A folder with app.toml and, if wanted, theme/.", metavar="DIR")],
    publish: Annotated[
        bool, typer.Option("--publish", help="Make it Live at once; the Editable stays as it is.")
    ] = False,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make a folder the Editable version of its app, which is made when it is new; shows what changes, and asks.

    Phones get it once it is published. Nothing is asked when nothing changes.
    """
    with reported(as_json=json):
        with nullcontext() if (folder / folders.APP).exists() else as_misuse():
            content = folders.read(folder)
        with open_desk(data) as desk:
            portal, name, by = desk.portal, content.app.cloud_id, who_decides(author)
            proposal = portal.propose(content.app, content.theme, live=publish)
            record = {"plan": _shown(proposal, json=json)}
            if proposal.plan.lines and not publish:
                confirm(f"{name}: Apply this?", yes=yes)
                version = portal.accept(proposal, by, note)
                _done(version, _next_step(version, data), json=json, **record)
            else:
                _publish(desk, proposal, signature(author), note, record, yes=yes, json=json, data=data, live=publish)


@app.command(epilog=examples("offhook app publish EXAMPLE", 'offhook app publish EXAMPLE --yes --note "codecs"'))
def publish(
    app_id: CloudIdArgument,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make the Editable version Live; shows what changes for phones, and asks.

    The Live before it stays in the history. Nothing happens when the two are the same.
    """
    with reported(as_json=json), open_desk(data) as desk:
        name = parse_cloud_id(app_id)
        proposal = desk.portal.propose_publishing(name)
        record = {"plan": _shown(proposal, json=json)}
        _publish(desk, proposal, signature(author), note, record, yes=yes, json=json, data=data)


@app.command(epilog=examples("offhook app approve EXAMPLE --author bob"))
def approve(
    app_id: CloudIdArgument,
    yes: YesOption = False,
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Approve of the Editable version as a second person, exactly as it is now; `publish` then needs nobody else."""
    with reported(as_json=json), open_desk(data) as desk:
        name = parse_cloud_id(app_id)
        proposal = desk.portal.propose_publishing(name)
        record = {"plan": _shown(proposal, json=json)}
        publishing.approve(desk, desk.releases.change(name, proposal), signature(author), record, yes=yes, json=json)


@app.command(epilog=examples("offhook app show EXAMPLE", "offhook app show EXAMPLE --version live --json"))
def show(
    app_id: CloudIdArgument,
    which: WhichOption = None,
    reveal: RevealOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show a version as its app.toml, secrets masked."""
    with reported(as_json=json), open_desk(data) as desk:
        version = desk.portal.show(parse_cloud_id(app_id), _which(app_id, which))
        if json:
            print_object(view.version_record(version, whole=True, reveal=reveal))
        else:
            view.show_version(version, desk.portal.theme(version), reveal=reveal)


@app.command(epilog=examples("offhook app history EXAMPLE"))
def history(app_id: CloudIdArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """List the versions of an app, the newest first."""
    with reported(as_json=json), open_desk(data) as desk:
        versions = desk.portal.history(parse_cloud_id(app_id))
        if json:
            showing.print_list(map(view.version_record, versions))
        else:
            view.show_history(versions)


@app.command(epilog=examples("offhook app restore EXAMPLE 3", "offhook app restore EXAMPLE 3 --publish --yes"))
def restore(
    app_id: CloudIdArgument,
    number: NumberArgument,
    publish: Annotated[
        bool, typer.Option("--publish", help="Make it Live at once; the Editable stays as it is.")
    ] = False,
    yes: YesOption = False,
    note: NoteOption = "",
    author: AuthorOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make an old Live version the Editable, or Live again; shows what changes, and asks."""
    with reported(as_json=json), open_desk(data) as desk:
        portal, name, by = desk.portal, parse_cloud_id(app_id), who_decides(author)
        proposal = portal.propose_restoring(name, number, live=publish)
        record = {"plan": _shown(proposal, json=json)}
        note = note or f"restored from version {number}"
        if publish or not proposal.plan.lines:
            _publish(desk, proposal, signature(author), note, record, yes=yes, json=json, data=data, live=publish)
        else:
            confirm(f"{name}: Make this the Editable?", yes=yes)
            version = portal.accept(proposal, by, note)
            _done(version, _next_step(version, data), json=json, **record)


@app.command(epilog=examples("offhook app export EXAMPLE ./example", "offhook app export EXAMPLE ./old --version 3"))
def export(
    app_id: CloudIdArgument,
    to: Annotated[Path, typer.Argument(help="A folder, made when it is not there.", metavar="DIR")],
    which: WhichOption = None,
    force: ForceOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write a version into a folder, to be kept in git and applied again; its secrets are written as they are."""
    with reported(as_json=json), open_desk(data) as desk:
        version = desk.portal.show(parse_cloud_id(app_id), _which(app_id, which))
        files = _write(desk.portal, version, to, force=force)
        _done(version, f"Wrote {version} into {to}.", json=json, files=[str(path) for path in files])


@app.command("list", epilog=examples("offhook app list --json"))
def list_apps(data: DataOption = None, json: JsonOption = False) -> None:
    """List the apps with their Live and Editable versions."""
    with reported(as_json=json), open_desk(data) as desk:
        versions = desk.portal.all()
        if json:
            showing.print_list(map(view.version_record, versions))
        else:
            view.show_all(versions)


@app.command(epilog=examples("offhook app redate", "offhook app redate --json"))
def redate(data: DataOption = None, json: JsonOption = False) -> None:
    """Date all that phones are served anew, after the data folder was restored from a backup.

    Phones refuse what is older than what they have, and they may have what was published since the backup. All apps are
    served with a new date from now on, and each phone fetches them once more; their content stays as it is.
    """
    with reported(as_json=json), open_desk(data) as desk:
        parts = desk.portal.redate()
        if json:
            print_object({"redated": parts})
        else:
            showing.tell(f"Dated {parts:,} parts anew. Each phone fetches them once more.")


def _shown(proposal: Proposal, *, json: bool) -> dict[str, Any]:
    if not json:
        view.show_plan(proposal.plan)
    return view.plan_record(proposal.plan)


def _publish(
    desk: Desk,
    proposal: Proposal,
    by: Signature,
    note: str,
    record: dict[str, Any],
    *,
    yes: bool,
    json: bool,
    data: Path | None,
    live: bool = True,
) -> None:
    """Publish it, unless it changes nothing; then say what stands there."""
    change = desk.releases.change(proposal.app.cloud_id, proposal)
    _, told = publishing.publish(desk, change, by, note, yes=yes, json=json)
    version = desk.portal.show(change.cloud_id, State.LIVE if live else None)
    _done(version, _next_step(version, data), json=json, **record | told)


def _done(version: Version, text: str, *, json: bool, **record: object) -> None:
    if json:
        print_object(view.version_record(version) | record)
    else:
        showing.tell(text)


def _write(portal: Portal, version: Version, to: Path, *, force: bool) -> list[Path]:
    return folders.write(to, version.app, portal.theme(version), replace=force)


def _next_step(version: Version, data: Path | None) -> str:
    name = version.cloud_id
    if version.state is State.LIVE:
        return f"Version {version.number} of {name} is Live."
    then = f"offhook app publish {name}{here(data)}"
    return f"The Editable of {name} is version {version.number}. Test it as {name}*, then: {then}"


def _which(app_id: str, which: str | None) -> State | int | None:
    """The version that was asked for; a star behind the Cloud ID asks for the Editable. Raises Misused."""
    if which is None and CloudId.parse(app_id).editable:
        return State.EDITABLE
    return showing.which(which, State)
