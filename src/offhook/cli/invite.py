"""`offhook invite`: invitations of users, one by one, many from a file, or on paper."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import msgspec
import typer
from rich.console import Console
from typer.core import TyperGroup

from offhook.cli import invite_csv, invite_sheet, invite_view
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, print_object, reported
from offhook.cli.invite_words import LastsOption, UrlOption, seconds
from offhook.cli.options import (
    CloudIdArgument,
    DataOption,
    JsonOption,
    UserArgument,
    author,
    cloud_id,
    examples,
    user,
)
from offhook.cli.phone_qr import print_qr
from offhook.core.errors import Unavailable
from offhook.provider import tenancy
from offhook.provider.invitation import State
from offhook.provider.invitations import Made, Wanted


class WithUser(TyperGroup):
    """`offhook invite ann@EXAMPLE` is short for `offhook invite to ann@EXAMPLE`: no command has an @ in its name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - the library's own types
        """As the library does, with the command that was left out."""
        return super().parse_args(ctx, ["to", *args] if args and "@" in args[0] and args[0][0] != "-" else args)


app = typer.Typer(
    name="invite",
    cls=WithUser,
    help="Invitations: links and QR codes that let one phone of a user in, once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_TO: Final = examples(
    "offhook invite to ann@EXAMPLE --mail ann@example.com",
    "offhook invite ann@EXAMPLE --expires 2d --qr ann.png",
    "offhook invite ann@EXAMPLE --attribute name='Ann Lee' --print",
)
_LIST: Final = examples(
    "offhook invite list EXAMPLE --state mailed --state undelivered", "offhook invite list ann@EXAMPLE --all --json"
)
_SETTINGS: Final = examples(
    "offhook invite settings EXAMPLE --scheme acme --support 'Call 0800 123, or mail help@example.com.'",
    "offhook invite settings EXAMPLE --expires 14d --json",
)

MailOption: TypeAlias = Annotated[str, typer.Option("--mail", help="Mail it to this address.", metavar="ADDRESS")]
QrOption: TypeAlias = Annotated[
    Path | None, typer.Option("--qr", help="Write the QR code to this file (.png or .svg).", metavar="FILE")
]
PrintOption: TypeAlias = Annotated[bool, typer.Option("--print", help="Draw the QR code here.")]


@app.command(epilog=_TO)
def to(
    who: UserArgument,
    mail: MailOption = "",
    expires: LastsOption = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option("--attribute", help="Known of a user who is made when they come.", metavar="NAME=TEXT"),
    ] = None,
    qr: QrOption = None,
    print_: PrintOption = False,
    public_url: UrlOption = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Invite a user. Their invitation of before, if it is still open, is good no more.

    The word `to` may be left out. The link is shown once: nobody can tell it again, but `resend` makes another one.
    """
    with reported(as_json=json), open_desk(data) as desk:
        named = user(who)
        wanted = Wanted(named.username, mail, _attributes(attribute or []), seconds(expires))
        made = desk.invitations.invite(named.cloud_id, wanted, author())
        _hand_out(desk, made, "Invited", public_url, qr, draw=print_, json=json)


@app.command(
    epilog=examples("offhook invite resend ann@EXAMPLE", "offhook invite resend ann@EXAMPLE --mail a@b.example")
)
def resend(
    who: UserArgument,
    mail: MailOption = "",
    expires: LastsOption = None,
    qr: QrOption = None,
    print_: PrintOption = False,
    public_url: UrlOption = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Invite a user once more, to the same address unless another one is given; the former link says that it is old."""
    with reported(as_json=json), open_desk(data) as desk:
        named = user(who)
        made = desk.invitations.again(named.cloud_id, named.username, mail, seconds(expires), author())
        _hand_out(desk, made, "Invited again", public_url, qr, draw=print_, json=json)


@app.command("list", epilog=_LIST)
def list_invitations(
    whose: Annotated[str, typer.Argument(help="A Cloud ID, or a user of it.", metavar="CLOUDID|USER@CLOUDID")],
    state: Annotated[list[State] | None, typer.Option(help="Only those; may stand more than once.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that a newer one replaced.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """List invitations, the newest first: how far each has come, and when its phone was last seen."""
    with reported(as_json=json), open_desk(data) as desk:
        named = user(whose) if "@" in whose else None
        found = desk.invitations.of_cloud_id(
            named.cloud_id if named else cloud_id(whose), state or (), named.username if named else "", every=every
        )
        invite_view.write(found, desk.clock.now_s(), json=json)


@app.command(epilog=examples("offhook invite show ann@EXAMPLE"))
def show(who: UserArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show the newest invitation of a user. Its link is not kept."""
    with reported(as_json=json), open_desk(data) as desk:
        named = user(who)
        found, now_s = desk.invitations.newest(named.cloud_id, named.username), desk.clock.now_s()
        if json:
            print_object(invite_view.record(found, now_s))
        else:
            invite_view.show(found, now_s)


@app.command(epilog=examples("offhook invite revoke ann@EXAMPLE"))
def revoke(who: UserArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Withdraw the invitation of a user. One that was used is not: sign the phone out instead."""
    with reported(as_json=json), open_desk(data) as desk:
        named = user(who)
        revoked = desk.invitations.revoke(named.cloud_id, named.username)
        if json:
            print_object(invite_view.record(revoked, desk.clock.now_s()))
        else:
            typer.echo(f"The invitation of {named} is good no more.")


@app.command(epilog=_SETTINGS)
def settings(
    app_id: CloudIdArgument,
    scheme: Annotated[
        str | None, typer.Option(help="Scheme of links that open the app; a white label has its own.", metavar="NAME")
    ] = None,
    app_name: Annotated[
        str | None, typer.Option("--app", help="Name of the app; empty for the portal's.", metavar="TEXT")
    ] = None,
    support: Annotated[str | None, typer.Option(help="Whom to ask, in your words.", metavar="TEXT")] = None,
    expires: LastsOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say how invitations of a Cloud ID look; without options, show it."""
    with reported(as_json=json), open_desk(data) as desk:
        before = desk.tenants.get(cloud_id(app_id))
        given = {"scheme": scheme, "app": app_name, "support": support, "expires_s": seconds(expires) or None}
        inviting = msgspec.structs.replace(
            before.inviting, **{name: one for name, one in given.items() if one is not None}
        )
        after = msgspec.structs.replace(before, inviting=inviting)
        tenancy.check(after)
        if after != before:
            desk.tenants.put(after)
        wording = desk.elsewhere.wordings.of(after.cloud_id)
        if json:
            print_object({"cloud_id": after.cloud_id, **msgspec.to_builtins(inviting), "app": wording.app})
        else:
            invite_view.show_settings(after, wording)


app.command("csv", epilog=invite_csv.EXAMPLES)(invite_csv.csv_)
app.command("sheet", epilog=invite_sheet.EXAMPLES)(invite_sheet.sheet)


def _attributes(words: list[str]) -> dict[str, str]:
    given = {}
    for one in words:
        name, equals, text = one.partition("=")
        if not equals:
            raise Misused(f"--attribute takes NAME=TEXT, and not {one[:80]!r}.")
        given[name] = text
    return given


def _hand_out(
    desk: Any,  # noqa: ANN401 - the desk of wiring, which is loaded only when a command runs
    made: Made,
    done: str,
    public_url: str,
    qr: Path | None,
    *,
    draw: bool,
    json: bool,
) -> None:
    """Tell the link, write the code, send the mail."""
    wording = desk.elsewhere.wordings.of(made.invitation.cloud_id)
    desk.elsewhere.public_url = invite_view.checked_url(public_url) or desk.elsewhere.public_url
    ticket = invite_view.ticket_of(made, wording, desk.elsewhere.public_url)
    if qr is not None:
        invite_view.write_qr(qr, ticket.app_link)
    mailed = _mailed(desk, made)
    if json:
        kept = desk.invitations.newest(made.invitation.cloud_id, made.invitation.username)
        links = {"link": ticket.page.reveal() or None, "app_link": ticket.app_link.reveal()}
        print_object(invite_view.record(kept, desk.clock.now_s()) | links | {"mail": mailed or None})
        return
    typer.echo(f"{done} {made.invitation.name}, until {invite_view.until(made.invitation)}.")
    if not ticket.page:
        invite_view.hint_at_url()
    typer.echo(f"Link: {ticket.link.reveal()}")
    if mailed:
        typer.echo(f"Mail: {mailed}")
    if draw:
        print_qr(Console(file=sys.stdout, highlight=False), ticket.app_link.reveal())


def _mailed(desk: Any, made: Made) -> str:  # noqa: ANN401 - as above
    """Send the mail now, if there is one: what came of it. What cannot be sent now, the server sends later."""
    if not made.invitation.address:
        return ""
    post = desk.elsewhere.post()
    if post is None or not desk.elsewhere.public_url:
        return "`offhook serve` sends it"
    try:
        post.do(made.invitation.id)
    except Unavailable as error:
        return f"not sent yet: {error.text} `offhook serve` goes on trying."
    kept = desk.invitations.newest(made.invitation.cloud_id, made.invitation.username)
    return "sent" if kept.mailed_s else f"not sent: {kept.error}"
