"""`offhook phone run`: a phone that lives in the terminal, shows how it is, and takes typed commands."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.table import Table
from rich.text import Text

from offhook.cli import phone_edit, phone_view
from offhook.cli.exits import plain
from offhook.cli.phone_sip import Calls, Sip, opened
from offhook.core.errors import OffhookError
from offhook.phone import events
from offhook.phone.edge import Edge
from offhook.phone.events import Event
from offhook.phone.handset import Handset
from offhook.phone.living import Mailbox, Surroundings, Web, live
from offhook.phone.steps import Began, Ended, Entered, Remarked, Shown, Skipped, Waiting
from offhook.phone.steps import Event as Told
from offhook.phone.useragent import Registration

HELP: Final = (
    "settings [open|close], call [start|end] [NUMBER], answer, hangup, edit KEY VALUE, dial ID NAME NUMBER, refresh, "
    "logout, quit"
)
_MAX_LINE: Final = 65536
_LAST: Final = 8


class Panel:
    """What is seen of a running phone: alive on a terminal, else a line for whatever happens."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.state, self.next, self.sip = "starting", "", ""
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
        self.draw()

    def registration(self, registration: Registration) -> None:
        """How the phone stands with its SIP server now."""
        self.sip = plain(str(registration))
        self._line(f"SIP: {self.sip}")
        self.draw()

    def say(self, text: str) -> None:
        """Words for the person."""
        self.notes = [*self.notes, Text(text)][-_LAST:]
        self._line(text)
        self.draw()

    def screen(self) -> Table:
        """The phone as it is now, with as many notes as leave the last line free, in which is typed."""
        for notes in range(_LAST, 0, -1):
            table = self.table(notes)
            if len(self.console.render_lines(table, pad=False)) < self.console.height:
                return table
        return self.table(0)

    def draw(self) -> None:
        """Show it again where it is alive; what is typed stands in the last line."""
        if self.live:
            self.live.refresh()
            self.console.control(Control.move_to(0, self.console.height - 1), Control.show_cursor(show=True))

    def table(self, notes: int = _LAST) -> Table:
        """The phone as it is now, with the last notes."""
        table = Table.grid(padding=(0, 2))
        table.add_row("State", Text(self.state, "bold"))
        table.add_row("SIP", Text(self.sip))
        table.add_row("Next check", self.next)
        for service, answer in self.answers.items():
            table.add_row(service, answer)
        for note in self.notes[max(len(self.notes) - notes, 0) :]:
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
    """Turns typed lines into events; `settings` and `call` alone go from one to the other.

    `calls` takes what is typed of calls where this phone can make them; a call is only noted where it cannot.
    """

    def __init__(
        self,
        post: Callable[[Event], None],
        close: Callable[[], None],
        say: Callable[[str], None],
        calls: Calls | None = None,
    ) -> None:
        self._post, self._close, self._say, self._calls = post, close, say, calls
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
                self._edit(key, value)
            case ["dial", identity, name, uri]:
                self._post(events.DialAdded(identity, name, uri))
            case ["settings", *way] if way in ([], ["open"], ["close"]):
                self._settings = way == ["open"] or (not way and not self._settings)
                self._say(f"The Settings page is {'open' if self._settings else 'closed'}.")
                self._post(events.SettingsOpened() if self._settings else events.SettingsClosed())
            case ["call", *rest] if len(rest) <= 2:
                self._toggle_call(rest)
            case ["hangup"]:
                self._toggle_call(["end"])
            case ["answer"] if self._calls:
                self._calls.answer()
            case ["answer"]:
                self._say("Nobody calls.")
            case _:
                self._say(f"There are the commands {HELP}.")

    def _edit(self, key: str, value: str) -> None:
        try:
            phone_edit.check(key)
        except OffhookError as error:
            self._say(plain(error.text))
        else:
            self._post(events.Edit(key, value))

    def _toggle_call(self, rest: list[str]) -> None:
        way = rest[0] if rest and rest[0] in {"start", "end"} else ""
        number = (rest[1:] if way else rest)[:1]
        real = bool(self._calls and self._calls.in_call)
        begins = way == "start" or (not way and not self._call and not real)
        if begins and not number:
            self._say("Say who is called: call start NUMBER")
        elif begins and self._calls and self._calls.registered:
            self._calls.call(number[0])
            return
        elif not begins and self._calls and real:
            self._calls.hang_up()
            return
        elif begins:
            self._say(f"A call with {plain(number[0])} begins.")
            self._post(events.CallBegan(number[0]))
        else:
            self._say("The call is over." if self._call else "There is no call that could end.")
            self._post(events.CallEnded(number[0] if number else ""))
        self._call = begins and (self._call or bool(number))


def run(handset: Handset, console: Console, unread: Callable[[], bool], sip: Sip) -> None:
    """Run a phone until it is closed, signed out with nothing left to report, or `unread`. Raises OffhookError."""
    kept = handset.saved()
    if kept.saved is None and not handset.kept.take_reports():
        raise phone_view.nobody(kept.left)
    panel = Panel(console)
    if console.is_terminal:
        # A screen of its own: what is typed would push a picture among other lines out of its place.
        with Live(console=console, get_renderable=panel.screen, auto_refresh=False, screen=True) as panel.live:
            asyncio.run(_run(handset, panel, unread, sip))
        panel.live = None
        console.print(panel.table())
    else:
        asyncio.run(_run(handset, panel, unread, sip))


async def _run(handset: Handset, panel: Panel, unread: Callable[[], bool], sip: Sip) -> None:
    loop, mail = asyncio.get_running_loop(), Mailbox()

    def told(event: Told) -> None:
        panel(event)
        if unread():
            # Nobody sees it any more: it goes once what is under way is over.
            mail.post(events.Quit())

    async with Web(told) as web, opened(sip, panel.registration, panel.say, mail.post) as (agent, calls):
        around = Surroundings(web, Edge(handset.act, told), mail, agent)
        life = asyncio.ensure_future(live(handset.living().run(), around))

        def close() -> None:
            life.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, close)
        commands = Commands(mail.post, close, panel.say, calls)

        def take(line: str) -> None:
            commands.line(line)
            panel.draw()

        threading.Thread(target=_listen, args=(loop, take), daemon=True).start()
        # A cancelled phone is like one whose power failed: everything it keeps is whole at any moment.
        await asyncio.wait([life])
        if not life.cancelled():
            life.result()
    panel.say("The phone is closed.")


def _listen(loop: asyncio.AbstractEventLoop, take: Callable[[str], None]) -> None:
    """Hand typed lines on; the raw descriptor, since a thread that waits in sys.stdin would hinder the exit."""
    typed = Typed()
    while piece := os.read(sys.stdin.fileno(), _MAX_LINE):
        for line in typed.lines(piece):
            if loop.is_closed():
                return
            loop.call_soon_threadsafe(take, line)


class Typed:
    """Puts lines together from the pieces in which they come; a line that is too long is left out as a whole."""

    def __init__(self) -> None:
        self._left, self._too_long = b"", False

    def lines(self, piece: bytes) -> Iterator[str]:
        """The lines that this piece ends."""
        *ended, self._left = (self._left + piece).split(b"\n")
        for line in ended:
            if not self._too_long and len(line) <= _MAX_LINE:
                yield line.decode("utf-8", "replace")
            self._too_long = False
        if len(self._left) > _MAX_LINE:
            self._left, self._too_long = b"", True


def _clock() -> str:
    return time.strftime("%H:%M:%S")
