"""The two drivers: they perform what a conversation wants, one step after the other or several at once.

Every fetch has one deadline, redirects and challenges included. The blocking driver looks at the clock between the
pieces of an answer; against a server that sends its headers byte by byte, only the asynchronous one keeps the deadline.
"""

from __future__ import annotations

from contextlib import closing

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
    Register,
    Reply,
    Result,
    Unregister,
    Wait,
)
from offhook.phone.edge import Asking, Edge, advance, step
from offhook.phone.living import Surroundings, Web, live
from offhook.phone.wire import FAILURES, NO_AUTH, Body, client_settings, lost, written


def perform(flow: Flow[Result], edge: Edge) -> Result:
    """Perform a conversation and wait for it, one fetch after the other.

    D8 wants base and theme side by side. Here they are not: that would take a thread, for a driver whose worth is that
    everything happens in one place in one order, as tests and embedded uses want it. All commands and the fleet use the
    asynchronous one, where they are.
    """
    reply: Reply | OffhookError = None
    with httpx2.Client(**client_settings(edge.tls)) as client:
        try:
            while True:
                command = advance(flow, reply)
                if isinstance(command, Fetch):
                    reply = _ask(client, command, edge)
                elif isinstance(command, FetchAll):
                    reply = tuple([_ask(client, one, edge) for one in command.fetches])
                elif isinstance(command, Register | Unregister):
                    reply = None  # Nobody is registered: this driver is for conversations that are soon over.
                else:
                    assert not isinstance(command, Look | Draw | Wait), "a life needs the asynchronous driver"
                    reply = edge.act(command)
        except StopIteration as end:
            result: Result = end.value
            return result


async def perform_async(flow: Flow[Result], edge: Edge) -> Result:
    """Perform a conversation; what it asks together is asked at the same time."""
    async with Web(edge.notice, edge.tls) as web:
        return await live(flow, Surroundings(web, edge))


def _ask(client: httpx2.Client, fetch: Fetch, edge: Edge) -> Answer:
    with step(fetch, edge.notice) as asking:
        while asking.request is not None:
            asking.take(_send(client, asking.request, asking))
    return asking.answer


def _send(client: httpx2.Client, request: Request, asking: Asking) -> Answer:
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
