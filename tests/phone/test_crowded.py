"""The network of a fleet: answers, their limits, and every way in which there is none."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

import pytest
import trustme

from offhook.core.webservice import Request, Response
from offhook.phone.commands import Answer, Fetch, NoAnswer, Why
from offhook.phone.crowded import TOO_FAR, Connections
from offhook.phone.steps import Ended, Event
from tests.phone.world_life import LivingWorld, refusal
from tests.world_portal import rude, served

BODY = 100_000


def asked(
    *requests: Request, limit_bytes: int = BODY, limit: int = 5, tls: ssl.SSLContext | None = None, far: bool = False
) -> list[Answer]:
    """All of them at the same time."""

    async def ask() -> list[Answer]:
        async with Connections(limit, far=far, tls=tls) as network:
            fetches = [Fetch("account part", request, limit_bytes) for request in requests]
            return list(await asyncio.gather(*map(network.ask, fetches)))

    return asyncio.run(ask())


def listens(connection: socket.socket) -> None:
    connection.recv(1)


def says(text: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text)


def test_an_answer_over_a_socket() -> None:
    """Status, headers in lower case, body; and whoever watches is told."""
    world, told = LivingWorld(), list[Event]()

    async def ask(address: str) -> Answer:
        async with Connections(1, told.append) as network:
            return await network.ask(Fetch("portal key", Request("GET", f"{address}/portal/key")))

    with served(world) as address:
        answer = asyncio.run(ask(address))

    assert isinstance(answer, Response)
    assert (answer.status, answer.header("content-type")) == (200, "text/plain")
    assert answer.body.startswith(b"ed25519:")
    assert [event.status for event in told if isinstance(event, Ended)] == [200]


def test_more_requests_than_connections() -> None:
    """They wait for each other, and the wait is measured."""

    async def ask(address: str) -> tuple[list[Answer], int]:
        async with Connections(2) as network:
            fetches = [Fetch("portal key", Request("GET", f"{address}/portal/key"))] * 10
            return list(await asyncio.gather(*map(network.ask, fetches))), network.waited.percentiles().count

    with served(LivingWorld()) as address:
        answers, waited = asyncio.run(ask(address))

    assert all(isinstance(answer, Response) for answer in answers)
    assert waited == 10


def test_a_redirect_is_followed_by_the_rules_of_the_phone() -> None:
    """Not by those of the library."""
    world = LivingWorld()

    with served(world) as address:
        world.instead["again"] = refusal(302, location=f"{address}/portal/key")
        (answer,) = asked(Request("GET", f"{address}/prov/again"))

    assert isinstance(answer, Response)
    assert answer.status == 200


def test_another_machine_is_not_asked() -> None:
    """Also when an account on this one names it; who says that it may gets what the network says."""
    there = Request("GET", "http://prov.invalid/")

    (near,) = asked(there)
    (far,) = asked(there, far=True)

    assert near == NoAnswer(Why.UNREACHABLE, TOO_FAR)
    assert isinstance(far, NoAnswer)
    assert (far.why, far.detail) != (Why.UNREACHABLE, TOO_FAR)


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (lambda connection: None, Why.CUT_OFF),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), Why.CUT_OFF),
        (says(b"rubbish\r\n\r\n"), Why.GARBLED),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n" + b"x" * 300), Why.TOO_LARGE),
    ],
    ids=["nothing", "cut off", "no HTTP", "too large"],
)
def test_a_server_that_misbehaves(talk: Callable[[socket.socket], None], why: Why) -> None:
    """Each way has its name, and none is an exception."""
    with rude(talk) as address:
        (answer,) = asked(Request("GET", f"{address}/"), limit_bytes=200)

    assert isinstance(answer, NoAnswer)
    assert answer.why is why


def test_a_server_that_keeps_silent() -> None:
    """Nobody waits longer than the request allows."""
    with rude(listens) as address:
        (answer,) = asked(Request("GET", f"{address}/", timeout_s=0.2))

    assert answer == NoAnswer(Why.TIMEOUT)


def test_nobody_listens() -> None:
    """The system's own word for it is passed on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    (answer,) = asked(Request("GET", f"http://127.0.0.1:{port}/"))

    assert isinstance(answer, NoAnswer)
    assert answer.why is Why.UNREACHABLE
    assert answer.detail


def test_a_request_that_cannot_be_sent() -> None:
    """The library's own words, which may quote a header, are kept back."""
    with served(LivingWorld()) as address:
        (answer,) = asked(Request("GET", f"{address}/portal/key", headers=(("X-Name", "two\r\nlines"),)))

    assert answer == NoAnswer(Why.UNSENDABLE, "the request cannot be sent")


def test_a_server_whom_nobody_trusts() -> None:
    """A certificate of an unknown authority ends it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def ask() -> Answer:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=context)
        async with server, Connections(1) as network:
            port = server.sockets[0].getsockname()[1]
            return await network.ask(Fetch("base", Request("GET", f"https://127.0.0.1:{port}/")))

    answer = asyncio.run(ask())

    assert isinstance(answer, NoAnswer)
    assert answer.why is Why.TLS
