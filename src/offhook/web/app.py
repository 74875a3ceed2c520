"""The application: every handler at its path, with limits, the caller's true address, and an event a request."""

from __future__ import annotations

import asyncio
import re
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Route

from offhook.core import accountxml
from offhook.web.events import Events
from offhook.web.http import MAX_BODY, Answer, Call, Handler, Receive, Scope, Send

RETRY_AFTER_FAULT_S: Final = 30
# For the whole of a body: who sends it byte by byte holds a connection no longer than who sends nothing.
BODY_WITHIN_S: Final = 10.0
# A path may hold anything, also a password that somebody put there: only our own patterns are noted.
UNKNOWN_PATH: Final = "-"
# 192.0.2.1:5678, [2001:db8::1] and [2001:db8::1]:5678.
_WITH_PORT: Final = re.compile(r"([0-9.]+):[0-9]+|\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?")
_CLOSE: Final = {"Connection": "close"}


def application(
    handlers: Mapping[str, Handler],
    proxies: Sequence[IPv4Network | IPv6Network],
    events: Events,
    *,
    body_within_s: float = BODY_WITHIN_S,
) -> Starlette:
    """All paths of a serving process; what is not among them is answered with an error document."""

    def endpoint(path: str, handler: Handler) -> Endpoint:
        return Endpoint(path, handler, proxies, events, body_within_s)

    application = Starlette(routes=[Route(path, endpoint=endpoint(path, handlers[path])) for path in handlers])
    application.router.default = endpoint(UNKNOWN_PATH, _nothing_here)
    application.router.redirect_slashes = False
    return application


async def _nothing_here(call: Call) -> Answer:  # noqa: ARG001 - the shape of a handler
    return error_answer(404, "There is nothing at this address.")


def error_answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An error document as the app shows it to its user (D7)."""
    shared = {"Content-Type": f"{accountxml.CONTENT_TYPE}; charset=utf-8", "Cache-Control": "no-store"}
    return Answer(status, {**shared, **(headers or {})}, accountxml.write_error(message).encode())


class Endpoint:
    """A handler at a path, which may be a pattern, as an ASGI application."""

    def __init__(
        self,
        path: str,
        handler: Handler,
        proxies: Sequence[IPv4Network | IPv6Network],
        events: Events,
        body_within_s: float,
    ) -> None:
        self.path, self.handler, self.proxies, self.events = path, handler, proxies, events
        self.body_within_s = body_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request, answer it, note it: method, pattern of the path and status, never the query or the body."""
        started = time.perf_counter()
        call = _call(scope, self.proxies)
        answer = await self._answer(call, receive)
        await _send(call, answer, send)
        self.events(
            "http.request",
            method=call.method,
            path=self.path,
            status=answer.status,
            bytes=len(answer.body),
            client=call.client,
            milliseconds=round((time.perf_counter() - started) * 1000, 2),
        )

    async def _answer(self, call: Call, receive: Receive) -> Answer:
        try:
            async with asyncio.timeout(self.body_within_s):
                body = await _body(receive)
        except TimeoutError:
            return error_answer(408, "The request did not arrive in time. Please try again.", _CLOSE)
        if body is None:
            return error_answer(413, f"The request is larger than {MAX_BODY:,} bytes.", _CLOSE)
        try:
            return await self.handler(_with_body(call, body))
        except Exception as error:  # noqa: BLE001 - the outermost edge: a fault of ours is noted and never becomes a logout (D21)
            number = f"{time.time_ns():x}"
            self.events("http.fault", number=number, path=self.path, error=type(error).__name__, where=_where(error))
            message = f"Something went wrong on our side. Please try again later. If it stays, quote {number}."
            return error_answer(503, message, {"Retry-After": str(RETRY_AFTER_FAULT_S)})


def _call(scope: Scope, proxies: Sequence[IPv4Network | IPv6Network]) -> Call:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    peer = (scope.get("client") or ("", 0))[0]
    return Call(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        client=client_address(peer, headers.get("x-forwarded-for", ""), proxies),
        parameters=dict(scope.get("path_params", {})),
    )


def _with_body(call: Call, body: bytes) -> Call:
    return Call(call.method, call.path, call.query, call.headers, body, call.client, call.parameters)


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is over the limit."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        piece = message.get("body", b"")
        size += len(piece)
        if size > MAX_BODY:
            return None
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _send(call: Call, answer: Answer, send: Send) -> None:
    headers = (
        {**answer.headers} if answer.status == 304 else {**answer.headers, "Content-Length": str(len(answer.body))}
    )
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else answer.body})


def client_address(peer: str, forwarded: str, proxies: Iterable[IPv4Network | IPv6Network]) -> str:
    """The caller's address: the last forwarded one that is not a trusted proxy's, if the peer is a trusted proxy."""
    trusted = tuple(proxies)
    address = _address(peer)
    for candidate in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if address is None or not any(address in network for network in trusted):
            break
        further = _address(candidate)
        if further is None:
            break
        address = further
    return peer if address is None else str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it, perhaps with a port; an IPv4 one in IPv6 clothes (::ffff:) is what it is."""
    with_port = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((with_port[1] or with_port[2]) if with_port else text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _where(error: Exception) -> str:
    """The lines the error went through. Its text is left out, since it may hold what a user sent."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames)
