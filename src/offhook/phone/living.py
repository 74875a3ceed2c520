"""The asynchronous driver: it performs conversations that wait, register and live on, very many in one loop.

async with Web() as web:                                  # one for all phones
surroundings = Surroundings(web, Edge(handset.act))   # one for each; its mailbox takes what happens
await live(handset.living().run(), surroundings)
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Protocol, Self

import httpx2

from offhook.core.errors import OffhookError
from offhook.core.webservice import Request
from offhook.phone.commands import (
    Answer,
    Draw,
    Fetch,
    FetchAll,
    Flow,
    Look,
    Moment,
    Register,
    Reply,
    Result,
    Unregister,
    Wait,
)
from offhook.phone.edge import Asking, Edge, advance, step
from offhook.phone.events import Event, TimePassed
from offhook.phone.steps import Notice, Waiting, unwatched
from offhook.phone.useragent import NoUserAgent, UserAgent
from offhook.phone.wire import FAILURES, NO_AUTH, Body, client_settings, lost, written


class Network(Protocol):
    """Asks services. Many phones may share one."""

    async def ask(self, fetch: Fetch) -> Answer:
        """The answer, or why there is none; never later than the request's timeout, and never an exception."""


class Web:
    """The network of this machine; used with `async with`."""

    def __init__(self, notice: Notice = unwatched, tls: ssl.SSLContext | None = None) -> None:
        self._notice = notice
        self._client = httpx2.AsyncClient(**client_settings(tls))

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._client.aclose()

    async def ask(self, fetch: Fetch) -> Answer:
        with step(fetch, self._notice) as asking, suppress(TimeoutError):
            async with asyncio.timeout(fetch.request.timeout_s):
                while asking.request is not None:
                    asking.take(await self._send(asking.request, asking))
        return asking.answer

    async def _send(self, request: Request, asking: Asking) -> Answer:
        body = Body(asking.limit_bytes, asking.deadline)
        try:
            answer = await self._client.send(written(request, asking.deadline), auth=NO_AUTH, stream=True)
            async with aclosing(answer), aclosing(answer.aiter_bytes()) as pieces:
                async for piece in pieces:
                    if not body.add(piece):
                        break
        except FAILURES as failure:
            return lost(failure)
        return body.finished(answer)


class Mailbox:
    """What happens to a phone while it waits; to be used within one event loop."""

    __slots__ = ("_bell", "_events")

    def __init__(self) -> None:
        self._events: deque[Event] | None = None
        self._bell: asyncio.Future[None] | None = None

    def post(self, event: Event) -> None:
        """Something happens."""
        if self._events is None:
            self._events = deque()
        self._events.append(event)
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def take(self, seconds: float | None) -> Event:
        """The oldest event that is there, or the first to come within this time, or `TimePassed`."""
        if not self._events and (seconds is None or seconds > 0):
            self._bell = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._bell
            self._bell = None
        if not self._events:
            return TimePassed()
        event = self._events.popleft()
        if not self._events:
            self._events = None
        return event


class Mail(Protocol):
    """Where events come from."""

    async def take(self, seconds: float | None) -> Event:
        """The next event; `TimePassed` after this many seconds without one."""


def _now() -> datetime:
    return datetime.now(UTC)


class Surroundings:
    """Everything a phone touches: network, disk and watchers, events, SIP, clocks, chance."""

    __slots__ = ("agent", "chance", "edge", "mail", "network", "seconds", "wall")

    def __init__(
        self,
        network: Network,
        edge: Edge,
        mail: Mail | None = None,
        agent: UserAgent | None = None,
        *,
        seconds: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.network, self.edge = network, edge
        self.mail, self.agent = mail or Mailbox(), agent or NoUserAgent()
        self.seconds, self.wall, self.chance = seconds, wall, chance


async def live(flow: Flow[Result], around: Surroundings) -> Result:
    """Perform a conversation to its end; what it asks together is asked at the same time."""
    reply: Reply | OffhookError = None
    try:
        while True:
            command = advance(flow, reply)
            match command:
                case Fetch():
                    reply = await around.network.ask(command)
                # Nothing is given a name here: it would be held for as long as the phone lives.
                case FetchAll():
                    reply = tuple(await asyncio.gather(*map(around.network.ask, command.fetches)))
                case Wait(until_s=until_s):
                    reply = await _wait(until_s, around)
                case Register():
                    await around.agent.register(command.account)
                    reply = None
                case Unregister(timeout_s=timeout_s):
                    await _unregister(timeout_s, around.agent)
                    reply = None
                case Look():
                    reply = Moment(around.seconds(), around.wall())
                case Draw():
                    reply = around.chance()
                case _:
                    reply = around.edge.act(command)
    except StopIteration as end:
        result: Result = end.value
        return result


async def _wait(until_s: float | None, around: Surroundings) -> Event:
    seconds = None if until_s is None else max(until_s - around.seconds(), 0.0)
    if seconds != 0.0:
        around.edge.notice(Waiting(seconds))
    return await around.mail.take(seconds)


async def _unregister(timeout_s: float, agent: UserAgent) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await agent.unregister()
