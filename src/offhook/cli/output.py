"""The standard streams of the process: any locale, any reader, also one who goes away."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

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
        raise _not_taken(error) from None


class Outlived(io.FileIO):
    """A stream that takes everything, and keeps to itself that nobody wants it any more; `lost` is what was said."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.lost: OSError | None = None

    def write(self, content: Any) -> int:  # noqa: ANN401 - what the library takes for bytes
        """Write what somebody takes."""
        if self.lost is None:
            try:
                return super().write(content) or 0
            except OSError as error:
                if error.errno not in _NOT_TAKEN:
                    raise
                self.lost = error
        return memoryview(content).nbytes


@contextmanager
def outlived() -> Iterator[Callable[[], bool]]:
    """What happens inside goes to its own end, whoever reads of it; tells whether nobody does any more.

    For a conversation, whose other side knows nothing of our reader. Raises NotTaken after an end that was good.
    """
    usual = sys.stdout, sys.stderr
    try:
        raws = [Outlived(stream.fileno()) for stream in usual]
    except (OSError, ValueError):
        # Somebody in this process reads it.
        yield lambda: False
        return
    sys.stdout, sys.stderr = map(_dressed, raws, usual)
    try:
        yield lambda: raws[0].lost is not None
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = usual
    if raws[0].lost is not None:
        raise _not_taken(raws[0].lost)


def _dressed(raw: Outlived, usual: TextIO) -> TextIO:
    usual.flush()
    buffer, by_line = io.BufferedWriter(raw), raw.isatty() or usual is sys.stderr
    return io.TextIOWrapper(buffer, encoding=usual.encoding, errors=usual.errors, line_buffering=by_line)


def _not_taken(error: OSError) -> NotTaken:
    return NotTaken("" if error.errno == errno.EPIPE else os.strerror(error.errno or 0))


def _drop_the_rest() -> None:
    """What still waits to be printed would fail once more at the very end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
