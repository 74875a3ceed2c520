"""`offhook invite sheet`: invitations on paper, for a whole office."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import track

from offhook.cli import invite_view
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, brief, plain, print_object, reported
from offhook.cli.invite_words import LastsOption, UrlOption, seconds
from offhook.cli.options import CloudIdArgument, DataOption, JsonOption, author, cloud_id, examples
from offhook.core.errors import Conflict, NotFound
from offhook.provider.invitation import State
from offhook.provider.invitations import Made, Wanted
from offhook.provider.subscriber import username_key

if TYPE_CHECKING:
    from offhook.mail.sheet import Card, Paper
    from offhook.wiring import Desk

EXAMPLES: Final = examples(
    "offhook invite sheet EXAMPLE --out office.pdf",
    "offhook invite sheet EXAMPLE ann bob --out two.pdf --paper letter",
    "offhook invite sheet EXAMPLE --from office.csv --out office.pdf --font NotoSans.ttf --font NotoSansJP.ttf",
)
AT_ONCE: Final = 100
MAX_CARDS: Final = 5000


def sheet(
    app_id: CloudIdArgument,
    users: Annotated[
        list[str] | None, typer.Argument(help="User names; left out, all without a phone.", metavar="USER...")
    ] = None,
    out: Annotated[Path, typer.Option(help="The PDF to write.", metavar="FILE")] = Path("invitations.pdf"),
    from_: Annotated[
        Path | None, typer.Option("--from", help="The users of a CSV file, as `invite csv` reads it.", metavar="FILE")
    ] = None,
    paper: Annotated[str, typer.Option(help="a4 or letter.", metavar="SIZE")] = "a4",
    font: Annotated[
        list[Path] | None,
        typer.Option(help="A TrueType font; a further one for letters that it lacks.", metavar="FILE"),
    ] = None,
    expires: LastsOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
    public_url: UrlOption = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write a sheet with a card for each user: name, QR code, link and until when it is good.

    Every card is a new invitation, so links that were given out before are good no more. Without names, all users of
    the Cloud ID get one who have no phone yet.
    """
    from offhook.mail.sheet import Fonts, draw

    with reported(as_json=json), open_desk(data) as desk:
        size, named = _paper(paper), cloud_id(app_id)
        if out.exists() and not force:
            raise Conflict(f"{out} exists. Choose another name, or replace it with --force.")
        desk.tenants.get(named)
        _writable(out)
        fonts = Fonts(font or ())
        desk.elsewhere.public_url = invite_view.checked_url(public_url) or desk.elsewhere.public_url
        wanted = _wanted(desk, named, users or [], from_, seconds(expires))
        if not wanted:
            raise NotFound(f"Nobody of {named} is without a phone. Name users, or a file with --from.")
        if len(wanted) > MAX_CARDS:
            raise Misused(f"These are {len(wanted):,} cards; a sheet has at most {MAX_CARDS:,}.")
        failed: list[str] = []
        cards = list(_cards(desk, named, wanted, failed))
        console = Console(stderr=True)
        bar = track(
            draw(cards, desk.elsewhere.wordings.of(named), size, fonts),
            "Drawing",
            total=len(cards) + 1,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        _write(out, b"".join(bar))
        lacking = [one.ticket.username for one in cards if fonts.lacks(one.name + one.ticket.username)]
        _tell(named, out, len(cards), failed, lacking, json=json)


def _paper(word: str) -> Paper:
    from offhook.mail.sheet import Paper

    try:
        return Paper(word.lower())
    except ValueError:
        raise Misused(f"--paper takes a4 or letter, and not {word[:40]!r}.") from None


def _wanted(desk: Desk, named: str, users: Sequence[str], file: Path | None, expires_s: int) -> list[Wanted]:
    if users and file:
        raise Misused("Name users, or a file with --from: choose.")
    if file is not None:
        from offhook.cli.invite_csv import rows_of

        return [one for _, one in rows_of(file, expires_s)]
    if users:
        return [Wanted(one.removesuffix(f"@{named}"), expires_s=expires_s) for one in users]
    have = {username_key(one.user) for one in desk.installs.of_cloud_id(named) if one.user and one.ended is None}
    without = (one for one in desk.directory.list(named) if username_key(one.username) not in have)
    found = {username_key(one.username): one.username for one in islice(without, MAX_CARDS + 1)}
    # Those who are invited and not made yet belong to the office as well.
    for one in desk.invitations.of_cloud_id(named, {State.CREATED, State.MAILED, State.UNDELIVERED, State.EXPIRED}):
        if not one.subscriber_id:
            found.setdefault(username_key(one.username), one.username)
    return [Wanted(username, expires_s=expires_s) for _, username in sorted(found.items())]


def _cards(desk: Desk, named: str, wanted: Sequence[Wanted], failed: list[str]) -> Iterator[Card]:
    from offhook.mail.sheet import Card

    wording = desk.elsewhere.wordings.of(named)
    for at in range(0, len(wanted), AT_ONCE):
        batch = [_on_paper(desk, named, one) for one in wanted[at : at + AT_ONCE]]
        for one, found in zip(batch, desk.invitations.invite_all(named, batch, author()), strict=True):
            if isinstance(found, Made):
                ticket = invite_view.ticket_of(found, wording, desk.elsewhere.public_url)
                yield Card(ticket, found.invitation.attributes.get("name", ""))
            else:
                failed.append(f"{plain(one.username)}: {plain(str(found))}")


def _on_paper(desk: Desk, named: str, one: Wanted) -> Wanted:
    """Without a mail; with the name that is known of the user, or of the invitation before."""
    from offhook.cli.invite_csv import key_of

    attributes = dict(one.attributes)
    if one.address:
        attributes.setdefault("email", one.address)
    key = key_of(one.username)
    if key:
        user = desk.invitations.subscribers.known(named, [key]).get(key)
        former = desk.invitations.store.newest(named, key)
        known = dict(user.attributes) if user else dict(former.attributes) if former else {}
        for name in ("name", "email") if user else known:
            if name in known:
                attributes.setdefault(name, known[name])
    return Wanted(one.username, "", attributes, one.expires_s)


def _writable(path: Path) -> None:
    """Before anybody's former link becomes an old one. Raises Misused."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise Misused(f"{brief(str(path))} cannot be written: {error.strerror}.") from None


def _write(path: Path, content: bytes) -> None:
    """Write a file for nobody else to read, all of it or nothing. Raises Misused."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except OSError as error:
        raise Misused(f"{brief(str(path))} cannot be written: {error.strerror}.") from None


def _tell(named: str, out: Path, count: int, failed: Sequence[str], lacking: Sequence[str], *, json: bool) -> None:
    if json:
        print_object(
            {"cloud_id": named, "file": str(out), "cards": count, "failed": list(failed), "lacking": list(lacking)}
        )
        return
    for one in failed:
        typer.echo(f"Not invited: {one}", err=True)
    if lacking:
        typer.echo(
            f"Note: no font here has all letters of {', '.join(map(plain, lacking[:10]))}"
            f"{' and others' if len(lacking) > 10 else ''}: a box stands for each that is missing, in the name alone; "
            "codes and links are whole. --font FILE names a font that has them.",
            err=True,
        )
    typer.echo(f"{count:,} cards for {named} in {out}.")
