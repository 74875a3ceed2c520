"""How this program was called, so that the commands it prints can be copied."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Final

NAME: Final = "offhook"


def called(program: str, found: str | None, folder: Path) -> str:
    """What to type for `program` in `folder`; `found` is what the shell finds under our name.

    A program of another name is somebody who calls us from Python, and reads our usual name.
    """
    path = Path(program)
    if path.name != NAME or (found is not None and _same(path, Path(found))):
        return NAME
    if not path.is_absolute():
        return shlex.quote(program)
    return shlex.quote(os.path.relpath(path, folder) if path.is_relative_to(folder) else program)


def ours(program: str) -> str:
    """The same for this process."""
    return called(program, shutil.which(NAME), Path.cwd())


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
