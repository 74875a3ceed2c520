"""`offhook explain`: what a user gets, key by key, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, TypeAlias

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, brief, plain, print_object, reported
from offhook.cli.moments import iso, moment, shown
from offhook.cli.options import DataOption, JsonOption, UserArgument, examples, signing_in
from offhook.core.errors import NotFound
from offhook.core.keys import near
from offhook.policy import document
from offhook.policy.subject import Occasion
from offhook.portal.base import OURS
from offhook.provider.circumstances import Circumstances
from offhook.provider.explain import Asked, Dial, Explanation, Line, Said
from offhook.provider.policyversion import State

_PLAIN_WIDTH: Final = 200
_MATCHED: Final = {True: ("yes  ", "green"), False: ("no   ", "dim"), None: ("?    ", "yellow")}
DEVICE: Final = ("platform", "app_version", "os_version", "locale", "network", "installs", "install_id")
DeviceOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--as-device", help=f"On such a phone; there are {', '.join(DEVICE)}.", metavar="FACT=VALUE"),
]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(
    epilog=examples(
        "offhook explain ann@EXAMPLE",
        "offhook explain 'ann@EXAMPLE*'     # with the Editable version of the app",
        "offhook explain ann@EXAMPLE --as-device platform=ios --as-device app_version=9.1 --trace",
        "offhook explain ann@EXAMPLE --at 2027-01-31T18:00 --draft",
        "offhook explain ann@EXAMPLE --json | jq '.lines[] | select(.kept_out != [])'",
    )
)
def explain(
    who: UserArgument,
    device: DeviceOption = None,
    at: Annotated[str | None, typer.Option("--at", help="Then; in UTC unless it says so.", metavar="TIME")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="By the draft of the policy, not the Live one.")] = False,
    again: Annotated[bool, typer.Option("--again", help="When the phone asks again, not at its sign-in.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Every rule, and why it matched or did not.")] = False,
    key: Annotated[
        list[str] | None, typer.Option("--key", help="This key alone; may be given several times.", metavar="NAME")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also how the app calls this service.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a user gets: each key with its value, the layer it comes from, why, and what it was chosen over.

    Quick dials come below. Rules of a policy are asked as for a live answer. Secrets are masked. Nothing is changed,
    and no install is made.
    """
    with reported(as_json=json), open_desk(data) as desk:
        login = signing_in(who)
        name = login.cloud_id.name
        policy = document.parse(desk.policies.show(name, State.EDITABLE).text) if draft else None
        asked = _asked(device or [])
        asked = msgspec.structs.replace(
            asked,
            policy=policy,
            now_s=None if at is None else moment("--at", at),
            occasion=Occasion.AGAIN if again else Occasion.SIGN_IN,
        )
        found = desk.explain.account(login.username, login.cloud_id, asked)
        tell(_only(found, key) if key else found, trace=trace, every=every or bool(key), json=json)


def tell(explanation: Explanation, *, trace: bool, json: bool, every: bool = False) -> None:
    """An explanation for a person or a program; every rule, and for a person every key, only where that is wanted."""
    if not json:
        _show(explanation, every=every)
        if trace:
            _show_trace(explanation)
        return
    record: dict[str, Any] = msgspec.to_builtins(explanation)
    rules = record.pop("trace")
    record["next_change_at"] = iso(record.pop("next_change_s"))
    print_object(record | ({"trace": rules} if trace else {}))


def _asked(words: list[str]) -> Asked:
    """The phone that somebody supposes. Raises Misused."""
    facts: dict[str, str] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in DEVICE:
            raise Misused(f"--as-device takes FACT=VALUE, and {brief(name, 40)!r} is none of {', '.join(DEVICE)}.")
        facts[name] = text
    installs = facts.pop("installs", None)
    if installs is not None and not (installs.isascii() and installs.isdecimal() and 0 < len(installs) < 7):
        raise Misused(f"--as-device installs takes a number, not {brief(installs, 40)!r}.")
    install_id = facts.pop("install_id", "")
    counted = None if installs is None else max(1, int(installs))
    return Asked(msgspec.convert(facts, Circumstances), installs=counted, install_id=install_id)


def _only(explanation: Explanation, keys: list[str]) -> Explanation:
    """Of all keys, these alone, and what is noted of them. Raises NotFound for one that the user does not get."""
    known = [line.key for line in explanation.lines]
    for key in keys:
        if key not in known:
            meant = near(key, known)
            hint = f" Did you mean {meant[0]}?" if meant else ""
            raise NotFound(f"{explanation.user} gets no {brief(key, 80)}.{hint}")
    lines = tuple(line for line in explanation.lines if line.key in keys)
    noted = tuple(one for one in explanation.diagnostics if one.place in keys)
    return msgspec.structs.replace(explanation, lines=lines, diagnostics=noted, quick_dials=())


def _is_plumbing(line: Line) -> bool:
    """Whether it only says how the app calls this service, and nobody has decided anything else of it."""
    untouched = line.layer == OURS and not line.beaten and not line.kept_out
    return untouched and not line.key.endswith("Interval")


def _show(explanation: Explanation, *, every: bool) -> None:
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Key", no_wrap=True)
    for heading in ("Value", "Layer", "Why"):
        table.add_column(heading, overflow="fold")
    lines = [line for line in explanation.lines if every or not _is_plumbing(line)]
    for line in lines:
        table.add_row(Text(plain(line.key), "bold"), plain(line.value), plain(line.layer) or "-", plain(line.reason))
        for kind, said in _others(line):
            table.add_row("", Text(plain(said.value), "dim"), Text(plain(said.layer), "dim"), Text(kind + said.reason))
    console.print(table)
    if folded := len(explanation.lines) - len(lines):
        console.print(Text(f"{folded} more keys say how the app calls this service; --all shows them", "dim"))
    if explanation.quick_dials:
        console.print(_dials(explanation.quick_dials))
    if explanation.verdict:
        console.print(Text.assemble(("No account: ", "bold red"), plain(explanation.verdict)))
    if explanation.devices is not None:
        console.print(Text.assemble(("Devices: ", "bold"), plain(str(explanation.devices))))
    for remark in explanation.diagnostics:
        console.print(Text.assemble(("Note: ", "yellow"), plain(str(remark))))


def _dials(dials: Iterable[Dial]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("\nQuick dial", "\nName", "\nNumber", "\nLayer", "\nWhy"):
        table.add_column(heading, overflow="fold")
    for dial in dials:
        row = (plain(dial.name), plain(dial.uri), f"{dial.layer} {dial.rank}", dial.reason)
        table.add_row(Text(plain(dial.id), "bold"), *row)
    return table


def _others(line: Line) -> Iterator[tuple[str, Said]]:
    for said in line.kept_out:
        yield "kept out: ", said
    for said in line.beaten:
        yield "beaten: ", said


def _show_trace(explanation: Explanation) -> None:
    console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    for one in explanation.trace:
        word, style = _MATCHED[one.matched]
        console.print(Text.assemble((word, style), plain(one.reason)), soft_wrap=True)
    if not explanation.trace:
        console.print("There are no rules.")
    if explanation.next_change_s is not None:
        console.print(f"This may change by itself at {shown(explanation.next_change_s)}.")
