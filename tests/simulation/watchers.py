"""What a simulated phone has around it: a network that carries its questions, and a judge who looks on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from offhook.phone.commands import Answer, Command, Fetch
from offhook.phone.events import Event
from offhook.phone.saved import Left, Saved

if TYPE_CHECKING:
    from tests.simulation.phone import Phone


class Network(Protocol):
    """Carries questions of phones to the server, and the answers back when it is their time."""

    def ask(self, phone: Phone, fetch: Fetch, take: Callable[[Answer], None]) -> None:
        """Ask; `take` gets the answer at a later moment."""


class Judge(Protocol):
    """Looks on, and raises Finding when something is seen that must not be."""

    def told(self, phone: Phone, text: str) -> None:
        """The phone said something to somebody."""

    def kept(self, phone: Phone, saved: Saved, found: Mapping[str, str]) -> None:
        """The phone has put a record on its disk, with these things of its user."""

    def rested(self, phone: Phone) -> None:
        """The phone has nothing to do now."""

    def started(self, phone: Phone, found: Saved | Left | None, damage: str) -> None:
        """The phone found this on its disk."""

    def left(self, phone: Phone, saved: Saved) -> None:
        """A record is gone from the disk."""

    def begun(self, phone: Phone) -> None:
        """The app has been started, or somebody has just signed in."""

    def seen(self, phone: Phone, what: Command | Event) -> None:
        """Something happens to the phone, or it does something by itself."""

    def dropped(self, phone: Phone, report_id: str) -> None:
        """A report is out of the queue."""

    def edited(self, phone: Phone) -> None:
        """What the user did last was dealt with."""

    def failed(self, phone: Phone, error: BaseException) -> None:
        """The phone's code raised what it must not."""
