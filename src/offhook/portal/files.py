"""Somebody's folder read with care: only ordinary files that lie in it, none that a link or a device stands in for.

What is read here is published to every phone. A folder that came from elsewhere, such as a git repository, may hold a
link to a private file of this machine, or a pipe that never ends.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from offhook.core.errors import Invalid

MAX_DEPTH: Final = 6
MAX_ENTRIES: Final = 10_000
# Neither follows a link nor waits for somebody to write into a pipe.
_CAREFULLY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_LINK: Final = "is a link, which is not followed; put what it names in its place"
_NO_FILE: Final = "is no ordinary file"


def exists(path: Path) -> bool:
    """Whether anything stands there, also a link that leads nowhere."""
    return os.path.lexists(path)


def is_folder(path: Path, place: str) -> bool:
    """Whether there is such a folder; raises Invalid when something else stands there in its place."""
    if not exists(path):
        return False
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        raise Invalid.at(place, _LINK)
    if not stat.S_ISDIR(kind):
        raise Invalid.at(place, "is no folder")
    return True


def content(path: Path, place: str, limit_bytes: int) -> bytes:
    """What an ordinary file holds; raises Invalid, also for one that is larger."""
    try:
        if path.is_symlink():
            raise Invalid.at(place, _LINK)
        handle = os.open(path, _CAREFULLY)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Invalid.at(place, _NO_FILE)
            found = file.read(limit_bytes + 1)
    except OSError as error:
        raise Invalid.at(place, f"cannot be read: {error.strerror}") from None
    if len(found) > limit_bytes:
        raise Invalid.at(place, f"is far too large: it has more than {limit_bytes:,} bytes")
    return found


def below(folder: Path) -> list[Path]:
    """The paths of all files in a folder and in those inside it, in order; whose name begins with a dot is left out.

    Raises Invalid for anything that is neither a file nor a folder, and for a folder without an end.
    """
    found = []
    for path in _walk(folder, folder, MAX_DEPTH):
        found.append(path)
        if len(found) > MAX_ENTRIES:
            raise Invalid.at("", f"has more than {MAX_ENTRIES:,} files")
    return found


def _walk(folder: Path, top: Path, levels: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            listed = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda one: one.name)
    except OSError as error:
        raise Invalid.at(_place(folder, top), f"cannot be read: {error.strerror}") from None
    for entry in listed:
        path = folder / entry.name
        if entry.is_symlink():
            raise Invalid.at(_place(path, top), _LINK)
        if entry.is_file(follow_symlinks=False):
            yield path
        elif not entry.is_dir(follow_symlinks=False):
            raise Invalid.at(_place(path, top), _NO_FILE)
        elif levels:
            yield from _walk(path, top, levels - 1)
        else:
            raise Invalid.at(_place(path, top), f"lies more than {MAX_DEPTH} folders deep")


def _place(path: Path, top: Path) -> str:
    return "" if path == top else path.relative_to(top).as_posix()


def put(path: Path, written: bytes) -> None:
    """Write a file, in place of what was there, but never through a link. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(written)
