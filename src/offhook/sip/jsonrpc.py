"""Kamailio's JSON-RPC: what its module jsonrpcs offers over datagrams (a Unix socket, or UDP) and over HTTP."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx2
import msgspec

from offhook.core import address as parts
from offhook.core.errors import Unavailable
from offhook.outgoing.deadline import hanging_up

MAX_BYTES: Final = 65_536
_ids: Final = itertools.count(1)


class Failed(Exception):
    """It answered, and its answer is an error: its code, and what it says."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code, self.text = code, text


class _Error(msgspec.Struct, frozen=True):
    code: int
    message: str = ""


class _Answer(msgspec.Struct, frozen=True):
    id: int | None = None
    result: Any = None
    error: _Error | None = None


def fault(control: str) -> str:
    """What is wrong with the address of a control; empty when nothing is."""
    scheme, _, rest = control.partition(":")
    match scheme:
        case "unix" if rest.startswith("/"):
            return ""
        case "udp" if (
            (port := rest.rpartition(":")[2]).isdecimal() and 0 < int(port) < 65_536 and rest[: -len(port) - 1]
        ):
            return ""
        case "http" | "https":
            wrong = parts.fault(control)
            return f"control {wrong}" if wrong else ""
        case _:
            pass
    return 'control must be "unix:/path/of/the/socket", "udp:host:port" or "http://host:port/RPC"'


def shown(control: str) -> str:
    """What may be shown of it: of an address with a path, only where it is."""
    return parts.shown(control) if control.startswith("http") else control


class Control:
    """One Kamailio, by the address of its JSON-RPC."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self._address, self._timeout_s = address, timeout_s
        self._shown = shown(address)

    def ask(self, method: str, *params: str) -> Any:  # noqa: ANN401 - each method has a result of its own
        """The result. Raises Failed when it answers with an error, Unavailable for no answer, or one without sense."""
        number = next(_ids)
        request = msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params, "id": number})
        try:
            answer = msgspec.json.decode(self._exchange(request), type=_Answer)
        except (OSError, httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            raise Unavailable(f"Kamailio does not answer at {self._shown} ({type(error).__name__}).") from None
        except msgspec.DecodeError:
            raise Unavailable(f"What answers at {self._shown} is no JSON-RPC of Kamailio.") from None
        if answer.error is not None:
            raise Failed(answer.error.code, answer.error.message)
        if answer.id != number:
            raise Unavailable(f"What answers at {self._shown} answers something else than it was asked.")
        return answer.result

    def _exchange(self, request: bytes) -> bytes:
        scheme, _, rest = self._address.partition(":")
        if scheme in {"http", "https"}:
            return self._post(request)
        with _unix(rest) if scheme == "unix" else _udp(rest) as asking:
            asking.settimeout(self._timeout_s)
            asking.send(request)
            return asking.recv(MAX_BYTES)

    def _post(self, request: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        with hanging_up(self._timeout_s) as end, httpx2.Client(timeout=self._timeout_s, trust_env=False) as client:
            # A method that fails is answered with a status of 4xx or 5xx, and a body that says more.
            answer = client.post(self._address, content=request, headers=headers, extensions=dict(end.extensions))
            return answer.content[:MAX_BYTES]


@contextmanager
def _unix(path: str) -> Iterator[socket.socket]:
    """A socket that can be answered: Linux gives it a name that is no file; elsewhere it needs a path of its own."""
    own = "" if os.uname().sysname == "Linux" else f"{path}.{os.getpid()}.{next(_ids)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        asking.bind(own)
        try:
            asking.connect(path)
            yield asking
        finally:
            if own:
                os.unlink(own)  # noqa: PTH108 - as it was made


@contextmanager
def _udp(address: str) -> Iterator[socket.socket]:
    host, _, port = address.rpartition(":")
    family, kind, protocol, _, found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as asking:
        asking.connect(found)
        yield asking
