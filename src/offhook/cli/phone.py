"""`offhook phone`: a softphone in the terminal that is provisioned as a real one would be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import platformdirs
import typer

from offhook.cli import phone_input, phone_run, phone_view
from offhook.cli.exits import print_object, reported
from offhook.cli.phone_input import Given
from offhook.cli.phone_once import Once
from offhook.cli.phone_view import Steps
from offhook.core import screen
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid, NotFound
from offhook.core.login import CloudId
from offhook.core.screen import Classic
from offhook.phone import events
from offhook.phone import portal as portals
from offhook.phone.commands import Flow
from offhook.phone.drive import perform_async
from offhook.phone.edge import Edge
from offhook.phone.events import Event
from offhook.phone.handset import Handset
from offhook.phone.portal import Portal
from offhook.phone.saved import Saved
from offhook.phone.stopped import Stopped

_CODES: Final = (
    "Exit codes: 0 it worked; 1 it failed for another reason; 2 the command was misused; 3 refused; 4 there is no such "
    "app or account; 5 what came in cannot be used; 6 out of reach, too slow, or down for now; 7 asked too often; "
    "8 another process uses this phone."
)
_Result = TypeVar("_Result")


class Page(Enum):
    """What is done with the Settings page."""

    OPEN = "open"
    CLOSE = "close"


class CallIs(Enum):
    """What is done with a call."""

    START = "start"
    END = "end"


app = typer.Typer(
    name="phone",
    help="A softphone in the terminal that lives as a real one would. It does not register with the SIP server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

dials = typer.Typer(help="Quick dials of the user.", no_args_is_help=True, add_completion=False)
app.add_typer(dials, name="dial")

State = Annotated[Path | None, typer.Option(help="The folder of the phone; by default one in your home folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Reveal = Annotated[bool, typer.Option("--reveal-secrets", help="Show passwords and tokens.")]


@app.command("sign-in", epilog=_CODES)
def sign_in(
    text: Annotated[str | None, typer.Argument(help="What a user types, such as ann@DEMO*, or a csc: link.")] = None,
    portal: Annotated[str, typer.Option(envvar="OFFHOOK_PORTAL", help="Address of the portal.")] = portals.DEFAULT,
    portal_key: Annotated[str, typer.Option(help="Pin this public key of the portal: its text, or a file.")] = "",
    state: State = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    qr_image: Annotated[Path | None, typer.Option(help="Read the QR code in this picture.")] = None,
    white_label: Annotated[str, typer.Option(help="Be the app with this Cloud ID, with its initial screen.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Guard passwords on loopback hosts, too.")] = False,
    reveal: Reveal = False,
    as_json: Json = False,
) -> None:
    """Sign a phone in: base and theme, then the global part, then the account; saved once, when all have succeeded.

    Without TEXT, the initial screen of the app asks for what it needs.

    Example: offhook phone sign-in "ann@DEMO*" --portal https://portal.example.com
    """
    attempt = _Attempt(_handset(state), Steps(None if as_json else phone_view.console_for()))
    with reported(as_json=as_json, beside=attempt.report):
        saved = attempt.sign_in(
            Given(text, qr_image, password_stdin),
            phone_input.read_portal(portal),
            phone_input.read_cloud_id(white_label) if white_label else None,
            pinned=phone_input.read_key(portal_key),
            strict=strict,
        )
        _print(attempt.handset, saved, attempt.remarks, reveal=reveal, as_json=as_json, steps=attempt.steps)


@app.command(epilog=_CODES)
def show(state: State = None, reveal: Reveal = False, as_json: Json = False) -> None:
    """Show what this phone keeps: the account, and where every value came from.

    Example: offhook phone show --json
    """
    with reported(as_json=as_json):
        handset = _handset(state)
        opened = handset.saved()
        if opened.damage:
            raise Invalid.at(str(handset.vault.folder), f"{opened.damage}; the next sign-in sets it aside")
        if opened.saved is None:
            words = opened.left.message if opened.left else ""
            raise NotFound(words or "Nobody is signed in on this phone.")
        _print(handset, opened.saved, list(opened.saved.diagnostics), reveal=reveal, as_json=as_json)


@app.command(epilog=_CODES)
def edit(
    key: Annotated[str, typer.Argument(help="A key of the account, such as codecOrder.")],
    value: Annotated[str, typer.Argument(help="Its new value; an empty text blanks it.")],
    preference: Annotated[bool, typer.Option("--preference", help="It is a preference of the app.")] = False,
    state: State = None,
    as_json: Json = False,
) -> None:
    """Change a setting as the user of the app would; services do not undo it unless they lock the key.

    Example: offhook phone edit codecOrder 0,8
    """
    with reported(as_json=as_json):
        handset = _handset(state)
        with handset.alone():
            edited = handset.edit(key, value, preference=preference)
        remarks = (*handset.remarks, *edited.remarks)
        if as_json:
            print_object({"key": key, "diagnostics": phone_view.remark_objects(remarks), "error": None})
            return
        console = phone_view.console_for()
        phone_view.print_remarks(console, remarks)
        console.print(f"{key} is changed.", markup=False)


@app.command(epilog=_CODES)
def refresh(state: State = None, as_json: Json = False) -> None:
    """Look for changes now, as the button of the app does; they wait while Settings is open or a call is in progress.

    Example: offhook phone refresh --json
    """
    _once(state, events.Button(), as_json=as_json, asks=True)


@app.command(epilog=_CODES)
def settings(what: Annotated[Page, typer.Argument()], state: State = None, as_json: Json = False) -> None:
    """Open or close the Settings page; what waited for its end is applied.

    Example: offhook phone settings open
    """
    _once(state, events.SettingsOpened() if what is Page.OPEN else events.SettingsClosed(), as_json=as_json)


@app.command(epilog=_CODES)
def call(
    what: Annotated[CallIs, typer.Argument()],
    number: Annotated[str, typer.Argument(help="The other side; to end, all calls when it is left out.")] = "",
    incoming: Annotated[bool, typer.Option("--incoming", help="The other side called.")] = False,
    state: State = None,
    as_json: Json = False,
) -> None:
    """Begin or end a call; what waited for its end is applied, and it is written into the call history.

    Example: offhook phone call start 204
    """
    begun = what is CallIs.START
    _once(state, events.CallBegan(number or "100", incoming) if begun else events.CallEnded(number), as_json=as_json)


@dials.command("add", epilog=_CODES)
def add_dial(
    identity: Annotated[str, typer.Argument(help="Its id; the one that has it is replaced.", metavar="ID")],
    name: Annotated[str, typer.Argument(help="What is shown.")],
    number: Annotated[str, typer.Argument(help="What is dialled.")],
    state: State = None,
    as_json: Json = False,
) -> None:
    """Add a quick dial as the user of the app would.

    Example: offhook phone dial add mum "My mother" 100
    """
    _once(state, events.DialAdded(identity, name, number), as_json=as_json)


@app.command(epilog=_CODES)
def logout(state: State = None, as_json: Json = False) -> None:
    """Sign out: un-register, report, back up what is the user's, erase the rest. It waits for a call to end.

    Example: offhook phone logout
    """
    _once(state, events.SignOut(), as_json=as_json)


@app.command(epilog=_CODES)
def run(state: State = None) -> None:
    """Keep the phone running and show how it is; type commands, or `quit`.

    Example: offhook phone run
    """
    with reported():
        handset = _handset(state)
        with handset.alone():
            phone_run.run(handset, phone_view.console_for())


def _once(state: Path | None, event: Event, *, as_json: bool, asks: bool = False) -> None:
    """Let one thing happen to the phone; `asks`: an answer that is none is an error of this command."""
    once = Once(_handset(state), Steps(None if as_json else phone_view.console_for()))
    with reported(as_json=as_json, beside=once.report):
        once.happen(event)
        if not as_json:
            console = phone_view.console_for()
            phone_view.print_remarks(console, once.remarks)
            console.print("\n".join(filter(None, (once.message, f"State: {once.state.value}."))), markup=False)
        if asks:
            once.complain()
        if as_json:
            print_object(once.report() | {"error": None})


class _Attempt:
    """One sign-in of one phone: its steps, and what was tolerated."""

    def __init__(self, handset: Handset, steps: Steps) -> None:
        self.handset, self.steps = handset, steps
        self.remarks: list[Diagnostic] = []

    def report(self) -> dict[str, Any]:
        """The steps and remarks, for a program."""
        return {"steps": self.steps.objects(), "diagnostics": phone_view.remark_objects(self.remarks)}

    def sign_in(self, given: Given, portal: Portal, label: CloudId | None, *, pinned: str, strict: bool) -> Saved:
        """Be the app `label`, or the generic one, and sign in. Raises OffhookError."""
        with self._noted(), self.handset.alone():
            self.remarks += self.handset.remarks
            first = screen.show(Classic())
            if label is not None:
                offered = self._drive(self.handset.first_screen(label, portal, pinned=pinned))
                self.remarks += offered.remarks
                first, pinned = screen.show(offered.screen, label), offered.portal_key
            login = phone_input.read_login(given, first)
            saved = self._drive(self.handset.signing_in(login, portal, pinned=pinned, strict=strict))
            self.remarks += saved.diagnostics
        return saved

    def _drive(self, flow: Flow[_Result]) -> _Result:
        with self.steps.watched():
            return asyncio.run(perform_async(flow, Edge(self.handset.act, self.steps)))

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Remarks are told also when it ends early."""
        try:
            yield
        except Stopped as stopped:
            self.remarks += stopped.remarks
            if self.steps.console:
                phone_view.print_remarks(self.steps.console, self.remarks)
            raise


def _handset(state: Path | None) -> Handset:
    return Handset(state or platformdirs.user_state_path("offhook") / "phone")


def _print(
    handset: Handset,
    saved: Saved,
    remarks: list[Diagnostic],
    *,
    reveal: bool,
    as_json: bool,
    steps: Steps | None = None,
) -> None:
    """Print a phone and what was tolerated, for a person or for a program."""
    try:
        manifest = handset.vault.theme(saved.theme).manifest
    except Invalid as invalid:
        manifest = None
        remarks.append(Diagnostic("theme", f"cannot be read: {invalid.text}"))
    if as_json:
        report = {"diagnostics": phone_view.remark_objects(remarks), "error": None}
        if steps is not None:
            report["steps"] = steps.objects()
        print_object(phone_view.phone_object(saved, manifest, reveal=reveal) | report)
        return
    console = phone_view.console_for()
    phone_view.print_remarks(console, remarks)
    phone_view.print_phone(console, saved, manifest, reveal=reveal)
