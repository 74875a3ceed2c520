"""`offhook upstream`: the sources of users of this installation, whether they can be used, and what they say of one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from offhook.cli import asking
from offhook.cli.exits import Exit, plain, print_object, reported
from offhook.cli.options import DataOption, JsonOption, examples
from offhook.config import DataFolder
from offhook.connections import FILE, read
from offhook.core.errors import NotFound, OffhookError, Refused
from offhook.identity.settings import AnyUpstream
from offhook.identity.sources import bare
from offhook.provider.upstream import Vouched

app = typer.Typer(
    name="upstream",
    help="Upstreams: directories, databases and services that vouch for users, as connections.toml names them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_LIST: Final = examples("offhook upstream list", "offhook upstream list --json")
_CHECK: Final = examples("offhook upstream check", "offhook upstream check corp --json")
_TRY: Final = examples("offhook upstream try corp ann", "offhook upstream try corp ann@example.com --look-up")
NO: Final = "The upstream says no: the name or the password is wrong."
NOBODY: Final = "The upstream says that there is no such user."


@app.command("list", epilog=_LIST)
def list_upstreams(data: DataOption = None, json: JsonOption = False) -> None:
    """List the upstreams, without asking them."""
    with reported(as_json=json):
        upstreams = _all(data)
        if json:
            print_object({name: {"kind": _kind(one), "where": str(one)} for name, one in upstreams.items()})
        elif not upstreams:
            typer.echo(f"There is no upstream: {FILE} in the data folder names none.")
        else:
            table = Table("Name", "Kind", "Where", box=None, pad_edge=False)
            for name, one in upstreams.items():
                table.add_row(name, _kind(one), plain(str(one)))
            Console(highlight=False, markup=False, emoji=False).print(table)


@app.command(epilog=_CHECK)
def check(
    name: Annotated[str | None, typer.Argument(help="Which upstream; all, left out.", metavar="NAME")] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Ask the upstreams whether they can be used: reachable, our own name taken, users there. It changes nothing."""
    with reported(as_json=json):
        upstreams = _all(data)
        chosen = upstreams if name is None else {name: _named(upstreams, name)}
        found, steps = {}, {}
        for each, settings in chosen.items():
            told = steps[each] = list[str]()
            with closing(bare(settings, told.append)) as source:
                found[each] = source.faults()
    if json:
        print_object({each: list(faults) for each, faults in found.items()})
    else:
        for each, faults in found.items():
            typer.echo(f"{each}: {'can be used' if not faults else 'cannot be used as it is'}")
            # What happened on the way says why; where all is well nobody needs it.
            for line in (*steps[each], *faults) if faults else ():
                typer.echo(f"  {plain(line)}")
    if any(found.values()):
        raise typer.Exit(Exit.FAILED)


@app.command("try", epilog=_TRY)
def try_user(
    name: Annotated[str, typer.Argument(help="Which upstream.", metavar="NAME")],
    user: Annotated[str, typer.Argument(help="The user, as they would sign in.", metavar="USER")],
    look_up: Annotated[bool, typer.Option("--look-up", help="Without a password, by the name they have here.")] = False,
    stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from the standard input.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Try what an upstream says of a user, step by step: it asks for the password, unseen. It asks the upstream once.

    A wrong password counts there as every other. Attributes and groups are shown, and no password.
    """
    steps: list[str] = []
    with reported(as_json=json, beside=lambda: {"upstream": name, "steps": steps}):
        settings = _named(_all(data), name)
        password = None
        if not look_up:
            password = asking.line() if stdin else asking.known_password("Password")
        with closing(bare(settings, steps.append if json else _step)) as source:
            found = source.look_up(user) if password is None else source.vouch(user, password)
        if found is None:
            raise _no(look_up=look_up)
        _tell(name, found, steps, json=json)


def _no(*, look_up: bool) -> OffhookError:
    return NotFound(NOBODY) if look_up else Refused(NO)


def _step(text: str) -> None:
    typer.echo(plain(text))


def _tell(name: str, found: Vouched, steps: list[str], *, json: bool) -> None:
    record: dict[str, Any] = {
        "upstream": name,
        "steps": steps,
        "username": found.username,
        "attributes": dict(found.attributes),
        "groups": list(found.groups),
    }
    if json:
        print_object(record)
        return
    typer.echo(f"{plain(name)} vouches for {plain(found.username)}.")
    for ours, text in found.attributes.items():
        typer.echo(f"  {plain(ours)} = {plain(text)}")
    typer.echo(f"  groups: {plain(', '.join(found.groups)) or 'none'}")


def _all(data: DataOption) -> Mapping[str, AnyUpstream]:
    return read(DataFolder.choose(data).path / FILE).upstream


def _named(upstreams: Mapping[str, AnyUpstream], name: str) -> AnyUpstream:
    if name not in upstreams:
        raise NotFound(f"There is no upstream {plain(name)}: {FILE} names {', '.join(upstreams) or 'none'}.")
    return upstreams[name]


def _kind(settings: AnyUpstream) -> str:
    return str(settings.__struct_config__.tag)
