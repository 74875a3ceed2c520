"""Options that the commands of `offhook invite` share."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

import typer

from offhook.cli.exits import Misused

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400}
_PERIOD: Final = re.compile(r"([0-9]{1,6})([mhd])")

LastsOption: TypeAlias = Annotated[
    str | None, typer.Option("--expires", help="How long it is good: 30m, 12h, 7d.", metavar="TIME")
]
UrlOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--public-url",
        help="How phones reach the provider service; left out, public_url of connections.toml.",
        metavar="URL",
    ),
]


def seconds(words: str | None) -> int:
    """A period such as 7d; 0 when none is given. Raises Misused."""
    if words is None:
        return 0
    found = _PERIOD.fullmatch(words.strip())
    if found is None:
        raise Misused(f"--expires takes 30m, 12h or 7d, and not {words[:40]!r}.")
    return int(found[1]) * _UNITS[found[2]]
