"""`offhook fleet`: very many real phones against one server, and what they saw."""

from __future__ import annotations

import asyncio
import re
import signal
from itertools import islice
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.console import RenderableType
from rich.live import Live

from offhook.cli import asking, fleet_view, phone_input, phone_view, users_file
from offhook.cli.exits import Misused, print_object, reported
from offhook.cli.options import JsonOption
from offhook.core.errors import Invalid, Refused
from offhook.core.login import CloudId, Login
from offhook.core.secret import Secret
from offhook.core.webservice import is_loopback
from offhook.phone.crowded import Connections
from offhook.phone.fleet import Fleet, Pace
from offhook.phone.portal import Portal

MAX_PHONES: Final = 100_000
# What argon2 on two cores keeps up with; a ramp that is too steep measures password hashes.
SIGN_INS_PER_S: Final = 25
_UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_FOR: Final = re.compile(r"(?a:(\d{1,9}(?:\.\d{1,3})?)([smhd]?))")
_SHOWN_EVERY_S: Final = 1.0


def fleet(
    phones: Annotated[int, typer.Option(min=1, max=MAX_PHONES, help="How many phones.", metavar="N")],
    portal: Annotated[str, typer.Option(help="Address of the portal.", metavar="URL")],
    cloud_id: Annotated[str, typer.Option(help="The app they are.", metavar="CLOUDID")],
    for_: Annotated[str, typer.Option("--for", help="How long: 90s, 10m, 2h.", metavar="TIME")] = "10m",
    users: Annotated[
        Path | None, typer.Option(help="CSV with the columns username and password, a user for each phone.")
    ] = None,
    user_prefix: Annotated[
        str, typer.Option(help="Instead: users PREFIX1, PREFIX2, ... that share a password.", metavar="PREFIX")
    ] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read that password from stdin.")] = False,
    interval: Annotated[
        int | None, typer.Option(min=1, help="Ask every so many seconds, whatever the provider says.", metavar="S")
    ] = None,
    ramp: Annotated[
        float | None,
        typer.Option(min=0, help=f"Sign all in within so many seconds; else {SIGN_INS_PER_S} a second.", metavar="S"),
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many at once.", metavar="N")] = 200,
    yes_really: Annotated[
        bool, typer.Option("--yes-really", help="Load a server that is not on this machine; it must be yours.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run very many phones against a server: they sign in, live as phones do, and report. Ctrl-C ends with the report.

    This is a load test. It is refused for a portal on another machine, because it looks like an attack there, uses up
    the sign-ins that real users need, and leaves an install for every phone; --yes-really says that you may.

    Example: offhook fleet --phones 1000 --for 10m --portal http://127.0.0.1:8080 --cloud-id DEMO --users users.csv
    """
    with reported(as_json=json):
        phone_input.check_trust()
        place = _near(phone_input.read_portal(portal), yes_really=yes_really)
        seconds = _seconds(for_)
        logins = _logins(phone_input.read_cloud_id(cloud_id), phones, users, user_prefix, stdin=password_stdin)
        pace = Pace(phones / SIGN_INS_PER_S if ramp is None else ramp, interval)
        run = _Run(Fleet(logins, place, pace), connections, far=yes_really, json=json)
        asyncio.run(run.run(seconds))


class _Run:
    """One run of a fleet, and how it is shown."""

    def __init__(self, fleet_: Fleet, connections: int, *, far: bool, json: bool) -> None:
        self.fleet, self.json = fleet_, json
        self.network = Connections(connections, fleet_.told, far=far)
        self.console = phone_view.console_for(stderr=json)

    async def run(self, for_s: float) -> None:
        """Let the fleet live, and show it, until its time is over or somebody ends it; then report."""
        async with self.network:
            living = asyncio.ensure_future(self.fleet.run(self.network, for_s))
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, living.cancel)
            await self._show(living)
            if not living.cancelled():
                living.result()
        if self.json:
            print_object(
                fleet_view.report_object(self.fleet.report(), waited=self.network.waited.percentiles())
                | {"error": None}
            )
        elif not self.console.is_terminal:
            self.console.print(self._table())

    async def _show(self, living: asyncio.Task[None]) -> None:
        if not self.console.is_terminal:
            await asyncio.wait([living])
            return
        with Live(console=self.console, get_renderable=self._table, auto_refresh=False) as shown:
            while not living.done():
                await asyncio.wait([living], timeout=_SHOWN_EVERY_S)
                shown.refresh()

    def _table(self) -> RenderableType:
        return fleet_view.table(self.fleet.report(), waited=self.network.waited.percentiles())


def _near(portal: Portal, *, yes_really: bool) -> Portal:
    if not yes_really and not is_loopback(urlsplit(portal.url).hostname or ""):
        raise Refused(
            f"{portal.url} is not on this machine. A fleet is a load test: there it looks like an attack, and real "
            "users may not get in. If the server is yours to load, say --yes-really."
        )
    return portal


def _seconds(text: str) -> float:
    found = _FOR.fullmatch(text.strip())
    if found is None:
        raise Misused(f"--for {text!r} is not a time such as 90s, 10m or 2h.")
    return float(found[1]) * _UNITS_S[found[2]]


def _logins(cloud_id: CloudId, phones: int, users: Path | None, prefix: str, *, stdin: bool) -> list[Login]:
    if (users is None) == (not prefix):
        raise Misused("Say who the phones sign in as: either --users FILE, or --user-prefix PREFIX.")
    if users is not None:
        return [Login(cloud_id, name, password) for name, password in _read(users, phones)]
    unseen = "Give the password of all users with --password-stdin."
    password = asking.line() if stdin else asking.password("Password of all users", unseen)
    return [Login(cloud_id, f"{prefix}{number}", password) for number in range(1, phones + 1)]


def _read(path: Path, phones: int) -> list[tuple[str, Secret]]:
    """The first users of a file, one for each phone. Raises Misused or Invalid."""
    found = list(islice(users_file.read(path), phones))
    if len(found) < phones:
        raise Invalid.at(str(path), f"has {len(found):,} users, and each of {phones:,} phones needs its own")
    return found
