"""The application around the handlers: limits, the caller's address, what is noted, and what a fault looks like."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable

import httpx2
import msgspec
import pytest

from offhook.web.app import application, client_address
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
        transport = httpx2.ASGITransport(application(handlers, parse_networks(["10.0.0.0/8"]), self.events))
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://test")

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
        (
            lambda client: client.post(
                "/echo", content=b"x", headers={"Transfer-Encoding": "chunked", "Content-Length": "1"}
            ),
            400,
        ),
        (lambda client: client.get("/nowhere"), 404),
        (lambda client: client.get("/echo/"), 404),
        (lambda client: client.get("/unchanged"), 304),
    ],
    ids=["at the limit", "over the limit", "two lengths", "unknown path", "slash behind", "no body"],
)
async def test_limits(send: Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]], status: int) -> None:
    """A body at the limit is taken and one over it refused; two lengths, unknown paths and odd slashes are errors."""
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
        ("", "203.0.113.9", ""),
    ],
)
def test_only_a_trusted_proxy_is_believed(peer: str, forwarded: str, address: str) -> None:
    """A forwarded address counts only as far as the chain of trusted proxies reaches."""
    assert client_address(peer, forwarded, parse_networks(["10.0.0.0/8"])) == address


def test_closing_the_log_writes_the_rest() -> None:
    """Nothing that was noted is lost when the process ends in order."""
    stream = io.BytesIO()
    events = EventLog(stream, lambda: 2.0)
    events("one", number=1)

    events.close()

    assert msgspec.json.decode(stream.getvalue()) == {"time": 2.0, "event": "one", "number": 1}
