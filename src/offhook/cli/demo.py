"""`offhook demo`: a small telephone company, served, and a phone that signs in to it before your eyes."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Protocol

import typer
from rich.progress import Progress

from offhook.cli import asking, phone_input, phone_view
from offhook.cli.called import ours
from offhook.cli.exits import Misused, reported
from offhook.cli.output import outlived
from offhook.cli.phone_attempt import Attempt
from offhook.cli.phone_qr import print_qr
from offhook.cli.phone_view import Steps
from offhook.core.errors import Conflict, OffhookError, Unavailable
from offhook.core.login import CloudId, Link, write_link
from offhook.core.secret import Secret
from offhook.phone.handset import Handset
from offhook.phone.portal import Portal

if TYPE_CHECKING:
    from rich.console import Console

USERNAME: Final = "ann"
PORT: Final = 8080
READY_WITHIN_S: Final = 10.0


class Serves(Protocol):
    """A server as the demo needs it."""

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until told to stop; `ready` is called as soon as connections are taken."""

    def stop(self) -> None:
        """Return from `run` soon."""


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the first phone has signed in.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; by default 8080, or a free one.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(help="Keep the company in this folder; left out, it is gone when the demo ends.", metavar="DIR"),
    ] = None,
) -> None:
    """Start a small telephone company and sign a phone in.

    Twenty users in three tiers, an app with a theme, quick dials; everything lies in a folder of its own, which goes
    when the demo ends unless --data names one. Without a terminal the demo ends after the sign-in.

    Example: offhook demo --once
    """
    console = phone_view.console_for()
    stay = asking.attended() and sys.stdout.isatty() and not once
    with outlived(), reported(), _folder(data) as folder:
        phone_input.check_trust()
        run = Demo(console, folder, _free_port(port), stay=stay)
        run.found()
        run.serve()


class Demo:
    """One run of the demo."""

    def __init__(self, console: Console, folder: Path, port: int, *, stay: bool) -> None:
        self.console, self.folder, self.stay = console, folder, stay
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"

    def found(self) -> None:
        """Make the company, unless it is there already."""
        from offhook import wiring
        from offhook.cli import company

        with wiring.administration(self.folder) as desk, Progress(console=self.console, transient=True) as progress:
            task = progress.add_task("Setting up the Demo Telephone Company", total=20)
            company.found(desk, lambda _: progress.advance(task))
            password = Secret(company.password(USERNAME))
            self.link = Link(CloudId.parse(company.CLOUD_ID), USERNAME, password)
        self.console.print("[bold]The Demo Telephone Company[/] has an app, DEMO, and twenty users.\n")

    def serve(self) -> None:
        """Serve portal and provider; sign the phone in beside it; stay until told to go. Raises OffhookError."""
        from offhook import wiring
        from offhook.config import DataFolder
        from offhook.web.settings import Listen, Serving

        serving = Serving(Listen.parse(self.address), self.url)
        events = self.folder / "events.jsonl"
        with events.open("ab") as stream, wiring.service(DataFolder(self.folder), serving, events=stream) as server:
            asyncio.run(self.run(server))

    async def run(self, server: Serves, ready_within_s: float = READY_WITHIN_S) -> None:
        """Both in one loop: when either ends early, the other is ended in order. Raises OffhookError."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        # A terminal that is closed must not leave the folder behind; the server minds the other signals.
        loop.add_signal_handler(signal.SIGHUP, server.stop)
        serving = loop.create_task(server.run(ready.set))
        phone = loop.create_task(self._phone(ready, ready_within_s))
        await asyncio.wait((serving, phone), return_when=asyncio.FIRST_COMPLETED)
        if serving.done() or not self.stay or phone.cancelled() or phone.exception():
            phone.cancel()
            server.stop()
        await serving
        try:
            await phone
        except asyncio.CancelledError:
            raise OffhookError("The demo was ended before the phone had signed in.") from None

    async def _phone(self, ready: asyncio.Event, ready_within_s: float) -> None:
        try:
            async with asyncio.timeout(ready_within_s):
                await ready.wait()
        except TimeoutError:
            raise Unavailable(
                f"Nobody can be reached at {self.address} within {ready_within_s:g} seconds. Is the loopback interface "
                "up (`ip link set lo up`), and does no firewall close it?"
            ) from None
        self.console.print(f"[bold]A phone signs in as {USERNAME}@DEMO[/]\n")
        attempt = Attempt(Handset(self.folder / "phone"), Steps(self.console))
        saved = await attempt.sign_in_as(self.link.login(), Portal.parse(self.url))
        phone_view.print_all(attempt.handset, saved, attempt.remarks)
        if self.stay:
            self._try_next()

    def _try_next(self) -> None:
        offhook = ours(sys.argv[0])
        self.console.print("\n[bold]Try in another terminal[/]\n")
        for command in (
            f"{offhook} phone sign-in bob@DEMO --portal {self.url} --state bobs-phone      # password demo-bob",
            f"{offhook} explain {USERNAME}@DEMO --data {self.folder}",
            f"{offhook} user set {USERNAME}@DEMO --set codecOrder=9,8,0 --data {self.folder}",
        ):
            self.console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)
        self.console.print(f"\nPortal    {self.url}/portal/DEMO/base\nProvider  {self.url}/prov", highlight=False)
        self.console.print(f"Events    {self.folder / 'events.jsonl'}", highlight=False, markup=False, soft_wrap=True)
        self.console.print("\n[bold]Or scan this[/] as ann, with a phone that speaks csc: links")
        print_qr(self.console, write_link(self.link))
        if self.console.no_color or self.console.color_system is None:
            self.console.print("It is drawn for a dark background: on a light one, invert the terminal's colours.")
        self.console.print(f"It names no portal: this one is {self.url}. Ctrl-C ends the demo.", highlight=False)


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        yield named.expanduser().absolute()
        return
    with tempfile.TemporaryDirectory(prefix="offhook-demo-") as temporary:
        yield Path(temporary)


def _free_port(named: int) -> int:
    """The port named, or 8080, which is easy to remember, or any other that is free. Raises Conflict or Misused."""
    for port in (named,) if named else (PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if not named:
                    continue
                if error.errno == errno.EADDRINUSE:
                    raise Conflict(f"Port {port} is in use. Choose another one with --port.") from None
                raise Misused(f"--port: {port} is not to be had: {error.strerror}.") from None
            return int(probe.getsockname()[1])
    raise Unavailable("No port of 127.0.0.1 is to be had. Is the loopback interface up (`ip link set lo up`)?")
