"""Options and arguments that many commands share."""

from __future__ import annotations

import getpass
import shlex
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeAlias

import typer

from offhook.cli.exits import as_misuse, reported
from offhook.config import DataFolder
from offhook.core.errors import Invalid, NotFound
from offhook.core.login import CloudId, Login, parse_field
from offhook.core.secret import Secret

# The commands with which an installation begins. To all others, a data folder without data is a mistyped one.
BEGINNINGS: Final = frozenset({"serve", "app create", "app apply", "tenant create", "import csv"})


def _with_data(ctx: typer.Context, data: Path | None) -> Path | None:
    """The folder named; a command that would only find it empty ends here, instead of making it."""
    folder = DataFolder.choose(data)
    called = ctx.command_path.split()
    begins = not BEGINNINGS.isdisjoint((called[-1], " ".join(called[-2:])))
    with reported(as_json=bool(ctx.params.get("json"))), as_misuse():
        if not begins and not _is_there(folder):
            raise NotFound(
                f"There is no Offhook data in {folder.path}. Name another folder with --data, or begin with "
                "`offhook app create`, `offhook import csv` or `offhook serve`."
            )
    return data


def _is_there(folder: DataFolder) -> bool:
    try:
        folder.database.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise Invalid.at("--data", f"{folder.path} cannot be used as the data folder: {error.strerror}") from None
    return True


DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Data folder: database, keys, themes. Left out, OFFHOOK_DATA or the usual place of the system.",
        metavar="DIR",
        callback=_with_data,
    ),
]
# Eager, so that it is known how to report what is wrong with another option.
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", is_eager=True, help="Print JSON and nothing else.")]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
RevealOption: TypeAlias = Annotated[bool, typer.Option("--reveal-secrets", help="Show passwords and other secrets.")]
AtOnceOption: TypeAlias = Annotated[
    bool,
    typer.Option("--at-once", help="The former SIP password is good no more: phones are cut off until they ask."),
]
UserArgument: TypeAlias = Annotated[str, typer.Argument(help="Who, such as ann@EXAMPLE.", metavar="USER@CLOUDID")]
CloudIdArgument: TypeAlias = Annotated[str, typer.Argument(help="Which app, such as EXAMPLE.", metavar="CLOUDID")]


def _text(words: str | None) -> str | None:
    """Words that can be stored: a terminal passes bytes on that are no text."""
    try:
        (words or "").encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("is not UTF-8 text.") from None
    return words


NoteOption: TypeAlias = Annotated[str, typer.Option(help="Why, for the history.", metavar="TEXT", callback=_text)]
AuthorOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Who, for the history; left out, the user of this machine.", metavar="NAME", callback=_text),
]


class Who(NamedTuple):
    """A user as named on the command line."""

    cloud_id: str
    username: str

    def __str__(self) -> str:
        return f"{self.username}@{self.cloud_id}"


def user(text: str) -> Who:
    """Read USER@CLOUDID as the first field of the app's screen is read: the last `@` splits it. Raises Misused."""
    login = signing_in(text)
    return Who(login.cloud_id.name, login.username)


def signing_in(text: str) -> Login:
    """The same, with the star of the Cloud ID. Raises Misused."""
    with as_misuse():
        login = parse_field(text, Secret(""))
        if not login.username:
            raise Invalid.at("user", f"{text!r} names nobody; a user is written like ann@EXAMPLE")
    return login


def cloud_id(text: str) -> str:
    """Read a Cloud ID; a star behind it makes no difference here. Raises Misused."""
    with as_misuse():
        return CloudId.parse(text).name


def new_cloud_id(text: str) -> str:
    """Read the Cloud ID of something that is to be made, which can have no star. Raises Misused."""
    with as_misuse():
        found = CloudId.parse(text)
        if found.editable:
            raise Invalid.at("Cloud ID", f"{text} has a star behind it, which chooses a version: leave it out")
    return found.name


def examples(*lines: str) -> str:
    """Example lines for the end of a command's help, where they keep their ends."""
    return "\b\n" + "\n".join(("Examples:", *(f"  {line}" for line in lines)))


def here(data: Path | None) -> str:
    """The option that leads a further command to the same data folder; nothing where it would go there anyway."""
    return f" --data {shlex.quote(str(data))}" if data else ""


def author() -> str:
    """Who gives this command, to be noted beside what it changes; empty where the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def who_decides(named: str | None) -> str:
    """Who is noted in the history: the one named, else the user of this machine."""
    return author() if named is None else named
