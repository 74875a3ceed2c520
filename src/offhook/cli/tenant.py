"""`offhook tenant`: the Cloud IDs of the provider service and their settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from offhook.cli import asking, tenant_sip, user_view
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, plain, print_object, reported
from offhook.cli.options import CloudIdArgument, DataOption, JsonOption, cloud_id, examples, new_cloud_id
from offhook.core import xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Conflict, NotFound
from offhook.provider import template as templates
from offhook.provider import tenancy
from offhook.provider.tenant import Credential, Names, Tenant

app = typer.Typer(
    name="tenant",
    help="Cloud IDs of the provider service and their settings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_CREATE: Final = examples(
    "offhook tenant create EXAMPLE --credential sip",
    "offhook tenant create SHOP --template account.xml --common quickdials.xml --name username=login",
)
_SET: Final = examples(
    "offhook tenant set EXAMPLE --template account.xml",
    "offhook tenant set EXAMPLE --no-common --logout-status 410",
    "offhook tenant set EXAMPLE --sip-system berlin --sip-domain sip.example.org --sip-accounts per-install",
)

CredentialOption: TypeAlias = Annotated[
    Credential | None,
    typer.Option(help="What the app keeps: a token of its own (usual), the SIP credentials, or the password as typed."),
]
TemplateOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="Account XML with {column} placeholders for all users.", metavar="FILE")
]
CommonOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="The global answer: quick dials, dial actions, preferences.", metavar="FILE")
]
LogoutOption: TypeAlias = Annotated[int | None, typer.Option(help="The status that logs a phone out: 410.")]
ShareOption: TypeAlias = Annotated[
    float | None, typer.Option(help="Share of the users who ask, above which logouts are held back: 0.05.")
]
WindowOption: TypeAlias = Annotated[int | None, typer.Option(help="Seconds in which that is counted: 600.")]
FloorOption: TypeAlias = Annotated[int | None, typer.Option(help="So many logouts within these seconds always go: 10.")]
NameOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        help=f"Call a parameter of requests so; there are {', '.join(Names.__struct_fields__)}.",
        metavar="KIND=NAME",
    ),
]
ApprovalOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        help="A policy that changes what more than this part of the users get needs a second person's approval.",
        metavar="SHARE",
        min=0,
        max=1,
    ),
]


@app.command(epilog=_CREATE)
def create(
    app_id: CloudIdArgument,
    credential: CredentialOption = None,
    template: TemplateOption = None,
    common: CommonOption = None,
    logout_status: LogoutOption = None,
    name: NameOption = None,
    logout_share: ShareOption = None,
    logout_window: WindowOption = None,
    logout_floor: FloorOption = None,
    sip_system: tenant_sip.SystemOption = None,
    sip_domain: tenant_sip.DomainOption = None,
    sip_accounts: tenant_sip.AccountsOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make a Cloud ID, so that users can be added to it."""
    with reported(as_json=json), open_desk(data) as desk:
        named = new_cloud_id(app_id)
        try:
            desk.tenants.get(named)
        except NotFound:
            pass
        else:
            raise Conflict(f"There is already a Cloud ID {named}; `offhook tenant set {named}` changes it.")
        tenant = _changed(Tenant(named), credential, template, common, logout_status, name)
        tenant = _limited(tenant, share=logout_share, window_s=logout_window, floor=logout_floor)
        words = tenant_sip.Words(system=sip_system, domain=sip_domain, accounts=sip_accounts)
        tenant = tenant_sip.changed(tenant, words, frozenset(desk.connections.sip))
        remarks = tenancy.check(tenant)
        desk.tenants.put(tenant)
        _tell(tenant, remarks, "Made", json=json)


@app.command(epilog=examples("offhook tenant show EXAMPLE", "offhook tenant show EXAMPLE --json"))
def show(app_id: CloudIdArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show the settings of a Cloud ID; with --json, template and common part too."""
    with reported(as_json=json), open_desk(data) as desk:
        tenant = desk.tenants.get(cloud_id(app_id))
        users = desk.directory.count(tenant.cloud_id)
        if json:
            print_object(_record(tenant) | {"users": users})
        else:
            _show(tenant, users)


@app.command("set", epilog=_SET)
def set_tenant(
    app_id: CloudIdArgument,
    credential: CredentialOption = None,
    template: TemplateOption = None,
    no_template: Annotated[bool, typer.Option("--no-template", help="Do without a template.")] = False,
    common: CommonOption = None,
    no_common: Annotated[bool, typer.Option("--no-common", help="Do without a common part.")] = False,
    logout_status: LogoutOption = None,
    name: NameOption = None,
    logout_share: ShareOption = None,
    logout_window: WindowOption = None,
    logout_floor: FloorOption = None,
    approval_share: ApprovalOption = None,
    sip_system: tenant_sip.SystemOption = None,
    sip_domain: tenant_sip.DomainOption = None,
    sip_accounts: tenant_sip.AccountsOption = None,
    sip_rotate_days: tenant_sip.RotateOption = None,
    sip_rotate_at_sign_in: tenant_sip.AtSignInOption = None,
    sip_overlap_days: tenant_sip.OverlapOption = None,
    sip_keep_passwords: tenant_sip.KeepOption = None,
    sip_alias: tenant_sip.AliasOption = None,
    no_sip: tenant_sip.NoSipOption = False,
    move_sip_accounts: tenant_sip.MoveOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Change the settings of a Cloud ID; what is not mentioned stays.

    SIP accounts are made in another system or domain only with --move-sip-accounts: phones get others, and the ones of
    before are removed when the overlap is over.
    """
    with reported(as_json=json), open_desk(data) as desk:
        for option, file, without in (("template", template, no_template), ("common", common, no_common)):
            if file is not None and without:
                raise Misused(f"--{option} gives one, --no-{option} takes it away: choose.")
        before = desk.tenants.get(cloud_id(app_id))
        after = msgspec.structs.replace(
            before, template="" if no_template else before.template, common="" if no_common else before.common
        )
        after = _changed(after, credential, template, common, logout_status, name)
        after = _limited(after, share=logout_share, window_s=logout_window, floor=logout_floor)
        after = after if approval_share is None else msgspec.structs.replace(after, approval_share=approval_share)
        words = tenant_sip.Words(
            system=sip_system,
            domain=sip_domain,
            accounts=sip_accounts,
            rotate_days=sip_rotate_days,
            rotate_at_sign_in=sip_rotate_at_sign_in,
            overlap_days=sip_overlap_days,
            keep_passwords=sip_keep_passwords,
            aliases=None if sip_alias is None else tuple(sip_alias),
            none=no_sip,
        )
        after = tenant_sip.changed(after, words, frozenset(desk.connections.sip))
        remarks = tenancy.check(after, desk.directory.columns(after.cloud_id))
        if after != before:
            desk.tenants.put(after, move=move_sip_accounts)
        _tell(after, remarks, "Set", json=json)


@app.command("rotate-sip", epilog=examples("offhook tenant rotate-sip EXAMPLE --within-hours 24"))
def rotate_sip(
    app_id: CloudIdArgument,
    within_hours: Annotated[float, typer.Option(help="Spread over so many hours.", min=0)] = 24,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Give all phones of a Cloud ID new SIP passwords by and by; no phone drops."""
    with reported(as_json=json), open_desk(data) as desk:
        named = cloud_id(app_id)
        count = desk.rotation.of_cloud_id(named, round(within_hours * 3600))
        if json:
            print_object({"cloud_id": named, "accounts": count})
        else:
            typer.echo(f"{count:,} accounts of {named} get new passwords within {within_hours:g} hours.")


@app.command("list", epilog=examples("offhook tenant list --json"))
def list_tenants(data: DataOption = None, json: JsonOption = False) -> None:
    """List the Cloud IDs."""
    with reported(as_json=json), open_desk(data) as desk:
        found = [(tenant, desk.directory.count(tenant.cloud_id)) for tenant in desk.tenants.all()]
    if json:
        records = [_record(tenant) | {"users": users} for tenant, users in found]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(records)).decode() + "\n")
        return
    table = Table("Cloud ID", "Users", "The app keeps", "Template", box=None, header_style="bold", pad_edge=False)
    for tenant, users in found:
        table.add_row(tenant.cloud_id, f"{users:,}", tenant.credential.value, "yes" if tenant.template else "no")
    Console(highlight=False, markup=False, emoji=False).print(table)


def _changed(
    tenant: Tenant,
    credential: Credential | None,
    template: Path | None,
    common: Path | None,
    logout_status: int | None,
    names: list[str] | None,
) -> Tenant:
    return msgspec.structs.replace(
        tenant,
        credential=credential or tenant.credential,
        template=tenant.template if template is None else asking.text_from(template, templates.MAX_BYTES),
        common=tenant.common if common is None else asking.text_from(common, xml.MAX_BYTES),
        logout_status=tenant.logout_status if logout_status is None else logout_status,
        names=msgspec.structs.replace(tenant.names, **_names(names or [])),
    )


def _limited(tenant: Tenant, **given: float | None) -> Tenant:
    limits = msgspec.structs.replace(
        tenant.logout_limits, **{name: number for name, number in given.items() if number is not None}
    )
    return msgspec.structs.replace(tenant, logout_limits=limits)


def _names(words: list[str]) -> dict[str, str]:
    names = {}
    for word in words:
        kind, _, name = word.partition("=")
        if kind not in Names.__struct_fields__:
            raise Misused(f"--name takes KIND=NAME, and {kind[:80]!r} is none of {', '.join(Names.__struct_fields__)}.")
        names[kind] = name
    return names


def _record(tenant: Tenant) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.to_builtins(tenant)
    return record


def _show(tenant: Tenant, users: int) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("Cloud ID", tenant.cloud_id)
    table.add_row("Users", f"{users:,}")
    table.add_row("The app keeps", tenant.credential.value)
    table.add_row("Logout status", str(tenant.logout_status))
    limits = tenant.logout_limits
    guard = f"{limits.share:.1%} of the users who ask within {limits.window_s:,} s, and always {limits.floor:,}"
    table.add_row("Logouts at most", guard)
    approval = "never" if tenant.approval_share is None else f"for more than {tenant.approval_share:.1%} of the users"
    table.add_row("Policy approved", approval)
    table.add_row("SIP accounts", tenant_sip.described(tenant.sip))
    for kind, name in msgspec.structs.asdict(tenant.names).items():
        table.add_row(f"Name of {kind}", plain(name))
    table.add_row("Template", f"{len(tenant.template):,} characters" if tenant.template else "none")
    table.add_row("Common part", f"{len(tenant.common):,} characters" if tenant.common else "none")
    Console(highlight=False, markup=False, emoji=False).print(table)


def _tell(tenant: Tenant, remarks: tuple[Diagnostic, ...], done: str, *, json: bool) -> None:
    if json:
        print_object(_record(tenant) | {"notes": [{"place": one.place, "text": one.text} for one in remarks]})
        return
    typer.echo(f"{done} {tenant.cloud_id}.")
    user_view.remark(remarks)
