"""The application: every handler at its path, with limits, the caller's true address, and an event a request."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Route

from offhook.core import accountxml
from offhook.web.events import Events
from offhook.web.http import MAX_BODY, Answer, Call, Handler, Receive, Scope, Send

RETRY_AFTER_FAULT_S: Final = 30


def application(
    handlers: Mapping[str, Handler], proxies: Sequence[IPv4Network | IPv6Network], events: Events
) -> Starlette:
    """All paths of a serving process; what is not among them is answered with an error document."""
    routes = [Route(path, endpoint=Endpoint(handler, proxies, events)) for path, handler in handlers.items()]
    application = Starlette(routes=routes)
    application.router.default = Endpoint(_nothing_here, proxies, events)
    application.router.redirect_slashes = False
    return application


async def _nothing_here(call: Call) -> Answer:  # noqa: ARG001 - the shape of a handler
    return error_answer(404, "There is nothing at this address.")


def error_answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An error document as the app shows it to its user (D7)."""
    shared = {"Content-Type": f"{accountxml.CONTENT_TYPE}; charset=utf-8", "Cache-Control": "no-store"}
    return Answer(status, {**shared, **(headers or {})}, accountxml.write_error(message).encode())


class Endpoint:
    """A handler as an ASGI application."""

    def __init__(self, handler: Handler, proxies: Sequence[IPv4Network | IPv6Network], events: Events) -> None:
        self.handler, self.proxies, self.events = handler, proxies, events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request, answer it, note it: method, path and status, never the query or the body."""
        started = time.perf_counter()
        call = _call(scope, self.proxies)
        answer = await self._answer(call, receive)
        await _send(call, answer, send)
        self.events(
            "http.request",
            method=call.method,
            path=call.path,
            status=answer.status,
            bytes=len(answer.body),
            client=call.client,
            milliseconds=round((time.perf_counter() - started) * 1000, 2),
        )

    async def _answer(self, call: Call, receive: Receive) -> Answer:
        if "content-length" in call.headers and "transfer-encoding" in call.headers:
            return error_answer(400, "The request names two different lengths.")
        body = await _body(receive)
        if body is None:
            return error_answer(413, f"The request is larger than {MAX_BODY:,} bytes.")
        try:
            return await self.handler(_with_body(call, body))
        except Exception as error:  # noqa: BLE001 - the outermost edge: a fault of ours is noted and never becomes a logout (D21)
            number = f"{time.time_ns():x}"
            self.events("http.fault", number=number, path=call.path, error=type(error).__name__, where=_where(error))
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
    address = peer
    for candidate in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if not _in(address, trusted):
            break
        address = candidate
    return address if _is_address(address) else peer


def _in(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _where(error: Exception) -> str:
    """The lines the error went through. Its text is left out, since it may hold what a user sent."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames)
