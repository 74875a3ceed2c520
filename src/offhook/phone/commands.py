"""What a conversation may want done, and what it is told in return."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from enum import Enum
from typing import TypeAlias, TypeVar

import msgspec

from offhook.core import xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.mergeable import Document
from offhook.core.webservice import Request, Response
from offhook.phone.backup import Backup, Found
from offhook.phone.events import Event
from offhook.phone.reports import Report
from offhook.phone.saved import Left, Saved
from offhook.phone.states import State
from offhook.phone.trust import Trust


class Fetch(msgspec.Struct, frozen=True):
    """Ask a service; at most `limit_bytes` of its answer are read."""

    service: str
    request: Request
    limit_bytes: int = xml.MAX_BYTES


class FetchAll(msgspec.Struct, frozen=True):
    """Ask several services at the same time; the answers come in the order of the fetches."""

    fetches: tuple[Fetch, ...]


class Skip(msgspec.Struct, frozen=True):
    """Tell whoever watches that a step is left out, and why."""

    service: str
    why: str


class Enter(msgspec.Struct, frozen=True):
    """Tell whoever watches which state the phone is in from now on."""

    state: State


class Show(msgspec.Struct, frozen=True):
    """Show words to the person with the phone."""

    message: str


class Remark(msgspec.Struct, frozen=True):
    """Tell whoever mends it what was tolerated or went wrong."""

    diagnostic: Diagnostic


class Look(msgspec.Struct, frozen=True):
    """Look at the clocks; the reply is a `Moment`."""


class Draw(msgspec.Struct, frozen=True):
    """Draw a number; the reply is from 0 to 1, 1 not among them."""


class Wait(msgspec.Struct, frozen=True):
    """Wait for the next event, at most until the monotonic clock says `until_s` (None: for as long as it takes).

    An event that has come already is the reply at once, the oldest first; `TimePassed` when there is none in time.
    """

    until_s: float | None = None


class Register(msgspec.Struct, frozen=True):
    """Be registered with the SIP server as this account says, from now on; nobody waits for the outcome."""

    account: Document


class Unregister(msgspec.Struct, frozen=True):
    """End the registration, and wait for that at most this long (D13)."""

    timeout_s: float = 5.0


class Save(msgspec.Struct, frozen=True):
    """Keep the record and the theme package it names: both or, if anything goes wrong, neither."""

    saved: Saved
    theme: bytes

    def __repr__(self) -> str:
        return f"Save({self.saved!r}, {len(self.theme)} bytes)"


class SetAside(msgspec.Struct, frozen=True):
    """Set aside what cannot be read, before a record takes its place; the reply is where it lies then."""


class KeepTheme(msgspec.Struct, frozen=True):
    """Put a theme package in place, before a record names it."""

    package: bytes

    def __repr__(self) -> str:
        return f"KeepTheme({len(self.package)} bytes)"


class Update(msgspec.Struct, frozen=True):
    """Keep the record, whose theme is in place."""

    saved: Saved


class Tidy(msgspec.Struct, frozen=True):
    """Remove the themes that the record does not name."""

    saved: Saved


class Erase(msgspec.Struct, frozen=True):
    """Put `left` in the place of the record, and remove all that belonged to it."""

    left: Left


class KeepTrust(msgspec.Struct, frozen=True):
    """Add to what the phone knows of a portal, whatever becomes of the account.

    `earlier`: it comes from a record, so that a key which was pinned since counts before it.
    """

    portal: str
    trust: Trust
    earlier: bool = False


class TakeReports(msgspec.Struct, frozen=True):
    """Hand out the reports that are in the queue; the reply is a tuple of them."""


class PutReport(msgspec.Struct, frozen=True):
    """Put a report into the durable queue, in the place of the one with the same id."""

    report: Report


class DropReport(msgspec.Struct, frozen=True):
    """Take a report out of the queue for good."""

    report_id: str


class PutBackup(msgspec.Struct, frozen=True):
    """Keep a user's backup, encrypted, in the place of an older one."""

    owner: str
    backup: Backup


class TakeBackup(msgspec.Struct, frozen=True):
    """Hand out a user's backup; the reply is a `Found`, or None. One that cannot be decrypted is set aside."""

    owner: str


class DropBackup(msgspec.Struct, frozen=True):
    """Remove a user's backup, which is in the record now."""

    owner: str


class Why(Enum):
    """Why a service gave no answer that could be read to its end."""

    UNREACHABLE = "cannot be reached"
    UNSENDABLE = "cannot be asked"
    TIMEOUT = "no answer in time"
    CUT_OFF = "cut off"
    TLS = "not secure"
    GARBLED = "not HTTP"
    TOO_LARGE = "too large"
    REDIRECT = "redirected"


class NoAnswer(msgspec.Struct, frozen=True):
    """There is no answer; `detail` is for whoever mends it and holds no secret."""

    why: Why
    detail: str = ""


class Moment(msgspec.Struct, frozen=True):
    """What the clocks say: one that never steps, for waiting, and the one on the wall, for people."""

    monotonic_s: float
    wall: datetime


Answer: TypeAlias = Response | NoAnswer
# What the device does by itself, without waiting for anybody. Any of these may raise OffhookError inside the flow.
DeviceCommand: TypeAlias = (
    Save
    | SetAside
    | KeepTheme
    | Update
    | Tidy
    | Erase
    | KeepTrust
    | TakeReports
    | PutReport
    | DropReport
    | PutBackup
    | TakeBackup
    | DropBackup
)
# What whoever watches is told.
Telling: TypeAlias = Skip | Enter | Show | Remark
Command: TypeAlias = Fetch | FetchAll | Look | Draw | Wait | Register | Unregister | DeviceCommand | Telling
DeviceReply: TypeAlias = tuple[Report, ...] | Found | str | None
Reply: TypeAlias = Answer | tuple[Answer, ...] | Moment | float | Event | DeviceReply

Result = TypeVar("Result")
Flow: TypeAlias = Generator[Command, Reply, Result]


def fetch(one: Fetch) -> Flow[Answer]:
    """Ask one service."""
    answer = yield one
    assert isinstance(answer, Response | NoAnswer)
    return answer


def fetch_all(*fetches: Fetch) -> Flow[tuple[Answer, ...]]:
    """Ask several services at the same time."""
    answers = yield FetchAll(fetches)
    assert isinstance(answers, tuple)
    return tuple(answer for answer in answers if isinstance(answer, Response | NoAnswer))


def look() -> Flow[Moment]:
    """What the clocks say."""
    moment = yield Look()
    assert isinstance(moment, Moment)
    return moment


def draw() -> Flow[float]:
    """A number from 0 to 1."""
    number = yield Draw()
    assert isinstance(number, float)
    return number


def wait(until_s: float | None) -> Flow[Event]:
    """The next event."""
    event = yield Wait(until_s)
    assert isinstance(event, Event)
    return event


def take_reports() -> Flow[tuple[Report, ...]]:
    """The reports in the queue."""
    reports = yield TakeReports()
    assert isinstance(reports, tuple)
    return tuple(report for report in reports if isinstance(report, Report))


def set_aside() -> Flow[str]:
    """Where it lies now."""
    aside = yield SetAside()
    assert isinstance(aside, str)
    return aside


def take_backup(owner: str) -> Flow[Found | None]:
    """A user's backup."""
    found = yield TakeBackup(owner)
    assert found is None or isinstance(found, Found)
    return found
