"""`offhook phone run`: a phone that lives in the terminal, shows how it is, and takes typed commands."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from offhook.cli.exits import plain
from offhook.core.errors import NotFound
from offhook.phone import events
from offhook.phone.edge import Edge
from offhook.phone.events import Event
from offhook.phone.handset import Handset
from offhook.phone.living import Mailbox, Surroundings, Web, live
from offhook.phone.steps import Began, Ended, Entered, Remarked, Shown, Skipped, Waiting
from offhook.phone.steps import Event as Told
from offhook.phone.useragent import NoUserAgent

HELP: Final = (
    "settings [open|close], call [start|end] [NUMBER], edit KEY VALUE, dial ID NAME NUMBER, refresh, logout, quit"
)
_MAX_LINE: Final = 65536
_LAST: Final = 8


class Panel:
    """What is seen of a running phone: alive on a terminal, else a line for whatever happens."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.state, self.next = "starting", ""
        self.answers: dict[str, Text] = {}
        self.notes: list[Text] = []
        self.live: Live | None = None

    def __call__(self, event: Told) -> None:
        """Take note of an event."""
        match event:
            case Entered(state=state):
                self.state = state.value
                self._line(f"state: {state.value}")
            case Waiting(seconds=seconds):
                self._wait(seconds)
            case Ended(service=service, outcome=outcome, good=good):
                self.answers[service] = Text(f"{outcome} at {_clock()}", "green" if good else "bold red")
                self._line(f"{service}: {outcome}")
            case Shown(message=message):
                self.say(plain(message))
            case Remarked(diagnostic=diagnostic):
                self.say(f"Note: {plain(str(diagnostic))}")
            case Skipped(service=service, why=why):
                self.say(f"{service}: left out, {why}")
            case Began():
                pass
        if self.live:
            self.live.refresh()

    def say(self, text: str) -> None:
        """Words for the person."""
        self.notes = [*self.notes, Text(text)][-_LAST:]
        self._line(text)
        if self.live:
            self.live.refresh()

    def table(self) -> Table:
        """The phone as it is now."""
        table = Table.grid(padding=(0, 2))
        table.add_row("State", Text(self.state, "bold"))
        table.add_row("Next check", self.next)
        for service, answer in self.answers.items():
            table.add_row(service, answer)
        for note in self.notes:
            table.add_row("", note)
        table.add_row(Text("Commands", "dim"), Text(HELP, "dim"))
        return table

    def _wait(self, seconds: float | None) -> None:
        if seconds is None:
            self.next = "never by itself"
        else:
            moment = datetime.now().astimezone() + timedelta(seconds=seconds)
            self.next = f"{moment:%H:%M:%S}, in {timedelta(seconds=round(seconds))}"
        self._line(f"next check: {self.next}")

    def _line(self, text: str) -> None:
        if not self.live:
            self.console.print(text, markup=False, soft_wrap=True)


class Commands:
    """Turns typed lines into events; `settings` and `call` alone go from one to the other."""

    def __init__(self, post: Callable[[Event], None], close: Callable[[], None], say: Callable[[str], None]) -> None:
        self._post, self._close, self._say = post, close, say
        self._settings = self._call = False

    def line(self, line: str) -> None:
        """One typed line."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            self._say(f"That line cannot be read ({error}).")
            return
        match words:
            case []:
                pass
            case ["quit"]:
                self._close()
            case ["refresh"]:
                self._post(events.Button())
            case ["logout"]:
                self._post(events.SignOut())
            case ["edit", key, value]:
                self._post(events.Edit(key, value))
            case ["dial", identity, name, uri]:
                self._post(events.DialAdded(identity, name, uri))
            case ["settings", *way] if way in ([], ["open"], ["close"]):
                self._settings = way == ["open"] or (not way and not self._settings)
                self._post(events.SettingsOpened() if self._settings else events.SettingsClosed())
            case ["call", *rest] if len(rest) <= 2:
                self._toggle_call(rest)
            case _:
                self._say(f"There are the commands {HELP}.")

    def _toggle_call(self, rest: list[str]) -> None:
        way = rest[0] if rest and rest[0] in {"start", "end"} else ""
        number = (rest[1:] if way else rest)[:1]
        self._call = way == "start" or (not way and not self._call)
        if self._call:
            self._post(events.CallBegan(number[0] if number else "100"))
        else:
            self._post(events.CallEnded(number[0] if number else ""))


def run(handset: Handset, console: Console) -> None:
    """Run a phone until it is closed, or signed out with nothing left to report. Raises OffhookError."""
    opened = handset.saved()
    if opened.saved is None and not handset.kept.take_reports():
        words = opened.left.message if opened.left else ""
        raise NotFound(words or "Nobody is signed in on this phone. Sign in first.")
    panel = Panel(console)
    for remark in handset.remarks:
        panel.say(f"Note: {remark}")
    if console.is_terminal:
        with Live(console=console, get_renderable=panel.table, auto_refresh=False) as panel.live:
            asyncio.run(_run(handset, panel))
    else:
        asyncio.run(_run(handset, panel))


async def _run(handset: Handset, panel: Panel) -> None:
    loop, mail = asyncio.get_running_loop(), Mailbox()
    async with Web(panel) as web:
        around = Surroundings(web, Edge(handset.act, panel), mail, NoUserAgent())
        life = asyncio.ensure_future(live(handset.living().run(), around))

        def close() -> None:
            life.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, close)
        commands = Commands(mail.post, close, panel.say)
        threading.Thread(target=_listen, args=(loop, commands.line), daemon=True).start()
        # A cancelled phone is like one whose power failed: everything it keeps is whole at any moment.
        await asyncio.wait([life])
        if not life.cancelled():
            life.result()
    panel.say("The phone is closed.")


def _listen(loop: asyncio.AbstractEventLoop, take: Callable[[str], None]) -> None:
    """Hand typed lines on; the raw descriptor, since a thread that waits in sys.stdin would hinder the exit."""
    left = b""
    while piece := os.read(sys.stdin.fileno(), _MAX_LINE):
        *lines, left = (left + piece).split(b"\n")
        left = left[-_MAX_LINE:]
        for line in lines:
            if loop.is_closed():
                return
            loop.call_soon_threadsafe(take, line.decode("utf-8", "replace"))


def _clock() -> str:
    return time.strftime("%H:%M:%S")
