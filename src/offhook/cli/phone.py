"""`offhook phone`: a softphone in the terminal that is provisioned as a real one would be."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

import platformdirs
import typer

from offhook.cli import phone_edit, phone_input, phone_run, phone_sip, phone_view
from offhook.cli.exits import Misused, plain, print_object, reported
from offhook.cli.options import JsonOption, RevealOption
from offhook.cli.output import outlived
from offhook.cli.phone_attempt import Attempt
from offhook.cli.phone_input import Given
from offhook.cli.phone_once import Once
from offhook.cli.phone_view import Steps
from offhook.phone import events
from offhook.phone import portal as portals
from offhook.phone.events import Event
from offhook.phone.handset import Handset

_CODES: Final = (
    "Exit codes: 0 it worked; 1 it failed for another reason; 2 the command was misused; 3 refused; 4 there is no such "
    "app or account; 5 what came in cannot be used; 6 out of reach, too slow, or down for now; 7 asked too often; "
    "8 another process uses this phone."
)


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
    help="A softphone in the terminal that lives as a real one would. It registers where baresip is installed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

dials = typer.Typer(help="Quick dials of the user.", no_args_is_help=True, add_completion=False)
app.add_typer(dials, name="dial")


def _folder(state: Path | None) -> Path | None:
    """Somewhere a folder is, or can be."""
    for path in (state, *state.parents) if state else ():
        if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112 - never fails
            raise typer.BadParameter(f"{path} is no folder.")
    return state


State = Annotated[
    Path | None,
    typer.Option(help="The folder of the phone; by default one in your home folder.", callback=_folder),
]


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
    reveal: RevealOption = False,
    json: JsonOption = False,
) -> None:
    """Sign a phone in: base and theme, then the global part, then the account; saved once, when all have succeeded.

    Without TEXT, the initial screen of the app asks for what it needs.

    Example: offhook phone sign-in "ann@DEMO*" --portal https://portal.example.com
    """
    attempt = Attempt(_handset(state), Steps(None if json else phone_view.console_for()))
    with outlived(), reported(as_json=json, beside=attempt.report):
        phone_input.check_trust()
        saved = attempt.sign_in(
            Given(text, qr_image, password_stdin),
            phone_input.read_portal(portal),
            phone_input.read_cloud_id(white_label) if white_label else None,
            pinned=phone_input.read_key(portal_key),
            strict=strict,
        )
        phone_view.print_all(attempt.handset, saved, attempt.remarks, attempt.steps, reveal=reveal, json=json)


@app.command(epilog=_CODES)
def show(state: State = None, reveal: RevealOption = False, json: JsonOption = False) -> None:
    """Show what this phone keeps: the account, and where every value came from.

    Example: offhook phone show --json
    """
    with reported(as_json=json):
        handset = _handset(state)
        opened = handset.saved()
        if opened.saved is None:
            raise phone_view.nobody(opened.left)
        phone_view.print_all(handset, opened.saved, list(opened.saved.diagnostics), reveal=reveal, json=json)


@app.command(epilog=f"{_CODES}\n\n{phone_edit.listed()}")
def edit(
    key: Annotated[str, typer.Argument(help="A key of the account, such as codecOrder.")],
    value: Annotated[str, typer.Argument(help="Its new value; an empty text blanks it.")],
    preference: Annotated[bool, typer.Option("--preference", help="It is a preference of the app.")] = False,
    state: State = None,
    json: JsonOption = False,
) -> None:
    """Change a setting as the user of the app would; services do not undo it unless they lock the key.

    Example: offhook phone edit codecOrder 0,8
    """
    with reported(as_json=json):
        phone_edit.check(key, preference=preference)
        handset = _handset(state)
        with handset.alone():
            edited = handset.edit(key, value, preference=preference)
        remarks = edited.remarks
        if json:
            print_object({"key": key, "diagnostics": phone_view.remark_objects(remarks), "error": None})
            return
        console = phone_view.console_for()
        phone_view.print_remarks(console, remarks)
        console.print(f"{plain(key)} is changed.", markup=False)


@app.command(epilog=_CODES)
def refresh(state: State = None, json: JsonOption = False) -> None:
    """Look for changes now, as the button of the app does; they wait while Settings is open or a call is in progress.

    Example: offhook phone refresh --json
    """
    _once(state, events.Button(), json=json, asks=True)


@app.command(epilog=_CODES)
def settings(what: Annotated[Page, typer.Argument()], state: State = None, json: JsonOption = False) -> None:
    """Open or close the Settings page; what waited for its end is applied.

    Example: offhook phone settings open
    """
    _once(state, events.SettingsOpened() if what is Page.OPEN else events.SettingsClosed(), json=json)


@app.command(epilog=_CODES)
def call(
    what: Annotated[CallIs, typer.Argument()],
    number: Annotated[str, typer.Argument(help="The other side; to end, all calls when it is left out.")] = "",
    incoming: Annotated[bool, typer.Option("--incoming", help="The other side called.")] = False,
    state: State = None,
    json: JsonOption = False,
) -> None:
    """Begin or end a call; what waited for its end is applied, and it is written into the call history.

    Example: offhook phone call start 204
    """
    begun = what is CallIs.START
    with reported(as_json=json):
        if begun and not number:
            raise Misused("Say who is called: offhook phone call start NUMBER")
    _once(state, events.CallBegan(number, incoming) if begun else events.CallEnded(number), json=json)


@dials.command("add", epilog=_CODES)
def add_dial(
    identity: Annotated[str, typer.Argument(help="Its id; the one that has it is replaced.", metavar="ID")],
    name: Annotated[str, typer.Argument(help="What is shown.")],
    number: Annotated[str, typer.Argument(help="What is dialled.")],
    state: State = None,
    json: JsonOption = False,
) -> None:
    """Add a quick dial as the user of the app would.

    Example: offhook phone dial add mum "My mother" 100
    """
    _once(state, events.DialAdded(identity, name, number), json=json)


@app.command(epilog=_CODES)
def logout(state: State = None, json: JsonOption = False) -> None:
    """Sign out: un-register, report, back up what is the user's, erase the rest. It waits for a call to end.

    Example: offhook phone logout
    """
    _once(state, events.SignOut(), json=json)


@app.command(epilog=_CODES)
def run(
    state: State = None,
    no_sip: Annotated[bool, typer.Option("--no-sip", help="Provision only; register with no SIP server.")] = False,
    sip_listen: Annotated[
        str, typer.Option(help="Take SIP at this address of the machine, such as 127.0.0.1 or 127.0.0.1:5070.")
    ] = "",
    sip_ca: Annotated[
        Path | None, typer.Option(help="Trust SIP servers that these authorities vouch for (PEM), not the system's.")
    ] = None,
) -> None:
    """Keep the phone running, registered with its SIP server, and show how it is; type commands, or `quit`.

    Example: offhook phone run --sip-ca ca.pem
    """
    with outlived() as unread, reported():
        phone_input.check_trust()
        sip = phone_sip.choose(no_sip=no_sip, listen=sip_listen, ca=sip_ca)
        handset = _handset(state)
        with handset.alone():
            phone_run.run(handset, phone_view.console_for(), unread, sip)


def _once(state: Path | None, event: Event, *, json: bool, asks: bool = False) -> None:
    """Let one thing happen to the phone; `asks`: an answer that is none is an error of this command."""
    once = Once(_handset(state), Steps(None if json else phone_view.console_for()))
    with outlived(), reported(as_json=json, beside=once.report):
        phone_input.check_trust()
        once.happen(event)
        if not json:
            console = phone_view.console_for()
            phone_view.print_remarks(console, once.remarks)
            for words in filter(None, (plain(once.message), f"State: {once.state.value}.")):
                console.print(words, markup=False, soft_wrap=True)
        if asks:
            once.complain()
        if json:
            print_object(once.report() | {"error": None})


def _handset(state: Path | None) -> Handset:
    return Handset(state or platformdirs.user_state_path("offhook") / "phone")
