"""`offhook demo`: a small telephone company, served, and a phone that signs in to it before your eyes."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import segno
import typer
from rich.progress import Progress

from offhook.cli import phone_view
from offhook.cli.exits import Exit, reported
from offhook.cli.options import DataOption
from offhook.core.login import CloudId, Link, write_link
from offhook.core.secret import Secret

if TYPE_CHECKING:
    from rich.console import Console

    from offhook.web.server import Server

USERNAME = "ann"
PORT = 8080


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the first phone has signed in.")] = False,
    port: Annotated[int, typer.Option(help="Port to serve on; by default 8080, or a free one.")] = 0,
    data: DataOption = None,
) -> None:
    """Start a small telephone company and sign a phone in.

    Twenty users in three tiers, an app with a theme, quick dials; everything lies in a folder of its own, which goes
    when the demo ends unless --data names one. Without a terminal the demo ends after the sign-in.

    Example: offhook demo --once
    """
    console = phone_view.console_for()
    stay = sys.stdin.isatty() and sys.stdout.isatty() and not once
    with reported(), _folder(data) as folder:
        run = _Demo(console, folder, port or _free_port(), stay=stay)
        run.found()
        run.serve()
    raise typer.Exit(run.exit_code)


class _Demo:
    """One run of the demo."""

    def __init__(self, console: Console, folder: Path, port: int, *, stay: bool) -> None:
        self.console, self.folder, self.stay = console, folder, stay
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self.exit_code: int = Exit.FAILED

    def found(self) -> None:
        """Make the company, unless it is there already."""
        from offhook import wiring
        from offhook.cli import company

        with wiring.administration(self.folder) as desk, Progress(console=self.console, transient=True) as progress:
            task = progress.add_task("Setting up the Demo Telephone Company", total=20)
            company.found(desk, lambda _: progress.advance(task))
            password = Secret(company.password(USERNAME))
            self.link = write_link(Link(CloudId.parse(company.CLOUD_ID), USERNAME, password))
        self.console.print("[bold]The Demo Telephone Company[/] has an app, DEMO, and twenty users.\n")

    def serve(self) -> None:
        """Serve portal and provider; sign the phone in beside it; stay until told to go."""
        from offhook import wiring
        from offhook.config import DataFolder
        from offhook.web.settings import Listen, Serving

        serving = Serving(Listen.parse(self.address), self.url)
        events = self.folder / "events.jsonl"
        with events.open("ab") as stream, wiring.service(DataFolder(self.folder), serving, events=stream) as server:
            asyncio.run(self._run(server))

    async def _run(self, server: Server) -> None:
        loop = asyncio.get_running_loop()

        def phone() -> None:
            try:
                self._sign_in()
            finally:
                if not self.stay or self.exit_code:
                    loop.call_soon_threadsafe(server.stop)

        await server.run(lambda: threading.Thread(target=phone, name="phone").start())

    def _sign_in(self) -> None:
        from offhook.cli.phone import sign_in

        self.console.print(f"[bold]A phone signs in as {USERNAME}@DEMO[/]\n")
        try:
            sign_in(self.link, portal=self.url, state=self.folder / "phone")
        except typer.Exit as ended:
            self.exit_code = ended.exit_code
            return
        self.exit_code = Exit.OK
        if self.stay:
            self._try_next()

    def _try_next(self) -> None:
        qr = segno.make(self.link, error="m")
        self.console.print("\n[bold]Scan this[/] with a phone that speaks csc: links, or try in another terminal:\n")
        qr.terminal(compact=True)
        for command in (
            f"offhook phone sign-in bob@DEMO --portal {self.url} --state bobs-phone      # password demo-bob",
            f"offhook explain {USERNAME}@DEMO --data {self.folder}",
            f"offhook user set {USERNAME}@DEMO --set codecOrder=9,8,0 --data {self.folder}",
        ):
            self.console.print(f"  {command}", highlight=False, soft_wrap=True)
        self.console.print(f"\nPortal    {self.url}/portal/DEMO/base\nProvider  {self.url}/prov", highlight=False)
        self.console.print(f"Events    {self.folder / 'events.jsonl'}\n\nCtrl-C ends the demo.", highlight=False)


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        yield named.expanduser().absolute()
        return
    with tempfile.TemporaryDirectory(prefix="offhook-demo-") as temporary:
        yield Path(temporary)


def _free_port() -> int:
    """8080, which is easy to remember, or any other that is free."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return PORT
