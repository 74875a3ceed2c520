"""The desk of administration, opened only when a command runs: wiring loads every part, and help needs none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from offhook.cli.exits import as_misuse
from offhook.cli.options import author
from offhook.config import DataFolder

if TYPE_CHECKING:
    from offhook.wiring import Desk


def open_desk(data: Path | None) -> AbstractContextManager[Desk]:
    """A desk on a data folder, which is made when there is none; raises Misused when it cannot be used."""
    from offhook import wiring

    with as_misuse():
        DataFolder.choose(data).make()
    return wiring.administration(data, author())


@contextmanager
def desk_to_look(data: Path | None) -> Iterator[Desk]:
    """A desk on a data folder; when there is none, on an empty one that goes afterwards."""
    with ExitStack() as stack:
        if not DataFolder.choose(data).database.exists():
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offhook-look-")))
        yield stack.enter_context(open_desk(data))
