"""`offhook onboarding`: who may come in the first time, and what is made for them then."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, print_object, reported
from offhook.cli.options import CloudIdArgument, DataOption, JsonOption, cloud_id, examples
from offhook.cli.user_view import remark
from offhook.core.diagnostics import Diagnostic
from offhook.provider import tenancy
from offhook.provider.onboarding import (
    CODE_S,
    REFRESH_S,
    AnyOnboarding,
    ByInvitation,
    ByUpstream,
    Closed,
    NumberFrom,
    SignUp,
)
from offhook.provider.tenant import Tenant

app = typer.Typer(
    name="onboarding",
    help="Who may come in the first time, and what is made for them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_UPSTREAM: Final = examples(
    "offhook onboarding upstream EXAMPLE corp", "offhook onboarding upstream EXAMPLE corp --refresh 900"
)
_SIGN_UP: Final = examples(
    "offhook onboarding sign-up EXAMPLE --domain example.com", "offhook onboarding sign-up EXAMPLE --hook texts"
)
_THINGS: Final = examples(
    "offhook onboarding things EXAMPLE --number number=main --number extension=short --hook crm",
    "offhook onboarding things EXAMPLE --no-hooks",
)

ThingsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--number", help="Each new user gets a number of this pool.", metavar="ATTRIBUTE=POOL"),
]


@app.command(epilog=examples("offhook onboarding show EXAMPLE --json"))
def show(app_id: CloudIdArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show how users of a Cloud ID come in, and what each of them gets."""
    with reported(as_json=json), open_desk(data) as desk:
        tenant = desk.tenants.get(cloud_id(app_id))
        _tell(tenant, tuple(desk.onboarding.missing(tenant)), json=json)


@app.command(epilog=examples("offhook onboarding closed EXAMPLE"))
def closed(app_id: CloudIdArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Let only those in whom you added. Whoever is in already stays."""
    _set(app_id, Closed(), data, json=json)


@app.command(epilog=examples("offhook onboarding invitation EXAMPLE"))
def invitation(app_id: CloudIdArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Let those in whom you invited, and those whom you added."""
    _set(app_id, ByInvitation(), data, json=json)


@app.command("sign-up", epilog=_SIGN_UP)
def sign_up(
    app_id: CloudIdArgument,
    hook: Annotated[str, typer.Option(help="A hook that gets codes to people; without it, mail.")] = "",
    domain: Annotated[
        list[str] | None, typer.Option(help="Only addresses of this domain; may stand more than once.")
    ] = None,
    code_seconds: Annotated[int, typer.Option(help="How long a code is good.")] = CODE_S,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let those in who have the code that was sent to their e-mail address."""
    domains = tuple(dict.fromkeys(one.strip().casefold() for one in domain or []))
    _set(app_id, SignUp(hook, domains, code_seconds), data, json=json)


@app.command(epilog=_UPSTREAM)
def upstream(
    app_id: CloudIdArgument,
    name: Annotated[str, typer.Argument(help="Its name in the file of connections.", metavar="NAME")],
    refresh: Annotated[int, typer.Option(help="Ask for each user again every so many seconds.")] = REFRESH_S,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let those in for whom a directory of yours vouches: LDAP, HTTP or SQL."""
    _set(app_id, ByUpstream(name, refresh), data, json=json)


@app.command(epilog=_THINGS)
def things(
    app_id: CloudIdArgument,
    number: ThingsOption = None,
    no_numbers: Annotated[bool, typer.Option("--no-numbers", help="New users get no numbers.")] = False,
    hook: Annotated[
        list[str] | None, typer.Option(help="Tell this hook of each new user; in the order given here.")
    ] = None,
    no_hooks: Annotated[bool, typer.Option("--no-hooks", help="No hook is told.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say what is made for each new user: numbers from pools, then what your own systems do."""
    with reported(as_json=json), open_desk(data) as desk:
        if (number and no_numbers) or (hook and no_hooks):
            raise Misused("What is given with one option is taken away with the other: choose.")
        before = desk.tenants.get(cloud_id(app_id))
        numbers = () if no_numbers else tuple(map(_number, number)) if number else before.numbers
        hooks = () if no_hooks else tuple(hook) if hook else before.hooks
        after = msgspec.structs.replace(before, numbers=numbers, hooks=hooks)
        remarks = tenancy.check(after)
        if after != before:
            desk.tenants.put(after)
        _tell(after, (*remarks, *desk.onboarding.missing(after)), json=json)


def _set(app_id: str, mode: AnyOnboarding, data: Path | None, *, json: bool) -> None:
    with reported(as_json=json), open_desk(data) as desk:
        before = desk.tenants.get(cloud_id(app_id))
        after = msgspec.structs.replace(before, onboarding=mode)
        remarks = tenancy.check(after)
        if after != before:
            desk.tenants.put(after)
        _tell(after, (*remarks, *desk.onboarding.missing(after)), json=json)


def _number(words: str) -> NumberFrom:
    attribute, _, pool = words.partition("=")
    if not pool:
        raise Misused(f"--number takes ATTRIBUTE=POOL, such as number=main, and not {words[:80]!r}.")
    return NumberFrom(pool, attribute)


def _tell(tenant: Tenant, remarks: tuple[Diagnostic, ...], *, json: bool) -> None:
    if json:
        record = {
            "cloud_id": tenant.cloud_id,
            "onboarding": msgspec.to_builtins(tenant.onboarding),
            "numbers": msgspec.to_builtins(tenant.numbers),
            "hooks": list(tenant.hooks),
            "notes": [{"place": one.place, "text": one.text} for one in remarks],
        }
        print_object(record)
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("Cloud ID", tenant.cloud_id)
    table.add_row("New users", str(tenant.onboarding))
    table.add_row("Each gets", ", ".join(map(str, tenant.numbers)) or "no number")
    table.add_row("Hooks told", ", ".join(tenant.hooks) or "none")
    Console(highlight=False, markup=False, emoji=False).print(table)
    remark(remarks)
