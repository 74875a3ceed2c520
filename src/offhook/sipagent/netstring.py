"""Netstrings: how messages stand one after the other on the control socket, as `5:hello,`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MAX_BYTES: Final = 1024 * 1024
_MAX_DIGITS: Final = len(str(MAX_BYTES))


class Garbled(Exception):
    """What came is no netstring, or one that is too long."""


def dumps(message: bytes) -> bytes:
    """A message as it is sent."""
    return b"%d:%b," % (len(message), message)


class Reader:
    """Puts messages together from the pieces in which they come."""

    def __init__(self) -> None:
        self._left = b""

    def messages(self, piece: bytes) -> Iterator[bytes]:
        """The messages that this piece ends. Raises Garbled."""
        self._left += piece
        while b":" in self._left[: _MAX_DIGITS + 1]:
            digits, _, rest = self._left.partition(b":")
            if not digits.isdigit() or int(digits) > MAX_BYTES:
                raise Garbled
            length = int(digits)
            if len(rest) <= length:
                return
            if rest[length : length + 1] != b",":
                raise Garbled
            self._left = rest[length + 1 :]
            yield rest[:length]
        if len(self._left) > _MAX_DIGITS:
            raise Garbled
