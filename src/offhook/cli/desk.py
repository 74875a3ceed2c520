"""The desk of administration, opened only when a command runs: wiring loads every part, and help needs none."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from offhook.cli.options import author

if TYPE_CHECKING:
    from offhook.wiring import Desk


def open_desk(data: Path | None) -> AbstractContextManager[Desk]:
    """A desk on a data folder, which is made when there is none; raises Invalid when it cannot be used."""
    from offhook import wiring

    return wiring.administration(data, author())
