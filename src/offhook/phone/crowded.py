"""The network of a fleet: one aiohttp session for all of its phones, with a limit of connections.

As every real phone does, each request makes a connection of its own and closes it. Waiting until one of them is free is
measured apart from the answers, since it says something about the fleet and nothing about the server.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from typing import Final, Self, TypeAlias
from urllib.parse import urlsplit

import aiohttp
import httpx2
from yarl import URL

from offhook.core.webservice import Request, is_loopback
from offhook.phone.commands import Answer, Fetch, NoAnswer, Why
from offhook.phone.edge import Asking, step
from offhook.phone.spread import Spread
from offhook.phone.steps import Notice, unwatched
from offhook.phone.wire import Body, system_trust

TOO_FAR: Final = "it is not on this machine, and a fleet asks no other unless it is told to"
# ValueError: what the library says of a request that cannot be sent; UnicodeError is one of them.
_FAILURES: Final = (aiohttp.ClientError, OSError, ValueError)
_Failure: TypeAlias = aiohttp.ClientError | OSError | ValueError


class Connections:
    """At most so many connections for any number of phones; used with `async with`. `far`: to other machines, too."""

    def __init__(
        self, limit: int, notice: Notice = unwatched, *, far: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.waited = Spread()
        self._notice, self._far, self._tls = notice, far, tls
        self._free = asyncio.Semaphore(limit)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=self._tls or system_trust())
        forever = aiohttp.ClientTimeout(total=None, sock_connect=None)
        self._session = aiohttp.ClientSession(connector=connector, timeout=forever, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *failure: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def ask(self, fetch: Fetch) -> Answer:
        """As a `Network` does; the time of a request begins when it has a connection."""
        begin = time.perf_counter()
        async with self._free:
            self.waited.add(time.perf_counter() - begin)
            with step(fetch, self._notice) as asking, suppress(TimeoutError):
                async with asyncio.timeout(fetch.request.timeout_s):
                    while asking.request is not None:
                        asking.take(await self._send(asking.request, asking))
        return asking.answer

    async def _send(self, request: Request, asking: Asking) -> Answer:
        assert self._session is not None
        if not self._far and not is_loopback(urlsplit(request.url).hostname or ""):
            return NoAnswer(Why.UNREACHABLE, TOO_FAR)
        body = Body(asking.limit_bytes, asking.deadline)
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
            ) as answer:
                async for piece in answer.content.iter_any():
                    if not body.add(piece):
                        break
                return body.finished(httpx2.Response(answer.status, headers=list(answer.headers.items())))
        except _FAILURES as failure:
            return _lost(failure)


def _lost(failure: _Failure) -> NoAnswer:
    """Why there is no answer. The library's own words are not repeated, since they may quote a header or a URL."""
    match failure:
        case aiohttp.ClientSSLError():
            return NoAnswer(Why.TLS)
        case aiohttp.ClientConnectorError():
            return NoAnswer(Why.UNREACHABLE, failure.strerror or "")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | OSError():
            return NoAnswer(Why.CUT_OFF)
        case aiohttp.ClientError():
            return NoAnswer(Why.GARBLED)
        case _:
            return NoAnswer(Why.UNSENDABLE, "the request cannot be sent")
