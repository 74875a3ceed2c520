"""One HTTP exchange as values, and the few lines between them and ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

import msgspec

MAX_BODY: Final = 64 * 1024


class Call(msgspec.Struct, frozen=True):
    """A request: header names in lower case, the path decoded, the query as it came, `client` the caller's address."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = {}
    body: bytes = b""
    client: str = ""
    parameters: dict[str, str] = {}

    def __repr__(self) -> str:
        # A path may hold a password that somebody mistook it for.
        return f"Call({self.method})"


class Answer(msgspec.Struct, frozen=True):
    """An answer; Content-Length is added when it is sent."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"


Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
