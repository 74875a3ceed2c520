"""Options and arguments that many commands share."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias

import typer

from offhook.core.errors import Invalid
from offhook.core.login import CloudId, parse_field
from offhook.core.secret import Secret

DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Data folder: database, keys, themes. Left out, OFFHOOK_DATA or the usual place of the system.",
        metavar="DIR",
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
RevealOption: TypeAlias = Annotated[bool, typer.Option("--reveal-secrets", help="Show passwords and other secrets.")]
UserArgument: TypeAlias = Annotated[str, typer.Argument(help="Who, such as ann@EXAMPLE.", metavar="USER@CLOUDID")]
CloudIdArgument: TypeAlias = Annotated[str, typer.Argument(help="Which app, such as EXAMPLE.", metavar="CLOUDID")]


class Who(NamedTuple):
    """A user as named on the command line."""

    cloud_id: str
    username: str

    def __str__(self) -> str:
        return f"{self.username}@{self.cloud_id}"


def user(text: str) -> Who:
    """Read USER@CLOUDID as the first field of the app's screen is read: the last `@` splits it. Raises Invalid."""
    login = parse_field(text, Secret(""))
    if not login.username:
        raise Invalid.at("user", f"{text!r} names nobody; a user is written like ann@EXAMPLE")
    return Who(login.cloud_id.name, login.username)


def cloud_id(text: str) -> str:
    """Read a Cloud ID; a star behind it makes no difference here. Raises Invalid."""
    return CloudId.parse(text).name


def examples(*lines: str) -> str:
    """Example lines for the end of a command's help, where they keep their ends."""
    return "\b\n" + "\n".join(("Examples:", *(f"  {line}" for line in lines)))


def author() -> str:
    """Who gives this command, to be noted beside what it changes; empty where the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
