"""The two drivers: they perform what a conversation wants, one step after the other or several at once.

Every fetch has one deadline, redirects and challenges included. The blocking driver looks at the clock between the
pieces of an answer; against a server that sends its headers byte by byte, only the asynchronous one keeps the deadline.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing, contextmanager, suppress
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx2

from offhook.core.webservice import Request
from offhook.phone.commands import Answer, Fetch, FetchAll, Flow, NoAnswer, Reply, Save, Skip, Why
from offhook.phone.exchange import exchange
from offhook.phone.saved import Saved
from offhook.phone.steps import Began, Ended, Notice, Skipped, unwatched
from offhook.phone.wire import FAILURES, NO_AUTH, Body, Deadline, client_settings, lost, written

SAVE: Final = "save"

_Result = TypeVar("_Result")


class Edge:
    """Where a conversation meets the world: who saves, who watches, whom TLS trusts (None: whom the system does)."""

    def __init__(
        self, save: Callable[[Saved, bytes], None], notice: Notice = unwatched, tls: ssl.SSLContext | None = None
    ) -> None:
        self.save, self.notice, self.tls = save, notice, tls

    def act(self, command: Save | Skip) -> Reply:
        """Do what needs no network; there is nothing to reply."""
        if isinstance(command, Skip):
            self.notice(Skipped(command.service, command.why))
        else:
            begin = time.perf_counter()
            self.notice(Began(SAVE))
            self.save(command.saved, command.theme)
            self.notice(Ended(SAVE, "saved", time.perf_counter() - begin))
        return None


class _Asking:
    """One fetch under way: its exchange, its deadline, and in the end its answer."""

    def __init__(self, fetch: Fetch) -> None:
        self.limit_bytes = fetch.limit_bytes
        self.exchange = exchange(fetch.request)
        self.request: Request | None = next(self.exchange)
        self.deadline = Deadline(fetch.request.timeout_s)
        self.answer: Answer = NoAnswer(Why.TIMEOUT)

    def take(self, answer: Answer) -> None:
        """Go on with an answer from the wire."""
        try:
            self.request = self.exchange.send(answer)
        except StopIteration as end:
            self.request, self.answer = None, end.value


def perform(flow: Flow[_Result], edge: Edge) -> _Result:
    """Perform a conversation and wait for it, one fetch after the other."""
    reply: Reply = None
    with httpx2.Client(**client_settings(edge.tls)) as client:
        try:
            while True:
                command = flow.send(reply)
                if isinstance(command, Fetch):
                    reply = _ask(client, command, edge)
                elif isinstance(command, FetchAll):
                    reply = tuple([_ask(client, one, edge) for one in command.fetches])
                else:
                    reply = edge.act(command)
        except StopIteration as end:
            result: _Result = end.value
            return result


async def perform_async(flow: Flow[_Result], edge: Edge) -> _Result:
    """Perform a conversation; what it asks together is asked at the same time."""
    reply: Reply = None
    async with httpx2.AsyncClient(**client_settings(edge.tls)) as client:
        try:
            while True:
                command = flow.send(reply)
                if isinstance(command, Fetch):
                    reply = await _ask_async(client, command, edge)
                elif isinstance(command, FetchAll):
                    reply = tuple(await asyncio.gather(*(_ask_async(client, one, edge) for one in command.fetches)))
                else:
                    reply = edge.act(command)
        except StopIteration as end:
            result: _Result = end.value
            return result


def _ask(client: httpx2.Client, fetch: Fetch, edge: Edge) -> Answer:
    with _step(fetch, edge.notice) as asking:
        while asking.request is not None:
            asking.take(_send(client, asking.request, asking))
    return asking.answer


async def _ask_async(client: httpx2.AsyncClient, fetch: Fetch, edge: Edge) -> Answer:
    with _step(fetch, edge.notice) as asking, suppress(TimeoutError):
        async with asyncio.timeout(fetch.request.timeout_s):
            while asking.request is not None:
                asking.take(await _send_async(client, asking.request, asking))
    return asking.answer


def _send(client: httpx2.Client, request: Request, asking: _Asking) -> Answer:
    body = Body(asking.limit_bytes, asking.deadline)
    try:
        answer = client.send(written(request, asking.deadline), auth=NO_AUTH, stream=True)
        with closing(answer):
            for piece in answer.iter_bytes():
                if not body.add(piece):
                    break
    except FAILURES as failure:
        return lost(failure)
    return body.finished(answer)


async def _send_async(client: httpx2.AsyncClient, request: Request, asking: _Asking) -> Answer:
    body = Body(asking.limit_bytes, asking.deadline)
    try:
        answer = await client.send(written(request, asking.deadline), auth=NO_AUTH, stream=True)
        async with aclosing(answer), aclosing(answer.aiter_bytes()) as pieces:
            async for piece in pieces:
                if not body.add(piece):
                    break
    except FAILURES as failure:
        return lost(failure)
    return body.finished(answer)


@contextmanager
def _step(fetch: Fetch, notice: Notice) -> Iterator[_Asking]:
    """Tell whoever watches when a fetch begins, where to, and how it ended."""
    place = urlsplit(fetch.request.url)
    notice(Began(fetch.service, f"{place.scheme}://{place.netloc.rpartition('@')[2]}"))
    begin = time.perf_counter()
    asking = _Asking(fetch)
    yield asking
    elapsed_s = time.perf_counter() - begin
    if isinstance(asking.answer, NoAnswer):
        notice(Ended(fetch.service, asking.answer.why.value, elapsed_s, good=False))
    else:
        status = asking.answer.status
        notice(Ended(fetch.service, str(status), elapsed_s, status, good=200 <= status < 300))
