"""`offhook shadow`: an existing provider service and ours are asked the same, and what they say is compared."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from offhook import wiring
from offhook.cli import asking, phone_view, shadow_view, users_file
from offhook.cli.exits import Exit, Misused, print_object, reported
from offhook.cli.options import JsonOption, YesOption, examples
from offhook.cli.plan_view import counted
from offhook.cli.shadow_ask import Here, Remote, Wanted
from offhook.cli.shadow_run import Bounds, Side, run
from offhook.cli.shadow_view import Outcome
from offhook.config import DataFolder
from offhook.core import webservice
from offhook.core.errors import Invalid, NotFound
from offhook.core.login import CloudId, Login
from offhook.core.webservice import Request
from offhook.provider.sealing import SIGN_IN_PASSWORD, place_of
from offhook.provider.subscriber import Sealed, username_key
from offhook.web.http import Handler
from offhook.wiring import Desk

RATE: Final = 2.0
_INTERRUPTED: Final = 130
_HASHED: Final = ("bcrypt:", "argon2:")
_MAX_HEADERS_BYTES: Final = 64 * 1024
_EXAMPLES: Final = examples(
    "offhook shadow https://prov.example.net/acrobits_prov.php --cloud-id EXAMPLE --users users/EXAMPLE.csv",
    "offhook shadow 'https://old.example.net/login?u=%username%&p=%password%' --cloud-id EXAMPLE",
    "offhook shadow https://old.example.net/prov --method POST --cloud-id EXAMPLE --limit 20 --yes --json",
    "offhook shadow http://127.0.0.1:8081/prov --ours http://127.0.0.1:8080/prov --cloud-id EXAMPLE --users few.csv",
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=_EXAMPLES)
def shadow(
    url: Annotated[
        str,
        typer.Argument(
            help="The existing service, with %username%, %password%, %fullcode% where they go; without any, it gets "
            "cloud_username, cloud_password, cloud_id and initialScreen.",
            metavar="URL",
        ),
    ],
    app_id: Annotated[str, typer.Option("--cloud-id", help="The app the users sign in to.", metavar="CLOUDID")],
    users: Annotated[
        Path | None,
        typer.Option(
            help="CSV with the columns username and password, or the users file of the vendor's sample. Left out: the "
            "users here whose passwords are known, as they are from their import to their first sign-in.",
            metavar="FILE",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many users.", metavar="N")] = None,
    method: Annotated[str, typer.Option(help="GET or POST; POST when there is a body.", metavar="METHOD")] = "",
    post_data: Annotated[str, typer.Option(help="The body, with placeholders.", metavar="TEXT")] = "",
    content_type: Annotated[str, typer.Option(help="What the body is; a form unless you say.", metavar="TYPE")] = "",
    header: Annotated[
        list[str] | None, typer.Option(help="A further header, 'Name: value'; as often as needed.", metavar="HEADER")
    ] = None,
    headers_file: Annotated[
        Path | None, typer.Option(help="Further headers, one a line: those that hold secrets.", metavar="FILE")
    ] = None,
    common: Annotated[
        str, typer.Option("--global", help="Its service for the global part: compare quick dials, too.", metavar="URL")
    ] = "",
    ours: Annotated[
        str,
        typer.Option(help="Ask a running server, which keeps an install each, not the data folder.", metavar="URL"),
    ] = "",
    ours_common: Annotated[str, typer.Option("--ours-global", help="Its global part.", metavar="URL")] = "",
    rate: Annotated[
        float, typer.Option(min=0.01, max=1000, help="Questions a second to a service, at most.", metavar="N")
    ] = RATE,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="Users asked about at once.", metavar="N")] = 4,
    timeout: Annotated[
        int, typer.Option(min=1, max=webservice.MAX_TIMEOUT_S, help="How long to wait for an answer.", metavar="S")
    ] = webservice.DEFAULT_TIMEOUT_S,
    stop_after: Annotated[
        int, typer.Option(min=1, help="Stop when so many in a row fail, or only theirs refuses them.", metavar="N")
    ] = 5,
    yes: YesOption = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder of ours, as in other commands.", metavar="DIR")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Ask an existing provider service and ours about the same users, and compare what an app would make of it.

    Nothing changes on our side, and no install is made in the data folder. The other service gets the passwords of
    these users, so it must be yours; it is asked slowly, and only over https or on this machine.

    Exit code 0: an app would do the same with all accounts. 1: it would not. 6: not all users could be compared.
    """
    with reported(as_json=json), ExitStack() as stack:
        named = CloudId.parse(app_id)
        headers = _headers(header or [], headers_file)
        theirs = _Far.of(Wanted(url, method, post_data, content_type, headers, timeout), common)
        near = _Far.of(Wanted(ours, timeout_s=timeout), ours_common) if ours else None
        if near is not None and bool(common) != bool(ours_common):
            raise Misused("To compare the global part, name it of both services: --global and --ours-global.")
        folder = stack.enter_context(_opened(data)) if near is None or users is None else None
        logins, left_out = _logins(named, users, folder, limit)
        if near is not None:
            our_side = near.side(rate)
        else:
            assert folder is not None, "it is opened where no server is named"
            our_side = folder.side(named, common=bool(common), timeout_s=timeout)
        their_side = theirs.side(rate)
        questions = len(logins) * their_side.questions
        if not json:
            _announce(their_side, our_side, len(logins), rate)
        asking.confirm(f"Ask {their_side.name} {counted(questions, 'question')}, each with a password?", yes=yes)
        bounds = Bounds(at_once, stop_after)
        outcome = asyncio.run(run(str(named), logins, their_side, our_side, bounds, left_out))
    _tell(outcome, as_json=json)
    raise typer.Exit(_code(outcome))


class _Far(NamedTuple):
    """A service somewhere else, as it is to be asked."""

    account: webservice.Definition
    common: webservice.Definition | None

    @classmethod
    def of(cls, wanted: Wanted, common: str) -> _Far:
        """Raises Invalid, and Refused when a password would travel in the open."""
        return cls(
            wanted.definition(webservice.INITIAL), wanted.at(common).definition(webservice.GLOBAL) if common else None
        )

    def side(self, rate: float) -> Side:
        """The service with its name."""
        place = Request(self.account.method, self.account.url).place
        return Side(
            place, lambda network: Remote(network, self.account, self.common, rate), 1 if self.common is None else 2
        )


class _Folder(NamedTuple):
    """A data folder of ours."""

    path: Path
    desk: Desk
    handlers: dict[str, Handler]

    def side(self, cloud_id: CloudId, *, common: bool, timeout_s: int) -> Side:
        """The service of this folder, asked in this process; raises NotFound for an unknown Cloud ID."""
        here = Here(self.handlers, self.desk.tenants.get(cloud_id.name), common=common, timeout_s=timeout_s)
        return Side(str(self.path), lambda _: here, 0)

    def logins(self, cloud_id: CloudId) -> Iterator[Login | None]:
        """The users of a Cloud ID; None for one whose password is not known."""
        for user in self.desk.directory.list(cloud_id.name):
            row = place_of(user.cloud_id, username_key(user.username), SIGN_IN_PASSWORD)
            known = isinstance(user.password, Sealed)
            yield Login(cloud_id, user.username, self.desk.sealer.open(user.password.text, row)) if known else None


@contextmanager
def _opened(data: Path | None) -> Iterator[_Folder]:
    folder = DataFolder.choose(data)
    if not folder.database.exists():
        raise NotFound(
            f"There is no Offhook data in {folder.path}. Name another folder with --data, import your users with "
            "`offhook import csv`, or name a running server with --ours and the users with --users."
        )
    with wiring.looking(data) as (desk, handlers):
        yield _Folder(folder.path, desk, handlers)


def _headers(given: list[str], path: Path | None) -> str:
    return "\n".join([*given, *([asking.text_from(path, _MAX_HEADERS_BYTES)] if path else [])])


def _logins(cloud_id: CloudId, path: Path | None, folder: _Folder | None, limit: int | None) -> tuple[list[Login], int]:
    """Who is asked about, and how many are not since only a hash of their password is there."""
    if path is not None:
        everybody: Iterator[Login | None] = (
            None if password.reveal().startswith(_HASHED) else Login(cloud_id, name, password)
            for name, password in users_file.read(path, users_file.VENDOR_COLUMNS)
        )
    else:
        assert folder is not None, "it is opened where no file is named"
        everybody = folder.logins(cloud_id)
    found: list[Login] = []
    left_out = 0
    for login in everybody:
        if login is None:
            left_out += 1
        else:
            found.append(login)
        if len(found) == limit:
            break
    if not found:
        why = f"{counted(left_out, 'user')} here, and of each only a hash of the password is known" if left_out else ""
        raise Invalid.at("users", f"nobody can be asked about{f': {why}' if why else ''}; name a file with --users")
    return found, left_out


def _announce(theirs: Side, ours: Side, users: int, rate: float) -> None:
    """Say what will happen, before anybody is asked to agree to it."""
    asked = users * theirs.questions
    took = shadow_view.duration(asked / rate)
    typer.echo(
        f"theirs  {theirs.name}: {counted(asked, 'question')}, at most {rate:g} a second, about {took}", err=True
    )
    if ours.questions:
        typer.echo(f"ours    {ours.name}: as many; each leaves an install there", err=True)
    else:
        typer.echo(f"ours    {ours.name}, in this process: nothing is kept, no install is made", err=True)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        print_object(shadow_view.report_object(outcome) | {"error": None})
    else:
        phone_view.console_for().print(shadow_view.report(outcome))


def _code(outcome: Outcome) -> int:
    if outcome.interrupted:
        return _INTERRUPTED
    if outcome.tally.different:
        return Exit.FAILED
    return Exit.UNAVAILABLE if outcome.tally.failed or outcome.stopped else Exit.OK
