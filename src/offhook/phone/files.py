"""The few file operations that a vault is made of, one system call each, and the order that makes them safe."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from offhook.core.errors import OffhookError

# Written first and renamed then; what still has this ending was left behind by a crash.
UNFINISHED: Final = ".new"


class Files(Protocol):
    """A disk. Every operation raises OffhookError, with a text for a person, when the disk does not play along."""

    def read(self, path: Path, limit_bytes: int) -> bytes | None:
        """The content, or None when there is no such file."""

    def write(self, path: Path, content: bytes) -> None:
        """Write a file anew, readable for nobody else; not yet safe from a loss of power."""

    def copy(self, path: Path, name: Path) -> None:
        """Write a file's content anew under another name, however long it is; not yet safe from a loss of power."""

    def sync(self, path: Path) -> None:
        """Make the content of a file safe, or the names in a folder."""

    def rename(self, path: Path, name: Path) -> None:
        """Give a file or folder another name in one step; a file replaces the one that had it."""

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, in order; none when there is no such folder."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder, and those above it, for nobody else; nothing when it is there."""


def put(files: Files, path: Path, content: bytes) -> None:
    """Put a file in place so that after a crash the old content is there or the new one, whole."""
    unfinished = path.with_name(path.name + UNFINISHED)
    files.write(unfinished, content)
    files.sync(unfinished)
    move(files, unfinished, path)


def duplicate(files: Files, path: Path, name: Path) -> None:
    """Give a file a copy, of which a crash leaves all or nothing under that name."""
    unfinished = name.with_name(name.name + UNFINISHED)
    files.copy(path, unfinished)
    files.sync(unfinished)
    move(files, unfinished, name)


def move(files: Files, path: Path, name: Path) -> None:
    """Rename a file within its file system so that a crash cannot undo it later."""
    files.rename(path, name)
    files.sync(name.parent)


class Disk:
    """The disk of this machine."""

    def read(self, path: Path, limit_bytes: int) -> bytes | None:
        with in_words(path):
            try:
                with path.open("rb") as file:
                    return file.read(limit_bytes)
            except FileNotFoundError:
                return None

    def write(self, path: Path, content: bytes) -> None:
        with in_words(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)

    def copy(self, path: Path, name: Path) -> None:
        with in_words(name):
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as copy, path.open("rb") as file:
                shutil.copyfileobj(file, copy)

    def sync(self, path: Path) -> None:
        with in_words(path):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def rename(self, path: Path, name: Path) -> None:
        with in_words(path):
            path.replace(name)

    def remove(self, path: Path) -> None:
        with in_words(path):
            path.unlink(missing_ok=True)

    def names(self, folder: Path) -> list[str]:
        with in_words(folder):
            return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []

    def make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        with in_words(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.sync(folder.parent)


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """What the system says against a path, as an OffhookError."""
    try:
        yield
    except OSError as error:
        raise OffhookError(f"The phone cannot use {path}: {error.strerror or type(error).__name__}.") from None
