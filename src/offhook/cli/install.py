"""`offhook install`: the phones that are signed in, and how they are signed out from here."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, plain, print_object, reported
from offhook.cli.moments import shown, with_moments
from offhook.cli.options import AtOnceOption, DataOption, JsonOption, cloud_id, examples, user
from offhook.provider.installs import Install

app = typer.Typer(
    name="install",
    help="Installs: the phones that signed in, each with a credential of its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_LIST: Final = examples("offhook install list EXAMPLE", "offhook install list ann@EXAMPLE --json")
_REVOKE: Final = examples(
    "offhook install revoke AD4535EF902BB13A0C6B8F1E2D3C4B5A", "offhook install revoke --user ann@EXAMPLE"
)


@app.command("list", epilog=_LIST)
def list_installs(
    whose: Annotated[str, typer.Argument(help="A Cloud ID, or a user of it.", metavar="CLOUDID|USER@CLOUDID")],
    ended: Annotated[bool, typer.Option("--ended", help="Show those that have ended, too.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """List installs by age: the user's phone, when it last asked, and whether it had the newest account then."""
    with reported(as_json=json), open_desk(data) as desk:
        installs = desk.installs.of_user(*user(whose)) if "@" in whose else desk.installs.of_cloud_id(cloud_id(whose))
        shown = (one for one in installs if ended or one.ended is None)
        if json:
            _write(shown)
        else:
            _show(shown)


@app.command(epilog=_REVOKE)
def revoke(
    install: Annotated[str | None, typer.Argument(help="The install's id.", metavar="INSTALL")] = None,
    who: Annotated[
        str | None, typer.Option("--user", help="All installs of this user.", metavar="USER@CLOUDID")
    ] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """End an install, or all of a user's: its phone is logged out when it next asks; the user may sign in anew."""
    with reported(as_json=json), open_desk(data) as desk:
        if (install is None) == (who is None):
            raise Misused("Name an install, or a user with --user.")
        if who is not None:
            named = user(who)
            count = desk.installs.revoke_user(*named)
            _tell({"user": str(named), "revoked": count}, f"Revoked {count} of {named}.", json=json)
        elif install is not None:
            found, revoked = desk.installs.revoke(install)
            said = f"Revoked {found.id}." if revoked else f"{found.id} has ended already ({found.ended})."
            _tell(_record(found) | {"revoked": int(revoked)}, said, json=json)


@app.command(epilog=examples("offhook install rotate AD4535EF902BB13A0C6B8F1E2D3C4B5A --at-once"))
def rotate(
    install: Annotated[str, typer.Argument(help="The install's id.", metavar="INSTALL")],
    at_once: AtOnceOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Give a phone with a SIP account of its own a new SIP password; it goes on with its own until it asks again."""
    with reported(as_json=json), open_desk(data) as desk:
        found = desk.installs.get(install)
        desk.rotation.of_install(found.cloud_id, found.id, at_once=at_once)
        _tell(_record(found), f"{found.id} gets a new SIP password.", json=json)


def _tell(record: dict[str, Any], said: str, *, json: bool) -> None:
    if json:
        print_object(record)
    else:
        typer.echo(said)


def _record(install: Install) -> dict[str, Any]:
    return with_moments(msgspec.to_builtins(install)) | {"is_current": install.is_current}


def _write(installs: Iterable[Install]) -> None:
    sys.stdout.write("[")
    for number, install in enumerate(installs):
        sys.stdout.write(("," if number else "") + "\n" + msgspec.json.encode(_record(install)).decode())
    sys.stdout.write("\n]\n")


def _show(installs: Iterable[Install]) -> None:
    table = Table(
        "Install", "User", "App", "Signed in", "Last asked", "Account", "Push token", "State", box=None, pad_edge=False
    )
    for one in installs:
        table.add_row(
            one.id,
            plain(one.user) or "(removed)",
            plain(one.user_agent),
            shown(one.created_s),
            shown(one.seen_s),
            "unknown" if not one.held_s else "newest" if one.is_current else "older",
            "present" if one.has_push_token else "absent",
            f"{one.ended} {shown(one.ended_s)}" if one.ended else "active",
        )
    Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 240).print(table)
