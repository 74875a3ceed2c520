"""`offhook sip`: the SIP systems of this installation, whether they can be used, and how an account is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from offhook.cli.exits import Exit, Misused, plain, print_object, reported
from offhook.cli.options import DataOption, JsonOption, examples
from offhook.config import DataFolder
from offhook.connections import FILE, read
from offhook.core.errors import NotFound
from offhook.provider.sipaccounts import Address, KeptAccount
from offhook.sip.settings import AnySystem
from offhook.sip.systems import System, open_system

app = typer.Typer(
    name="sip",
    help="SIP systems: where phones register, as the file connections.toml in the data folder names them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_LIST: Final = examples("offhook sip list", "offhook sip list --json")
_CHECK: Final = examples("offhook sip check", "offhook sip check berlin --json")
_SHOW: Final = examples(
    "offhook sip show b63349f4ee@sip.example.com", "offhook sip show ann@sip.example.com --system berlin"
)


@app.command("list", epilog=_LIST)
def list_systems(data: DataOption = None, json: JsonOption = False) -> None:
    """List the SIP systems, without asking them."""
    with reported(as_json=json):
        systems = read(DataFolder.choose(data).path / FILE).sip
        if json:
            print_object({name: {"kind": _kind(one), "where": str(one)} for name, one in systems.items()})
        elif not systems:
            typer.echo(f"There is no SIP system: {FILE} in the data folder names none.")
        else:
            table = Table("Name", "Kind", "Where", box=None, pad_edge=False)
            for name, one in systems.items():
                table.add_row(name, _kind(one), plain(str(one)))
            Console(highlight=False, markup=False, emoji=False).print(table)


@app.command(epilog=_CHECK)
def check(
    name: Annotated[str | None, typer.Argument(help="Which system; all, left out.", metavar="NAME")] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Ask the SIP systems whether they can be used: reachable, the tables there, the doors open. It changes nothing."""
    with reported(as_json=json):
        systems = read(DataFolder.choose(data).path / FILE).sip
        chosen = systems if name is None else {name: _named(systems, name)}
        found = {}
        for each, settings in chosen.items():
            with _opened(settings) as system:
                found[each] = system.faults()
    if json:
        print_object({each: list(faults) for each, faults in found.items()})
    else:
        for each, faults in found.items():
            typer.echo(f"{each}: {'can be used' if not faults else 'cannot be used as it is'}")
            for fault in faults:
                typer.echo(f"  {plain(fault)}")
    if any(found.values()):
        raise typer.Exit(Exit.FAILED)


@app.command(epilog=_SHOW)
def show(
    address: Annotated[str, typer.Argument(help="The SIP account, such as ann@sip.example.com.", metavar="ADDRESS")],
    system: Annotated[
        str | None, typer.Option("--system", help="In which system; the only one, left out.", metavar="NAME")
    ] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show a SIP account as the SIP system has it: enabled, registered, its aliases. No password and no hash of one."""
    with reported(as_json=json):
        systems = read(DataFolder.choose(data).path / FILE).sip
        if system is None and len(systems) != 1:
            raise Misused(f"Name one with --system: {', '.join(systems) or 'but there is none'}.")
        named = next(iter(systems)) if system is None else system
        asked = _address(address)
        with _opened(_named(systems, named)) as opened:
            kept, registered = opened.look_up(asked), opened.registered([asked]).get(asked)
        if kept is None:
            raise NotFound(f"The SIP system {named} has no account {plain(str(asked))}.")
        _tell(_record(named, kept, registered), json=json)


def _tell(record: dict[str, Any], *, json: bool) -> None:
    if json:
        print_object(record)
        return
    for name, value in record.items():
        typer.echo(f"{name + ':':12} {plain(_shown(value))}")


def _shown(value: object) -> str:
    match value:
        case None:
            return "not known"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(value) or "none"
        case _:
            return str(value)


def _record(system: str, kept: KeptAccount, registered: bool | None) -> dict[str, Any]:
    return {
        "address": str(kept.address),
        "system": system,
        "enabled": kept.enabled,
        "registered": registered,
        "passwords": None if kept.ha1s is None else len(kept.ha1s),
        "aliases": None if kept.aliases is None else list(kept.aliases),
    }


def _kind(settings: AnySystem) -> str:
    return str(settings.__struct_config__.tag)


def _named(systems: Mapping[str, AnySystem], name: str) -> AnySystem:
    if name not in systems:
        raise NotFound(f"There is no SIP system {plain(name)}; there is {', '.join(systems) or 'none'}.")
    return systems[name]


@contextmanager
def _opened(settings: AnySystem) -> Iterator[System]:
    with closing(open_system(settings)) as system:
        yield system


def _address(text: str) -> Address:
    username, at, domain = text.rpartition("@")
    if not (username and at and domain):
        raise Misused(f"{plain(text)} is no SIP account, which is written like ann@sip.example.com.")
    return Address(username, domain)
