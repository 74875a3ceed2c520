"""FreeSWITCH's event socket, as its module mod_event_socket documents it: one connection, one command, its answer."""

from __future__ import annotations

import socket
from contextlib import closing
from io import BufferedRWPair
from typing import Final

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.outgoing.deadline import hanging_up

MAX_LINE: Final = 4096
MAX_BODY: Final = 1024 * 1024
MAX_HEADERS: Final = 50


class _Odd(Exception):
    """What comes is not what the protocol says."""


class EventSocket:
    """Where it listens, and its password."""

    def __init__(self, address: str, password: Secret, timeout_s: float) -> None:
        host, _, port = address.removeprefix("tcp:").rpartition(":")
        self._address, self._password, self._timeout_s = (host.strip("[]"), int(port)), password, timeout_s

    def ask(self, *commands: str) -> list[str]:
        """What each of these API commands prints. Raises Unavailable."""
        assert not any(set("\r\n") & set(command) for command in commands), "a command is one line"
        try:
            with (
                closing(socket.create_connection(self._address, self._timeout_s)) as connection,
                hanging_up(self._timeout_s) as end,
                connection.makefile("rwb") as stream,
            ):
                end.watch(connection.fileno())
                _authenticate(stream, self._password)
                return [_api(stream, command) for command in commands]
        except (OSError, _Odd) as error:
            reason = str(error) if isinstance(error, _Odd) else type(error).__name__
            raise Unavailable(f"The event socket of FreeSWITCH does not answer ({reason}).") from None


def _authenticate(stream: BufferedRWPair, password: Secret) -> None:
    kind, _ = _receive(stream)
    if kind.get("content-type") != "auth/request":
        raise _Odd("it is none, or does not let us in")
    if set("\r\n") & set(password.reveal()):
        raise _Odd("its password cannot be said")
    reply, _ = _send(stream, f"auth {password.reveal()}")
    if not reply.get("reply-text", "").startswith("+OK"):
        raise _Odd("it refuses our password")


def _api(stream: BufferedRWPair, command: str) -> str:
    reply, body = _send(stream, f"api {command}")
    if reply.get("content-type") != "api/response":
        raise _Odd("it does not take the command")
    return body


def _send(stream: BufferedRWPair, command: str) -> tuple[dict[str, str], str]:
    stream.write(f"{command}\n\n".encode())
    stream.flush()
    return _receive(stream)


def _receive(stream: BufferedRWPair) -> tuple[dict[str, str], str]:
    """Headers up to an empty line, and as many bytes as they say."""
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = stream.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise _Odd("it hung up")
        if not line.strip():
            break
        name, _, text = line.decode("utf-8", "replace").partition(":")
        headers[name.strip().lower()] = text.strip()
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise _Odd("it sends too much")
    body = stream.read(int(length))
    if len(body) < int(length):
        raise _Odd("it hung up")
    return headers, body.decode("utf-8", "replace")
