"""Invitations as commands show them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import segno
import typer
from rich.console import Console
from rich.table import Table

from offhook.cli.exits import Misused, as_misuse, brief, plain
from offhook.cli.moments import shown, with_moments
from offhook.core.secret import Secret
from offhook.provider.definitions import check_public_url
from offhook.provider.invitation import Invitation, State, Ticket, Wording, ticket
from offhook.provider.invitations import Made
from offhook.provider.tenant import Tenant

QUIET_ZONE: Final = 4
SCALE: Final = 8
_PLAIN_WIDTH: Final = 240
# What programs need not know, or must not.
_OWN: Final = ("token_hash", "sealed", "has_ended", "next_s")


def checked_url(public_url: str) -> str:
    """An address from the command line, or nothing. Raises Misused."""
    if public_url:
        with as_misuse():
            check_public_url(public_url)
    return public_url.rstrip("/")


def ticket_of(made: Made, wording: Wording, public_url: str) -> Ticket:
    """The links of a new invitation."""
    return ticket(made.invitation, made.token, wording.scheme, public_url)


def hint_at_url() -> None:
    """Say why there is no page."""
    typer.echo(
        "Note: the link opens the app at once, and mail programs may not show it as one. For a page, write "
        "public_url into connections.toml, or give --public-url.",
        err=True,
    )


def write_qr(path: Path, text: Secret) -> None:
    """Write a QR code to a picture. Raises Misused."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in {"png", "svg"}:
        raise Misused(f"{brief(str(path))} is neither a .png nor an .svg file.")
    try:
        segno.make_qr(text.reveal(), error="m").save(str(path), kind=kind, scale=SCALE, border=QUIET_ZONE)
    except OSError as error:
        raise Misused(f"{brief(str(path))} cannot be written: {error.strerror}.") from None


def record(one: Invitation, now_s: int) -> dict[str, Any]:
    """An invitation as an object."""
    fields = {name: content for name, content in msgspec.structs.asdict(one).items() if name not in _OWN}
    return {"user": one.name, "state": one.state(now_s).value, "waits_for_mail": one.is_waiting, **with_moments(fields)}


def write(found: Iterable[Invitation], now_s: int, *, json: bool) -> None:
    """A list of them."""
    if json:
        sys.stdout.write("[")
        for number, one in enumerate(found):
            sys.stdout.write(("," if number else "") + "\n" + msgspec.json.encode(record(one, now_s)).decode())
        sys.stdout.write("\n]\n")
        return
    table = Table(
        "User", "State", "Mail", "Invited", "Good until", "Last seen", box=None, header_style="bold", pad_edge=False
    )
    for one in found:
        table.add_row(
            plain(one.username),
            one.state(now_s).value,
            mail(one),
            shown(one.created_s),
            "" if one.activated_s else shown(one.expires_s),
            shown(one.seen_s or one.activated_s) if one.activated_s else "",
        )
    _console().print(table)


def show(one: Invitation, now_s: int) -> None:
    """One of them with all that is known."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("User", plain(one.name))
    table.add_row("State", one.state(now_s).value)
    table.add_row("Version", str(one.version))
    table.add_row("Invited", f"{shown(one.created_s)} by {plain(one.author) or 'somebody'}")
    table.add_row("Good until", shown(one.expires_s))
    table.add_row("Mail", mail(one))
    for label, moment_s in (
        ("Mailed", one.mailed_s),
        ("Opened", one.used_s),
        ("Activated", one.activated_s),
        ("Last seen", one.seen_s),
        ("Withdrawn", one.revoked_s),
        ("Replaced", one.replaced_s),
    ):
        if moment_s:
            table.add_row(label, shown(moment_s))
    if one.used_by and not one.used_by.startswith("@"):
        table.add_row("Device", plain(one.used_by))
    for name, text in one.attributes.items():
        table.add_row(plain(name), plain(text))
    _console().print(table)


def show_settings(tenant: Tenant, wording: Wording) -> None:
    """How invitations of a Cloud ID look."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("Cloud ID", tenant.cloud_id)
    table.add_row("App", plain(wording.app))
    table.add_row("Links begin with", f"{tenant.inviting.scheme}:")
    table.add_row("Good for", f"{tenant.inviting.expires_s / 86400:g} days")
    table.add_row("Support", brief(tenant.inviting.support) or "none")
    table.add_row("Who may come", str(tenant.onboarding))
    _console().print(table)


def mail(one: Invitation) -> str:
    """Where its mail goes, and what keeps it."""
    if not one.address:
        return ""
    waits = " (waits)" if one.is_waiting and not one.error else ""
    why = f" ({brief(one.error, 80)})" if one.error and one.state(0) is not State.MAILED else ""
    return plain(one.address) + waits + why


def until(one: Invitation) -> str:
    """When it ends."""
    return shown(one.expires_s)


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
