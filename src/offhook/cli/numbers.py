"""`offhook numbers`: the pools from which users get numbers and extensions."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, plain, print_object, reported
from offhook.cli.moments import shown
from offhook.cli.options import CloudIdArgument, DataOption, JsonOption, cloud_id, examples, user
from offhook.cli.user_view import remark
from offhook.provider import numbers
from offhook.provider.numbering import DEFAULT, Found
from offhook.provider.numbers import Kept, Stock, Use

app = typer.Typer(
    name="numbers",
    help="Numbers and extensions: pools from which each new user gets one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_ADD: Final = examples(
    "offhook numbers add EXAMPLE main +4930123400-99",
    "offhook numbers add EXAMPLE short 201-299 --quarantine 30d",
)
_SHOW: Final = examples(
    "offhook numbers show EXAMPLE", "offhook numbers show EXAMPLE --pool main", "offhook numbers show EXAMPLE 201"
)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PERIOD: Final = re.compile(r"([0-9]{1,9})([smhd]?)")

NumberArgument: TypeAlias = Annotated[str, typer.Argument(help="Such as +4930123456, or 201.", metavar="NUMBER")]
QuarantineOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="How long a number rests when its user is gone, such as 30d (usual), 12h or 0.", metavar="TIME"),
]


@app.command(epilog=_ADD)
def add(
    app_id: CloudIdArgument,
    pool: Annotated[str, typer.Argument(help="Which pool; one that is not there is made.", metavar="POOL")],
    ranges: Annotated[list[str], typer.Argument(help="First and last number, or one alone.", metavar="RANGE...")],
    quarantine: QuarantineOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Add ranges of numbers to a pool. With `tenant set --number number=POOL`, new users get one each."""
    with reported(as_json=json), open_desk(data) as desk:
        named = cloud_id(app_id)
        remarks = desk.numbering.add(named, pool, ranges, None if quarantine is None else _seconds(quarantine))
        stock = next(one for one in desk.numbering.stocks(named) if one.pool.name == pool)
        if json:
            print_object(_stock(stock) | {"notes": [{"place": one.place, "text": one.text} for one in remarks]})
            return
        typer.echo(f"The pool {pool} of {named} has {len(stock.pool):,} numbers, {stock.free:,} of them free.")
        remark(tuple(remarks))


@app.command("list", epilog=examples("offhook numbers list EXAMPLE", "offhook numbers list EXAMPLE --json"))
def list_pools(app_id: CloudIdArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """List the pools of a Cloud ID, and how many of their numbers are what."""
    with reported(as_json=json), open_desk(data) as desk:
        stocks = desk.numbering.stocks(cloud_id(app_id))
    if json:
        _print_list([_stock(one) for one in stocks])
        return
    table = Table(
        "Pool", "Numbers", "Ranges", "Free", "Assigned", "Other", box=None, header_style="bold", pad_edge=False
    )
    for one in stocks:
        ranges = ", ".join(map(str, one.pool.ranges[:3])) + (" ..." if len(one.pool.ranges) > 3 else "")
        table.add_row(one.pool.name, f"{len(one.pool):,}", ranges, f"{one.free:,}", f"{one.assigned:,}", _others(one))
    Console(highlight=False, markup=False, emoji=False).print(table)


@app.command(epilog=_SHOW)
def show(
    app_id: CloudIdArgument,
    number: Annotated[str | None, typer.Argument(help="One number.", metavar="NUMBER")] = None,
    pool: Annotated[str, typer.Option(help="Those of this pool alone.", metavar="POOL")] = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what is known of one number, or of all that are not simply free."""
    with reported(as_json=json), open_desk(data) as desk:
        named = cloud_id(app_id)
        if number is not None:
            _tell(desk.numbering.one(named, number), "", json=json)
            return
        kept, now_s = desk.numbering.of_pool(named, pool), desk.clock.now_s()
    if json:
        _print_list([_kept(one, one.use_at(now_s)) for one in kept])
        return
    table = Table("Number", "Pool", "Is", "User", "Since", "Until", box=None, header_style="bold", pad_edge=False)
    for one in kept:
        use = one.use_at(now_s)
        until = shown(one.until_s) if use is Use.RELEASED else ""
        number = numbers.shown(one.number)
        table.add_row(number, one.pool, _word(use), plain(one.username), shown(one.since_s), until)
    Console(highlight=False, markup=False, emoji=False).print(table)


@app.command(epilog=examples("offhook numbers assign 210 ann@EXAMPLE --attribute extension"))
def assign(
    number: NumberArgument,
    who: Annotated[str, typer.Argument(help="Who, such as ann@EXAMPLE.", metavar="USER@CLOUDID")],
    attribute: Annotated[str, typer.Option(help="As which attribute of the user.", metavar="NAME")] = DEFAULT,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Give a user this very number. One who has still to come gets it when they sign in the first time."""
    with reported(as_json=json), open_desk(data) as desk:
        named = user(who)
        found = desk.numbering.assign(named.cloud_id, number, named.username, attribute)
        _tell(found, f"{numbers.shown(found.number)} is {_word(found.use)} for {named}.", json=json)


@app.command(epilog=examples("offhook numbers release EXAMPLE 210", "offhook numbers release EXAMPLE 210 --at-once"))
def release(
    app_id: CloudIdArgument,
    number: NumberArgument,
    at_once: Annotated[bool, typer.Option("--at-once", help="Without a quarantine.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Take a number back: from its user, who goes on without, or from being pinned, excluded or in quarantine."""
    with reported(as_json=json), open_desk(data) as desk:
        named = cloud_id(app_id)
        desk.numbering.release(named, number, at_once=at_once)
        found = desk.numbering.one(named, number)
        until = f" until {shown(found.kept.until_s)}" if found.kept and found.use is Use.RELEASED else ""
        _tell(found, f"{numbers.shown(found.number)} is {_word(found.use)}{until}.", json=json)


@app.command(epilog=examples("offhook numbers exclude EXAMPLE 201"))
def exclude(app_id: CloudIdArgument, number: NumberArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Keep a number of a pool from ever being given, until it is released."""
    with reported(as_json=json), open_desk(data) as desk:
        found = desk.numbering.exclude(cloud_id(app_id), number)
        _tell(found, f"{numbers.shown(found.number)} is given to nobody.", json=json)


def _seconds(text: str) -> int:
    found = _PERIOD.fullmatch(text.strip())
    if found is None:
        raise Misused(f"{text[:40]!r} is no time: write 30d, 12h, 15m or 45s.")
    return int(found[1]) * _UNITS[found[2] or "s"]


def _tell(found: Found, said: str, *, json: bool) -> None:
    if json:
        record = _kept(found.kept, found.use) if found.kept else {"number": found.number, "use": found.use.value}
        print_object(record | {"pool": found.pool.name})
        return
    kept = found.kept
    whose = f" for {plain(kept.username)}" if kept and kept.username else ""
    typer.echo(said or f"{numbers.shown(found.number)} of the pool {found.pool.name} is {_word(found.use)}{whose}.")


def _word(use: Use) -> str:
    return "in quarantine" if use is Use.RELEASED else use.value


def _others(one: Stock) -> str:
    counts = {"pinned": one.pinned, "reserved": one.reserved, "quarantined": one.quarantined, "excluded": one.excluded}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def _stock(one: Stock) -> dict[str, Any]:
    counts: dict[str, Any] = msgspec.to_builtins(one)
    pool = counts.pop("pool")
    ranges = list(map(str, one.pool.ranges))
    return {**pool, "ranges": ranges, "numbers": len(one.pool), **counts}


def _kept(one: Kept, use: Use) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.to_builtins(one)
    return record | {"use": use.value}


def _print_list(records: Sequence[dict[str, Any]]) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(records)).decode() + "\n")
