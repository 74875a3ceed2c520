"""The application around the handlers: limits, the caller's address, what is noted, and what a fault looks like."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx2
import msgspec
import pytest

from offhook.web.app import BODY_WITHIN_S, application, client_address
from offhook.web.events import EventLog
from offhook.web.http import Answer, Call
from offhook.web.settings import parse_networks

CANARY = "canary-9f1c"


async def echo(call: Call) -> Answer:
    return Answer(200, {"Content-Type": "text/plain"}, call.body)


async def unchanged(call: Call) -> Answer:
    return Answer(304, {"ETag": '"1"'})


async def broken(call: Call) -> Answer:
    raise ValueError(CANARY)


class Served:
    """The application with a client, and what it noted."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.events = EventLog(self.stream, lambda: 1.0)
        handlers = {"/echo": echo, "/unchanged": unchanged, "/broken": broken, "/{name}/x": echo}
        proxies = parse_networks(["10.0.0.0/8"])
        self.application = application(handlers, proxies, self.events, body_within_s=0.02)
        transport = httpx2.ASGITransport(self.application)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://test")

    async def slowly(self, path: str) -> int:
        """The status for a client that sends the head and no body."""
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            await asyncio.sleep(60)
            raise AssertionError("the server waited for it")

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope: MutableMapping[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [],
            "client": None,
        }
        await self.application(scope, receive, send)
        assert (b"connection", b"close") in sent[0]["headers"]
        return int(sent[0]["status"])

    def noted(self) -> list[dict[str, object]]:
        self.events.flush()
        return [msgspec.json.decode(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_a_request_is_noted_without_query_and_body() -> None:
    """The log of requests has no place for what a user sent."""
    served = Served()

    answer = await served.client.post(f"/echo?cloud_password={CANARY}", content=CANARY)

    assert answer.text == CANARY
    noted = served.noted()
    assert [(note["method"], note["path"], note["status"]) for note in noted] == [("POST", "/echo", 200)]
    assert CANARY not in str(noted)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "pattern"), [(f"/{CANARY}/x", "/{name}/x"), (f"/{CANARY}/y", "-"), (f"/echo/{CANARY}", "-")]
)
async def test_a_path_is_noted_by_its_pattern(path: str, pattern: str) -> None:
    """A password that somebody put into the path is in no log, whether we serve that path or not."""
    served = Served()

    await served.client.get(path)

    assert [note["path"] for note in served.noted()] == [pattern]


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/echo", "/nowhere"])
async def test_a_body_has_its_time(path: str) -> None:
    """Who sends no whole body in time is told so and disconnected, so that nobody holds a connection for ever."""
    served = Served()

    async with asyncio.timeout(3):
        status = await served.slowly(path)

    assert status == 408
    assert [note["status"] for note in served.noted()] == [408]
    assert BODY_WITHIN_S <= 10


@pytest.mark.anyio
async def test_a_fault_of_ours_is_a_503_with_a_number() -> None:
    """An unexpected error is never a logout, gives a number to quote, and its text goes nowhere."""
    served = Served()

    answer = await served.client.get("/broken")

    fault = served.noted()[0]
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert str(fault["number"]) in answer.text
    assert fault["error"] == "ValueError"
    assert "test_app.py" in str(fault["where"])
    assert CANARY not in answer.text + str(served.noted())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("send", "status"),
    [
        (lambda client: client.post("/echo", content=b"x" * 65_536), 200),
        (lambda client: client.post("/echo", content=b"x" * 65_537), 413),
        (lambda client: client.get("/nowhere"), 404),
        (lambda client: client.get("/echo/"), 404),
        (lambda client: client.get("/unchanged"), 304),
    ],
    ids=["at the limit", "over the limit", "unknown path", "slash behind", "no body"],
)
async def test_limits(send: Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]], status: int) -> None:
    """A body at the limit is taken and one over it refused; unknown paths and odd slashes are errors."""
    answer = await send(Served().client)

    assert answer.status_code == status
    assert status < 400 or answer.text.startswith("<error><message>")


@pytest.mark.anyio
async def test_head_has_the_length_and_no_body() -> None:
    """HEAD says how long the answer would be."""
    answer = await Served().client.request("HEAD", "/echo", content=b"four")

    assert answer.headers["content-length"] == "4"
    assert answer.content == b""


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.7, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "<script>", "10.0.0.1"),
        ("10.0.0.1", "<script>, 10.0.0.2", "10.0.0.2"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9:5678", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9:5678, 10.0.0.2:80", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::9]:5678", "2001:db8::9"),
        ("10.0.0.1", "[2001:db8::9]", "2001:db8::9"),
        ("10.0.0.1", "2001:db8::9", "2001:db8::9"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("", "203.0.113.9", ""),
    ],
)
def test_only_a_trusted_proxy_is_believed(peer: str, forwarded: str, address: str) -> None:
    """A forwarded address counts only as far as the chain of trusted proxies reaches."""
    assert client_address(peer, forwarded, parse_networks(["10.0.0.0/8"])) == address
