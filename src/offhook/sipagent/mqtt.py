"""MQTT, as much of it as one agent speaks with us: what comes, piece by piece, and what is answered.

baresip connects to a broker, publishes what happens, and takes commands from it. We are that broker, for it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

MAX_BYTES: Final = 1024 * 1024
# How packets begin: their kind, and flags that have to be 0 or say nothing to us.
CONNECT: Final = 0x10
PUBLISH: Final = 0x30
SUBSCRIBE: Final = 0x82
PING: Final = 0xC0
WELCOME: Final = b"\x20\x02\x00\x00"
PONG: Final = b"\xd0\x00"
_LEVEL: Final = b"\x00\x04MQTT\x04"
# A name and a password come with it; there is no will, and nothing of an earlier session.
_WITH_PASSWORD: Final = 0xC2
_LENGTH_BYTES: Final = 4


class Garbled(Exception):
    """What came is no packet, or one that is too long."""


class Packet(msgspec.Struct, frozen=True):
    """One packet: its first byte, and what follows its length."""

    kind: int
    body: bytes

    def dumps(self) -> bytes:
        """The packet as it is sent."""
        length, left = bytearray(), len(self.body)
        while True:
            left, digit = divmod(left, 128)
            length.append(digit | (128 if left else 0))
            if not left:
                return bytes([self.kind, *length]) + self.body


class Reader:
    """Puts packets together from the pieces in which they come."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self.most = most
        self._left = b""

    def packets(self, piece: bytes = b"") -> Iterator[Packet]:
        """The packets that this piece ends, and those before them that nobody took. Raises Garbled."""
        self._left += piece
        while (size := self._size()) is not None:
            begin, length = size
            if len(self._left) < begin + length:
                return
            packet = Packet(self._left[0], self._left[begin : begin + length])
            self._left = self._left[begin + length :]
            yield packet

    def _size(self) -> tuple[int, int] | None:
        """Where the first packet's body begins and how long it is, when that is known."""
        length = 0
        for at, digit in enumerate(self._left[1 : 1 + _LENGTH_BYTES]):
            length |= (digit & 127) << (7 * at)
            if length > self.most:
                raise Garbled
            if digit < 128:
                return at + 2, length
        if len(self._left) > _LENGTH_BYTES:
            raise Garbled
        return None


def password(packet: Packet) -> bytes:
    """The password with which somebody connects. Raises Garbled when it is no such packet, or has none."""
    flags, rest = packet.body[len(_LEVEL) : len(_LEVEL) + 1], packet.body[len(_LEVEL) + 3 :]
    if packet.kind != CONNECT or not packet.body.startswith(_LEVEL) or flags != bytes([_WITH_PASSWORD]):
        raise Garbled
    _client, rest = _text(rest)
    _name, rest = _text(rest)
    found, rest = _text(rest)
    if rest:
        raise Garbled
    return found


def subscribed(packet: Packet) -> bytes:
    """The answer to a subscription to one topic. Raises Garbled when it is none."""
    if packet.kind != SUBSCRIBE or len(packet.body) < 2:
        raise Garbled
    return Packet(0x90, packet.body[:2] + b"\x00").dumps()


def published(packet: Packet) -> bytes:
    """What is said in a packet of the kind PUBLISH, whatever the topic. Raises Garbled."""
    return _text(packet.body)[1]


def publish(topic: str, message: bytes) -> bytes:
    """What says a message to who listens to the topic."""
    name = topic.encode()
    return Packet(PUBLISH, len(name).to_bytes(2, "big") + name + message).dumps()


def _text(body: bytes) -> tuple[bytes, bytes]:
    """A text with its length before it, and what follows."""
    end = 2 + int.from_bytes(body[:2], "big")
    if len(body) < end:
        raise Garbled
    return body[2:end], body[end:]
