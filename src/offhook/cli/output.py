"""The standard streams of the process: any locale, any reader, also one who goes away."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

# The reader is gone; the disk behind it is full, or broken; it was never open for writing.
_NOT_TAKEN: Final = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF})


class NotTaken(Exception):
    """Nobody takes what is printed; `reason` is empty when the reader has just gone away, which it may."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def open_streams() -> None:
    """Every stream is there, and letters that it cannot carry are written as escapes, instead of ending the command."""
    for name, mode, errors in (
        ("stdin", "r", "surrogateescape"),
        ("stdout", "w", "backslashreplace"),
        ("stderr", "w", "backslashreplace"),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for the whole process
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


@contextmanager
def taken() -> Iterator[None]:
    """What is printed inside has left this process at the end. Raises NotTaken."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _NOT_TAKEN:
            raise
        _drop_the_rest()
        raise NotTaken("" if error.errno == errno.EPIPE else os.strerror(error.errno)) from None


def _drop_the_rest() -> None:
    """What still waits to be printed would fail once more at the very end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
