"""The command `offhook`: its commands, each loaded only when it is called, so that a phone needs no server library."""

from __future__ import annotations

import importlib
import sys
from typing import Any, ClassVar, Final, NamedTuple

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

import offhook
from offhook.cli import output
from offhook.cli.exits import Exit, Misused, described, print_object

HELP: Final = """Everything a softphone needs to go off-hook: portal, provider service and phone.

Start with `offhook demo`. Every command has `--help` with examples; exit codes are listed by `offhook exit-codes`.
"""


class Entry(NamedTuple):
    """Where a command is, and what it is in one line."""

    module: str
    help: str


COMMANDS: Final[dict[str, Entry]] = {
    "demo": Entry("offhook.cli.demo", "Start a small telephone company and sign a phone in before your eyes."),
    "serve": Entry("offhook.cli.serve", "Serve portal and provider."),
    "app": Entry("offhook.cli.app", "Apps on the portal: create, edit, apply, approve, publish, history, restore."),
    "tenant": Entry("offhook.cli.tenant", "Cloud IDs of the provider service and their settings."),
    "onboarding": Entry("offhook.cli.onboarding", "Who may come in the first time, and what is made for them."),
    "numbers": Entry("offhook.cli.numbers", "Numbers and extensions: pools from which each new user gets one."),
    "policy": Entry("offhook.cli.policy", "Rules of who gets what: draft, plan, approve, publish, restore, pause."),
    "release": Entry("offhook.cli.release", "App and policy together: plan, approve, publish, history, restore."),
    "user": Entry("offhook.cli.user", "Users of a Cloud ID: add, show, set, suspend, resume, remove, list, CSV."),
    "invite": Entry("offhook.cli.invite", "Invitations: links, QR codes, mails and sheets that let a phone in."),
    "install": Entry("offhook.cli.install", "Phones that signed in: list them, sign them out."),
    "sip": Entry("offhook.cli.sip", "SIP systems: list them, check them, show an account as it is there."),
    "upstream": Entry("offhook.cli.upstream", "Directories and databases that vouch for users: list, check, try."),
    "fleet-guard": Entry("offhook.cli.fleet_guard", "Logouts that are held back because there are many."),
    "import": Entry("offhook.cli.imports", "Move over from the vendor's sample script."),
    "shadow": Entry("offhook.cli.shadow", "Ask your old service and ours the same, and compare: before you switch."),
    "doctor": Entry("offhook.cli.doctor", "What differs between here and SIP systems and the like; mends it."),
    "explain": Entry("offhook.cli.explain", "What a user gets, key by key, and why."),
    "definitions": Entry("offhook.cli.definitions", "The web service definitions to paste into a portal."),
    "keys": Entry("offhook.cli.keys", "The keys that seal secrets in the database: list, rotate, forget."),
    "portal-key": Entry("offhook.cli.portal_key", "The public key that apps pin."),
    "phone": Entry("offhook.cli.phone", "A phone: sign in, run, refresh, show, edit, log out."),
    "fleet": Entry("offhook.cli.fleet", "Thousands of phones against a server of yours: a load test."),
    "lint": Entry("offhook.cli.lint", "Check an account document."),
    "exit-codes": Entry("offhook.cli.exit_codes", "What the exit codes mean."),
}


class Commands(TyperGroup):
    """Lists all commands, loads the one that is called."""

    loaded: ClassVar[dict[str, Any]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - the library's own types
        """The names, in the order of their table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - the library's own types
        """The command of a name, or None."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        if cmd_name not in self.loaded:
            self.loaded[cmd_name] = _load(cmd_name, entry)
        return self.loaded[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - the library's own types
        """The list in the help, without loading any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def _load(name: str, entry: Entry) -> Any:  # noqa: ANN401 - the library's own type
    module = importlib.import_module(entry.module)
    group = getattr(module, "app", None)
    if group is None:
        group = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        group.command()(getattr(module, name.replace("-", "_")))
    group.rich_markup_mode = None
    command = typer.main.get_command(group)
    command.name = name
    _keep_examples(command)
    return command


def _keep_examples(command: Any) -> None:  # noqa: ANN401 - the library's own type
    """Leave the lines of examples as they are: a backspace before a paragraph says so."""
    command.help = (command.help or "").replace("\n\nExample", "\n\n\b\nExample")
    for each in getattr(command, "commands", {}).values():
        _keep_examples(each)


app = typer.Typer(
    name="offhook",
    cls=Commands,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"offhook {offhook.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(
        False, "--version", callback=lambda wanted: _version(wanted=wanted), is_eager=True, help="Show the version."
    ),
) -> None:
    """Nothing of its own: the commands do the work."""


def run() -> None:
    """The entry point."""
    output.open_streams()
    try:
        with output.taken():
            code = _run(as_json="--json" in sys.argv)
    except output.NotTaken as error:
        if error.reason:
            typer.echo(f"Error: what is printed cannot be written: {error.reason}", err=True)
        code = Exit.FAILED
    sys.exit(code)


def _run(*, as_json: bool) -> int:
    """Run the command; a program that asked for JSON gets it also when the command line makes no sense."""
    try:
        ended = app(standalone_mode=not as_json)
    except TyperException as error:
        print_object({"error": described(Misused(error.format_message()))})
        return Exit.MISUSED
    except typer.Abort:
        typer.echo("Aborted!", err=True)
        return Exit.FAILED
    except ModuleNotFoundError as error:
        # A library that is not installed belongs to an extra, which is named.
        if (error.name or "").startswith("offhook"):
            raise
        typer.echo(f"This needs the library {error.name}. Install it with: pip install 'offhook[server]'", err=True)
        return Exit.MISUSED
    return ended if isinstance(ended, int) else Exit.OK
