"""The drivers against real sockets: the same conversations, and servers that misbehave."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeAlias, TypeVar

import msgspec
import pytest
import trustme

from offhook.core.login import CloudId
from offhook.core.secret import Secret
from offhook.core.webservice import Credentials, Request, Response
from offhook.phone.commands import (
    Answer,
    DeviceCommand,
    DeviceReply,
    Fetch,
    Flow,
    KeepTrust,
    NoAnswer,
    Save,
    Why,
    fetch,
    fetch_all,
)
from offhook.phone.drive import perform, perform_async
from offhook.phone.edge import Edge
from offhook.phone.flow import sign_in
from offhook.phone.portal import Portal
from offhook.phone.saved import Saved
from offhook.phone.steps import Began, Ended, Event, Skipped
from tests.phone.play import ANN, DEVICE, NOW
from tests.world_portal import World, rude, served

_Result = TypeVar("_Result")
Drive: TypeAlias = Callable[[Flow[Answer], Edge], Answer]

KIB = 1024


def wait(flow: Flow[_Result], edge: Edge) -> _Result:
    return asyncio.run(perform_async(flow, edge))


def nowhere(command: DeviceCommand) -> DeviceReply:
    raise AssertionError("nothing was to be saved")


@pytest.fixture(params=[perform, wait], ids=["blocking", "async"])
def drive(request: pytest.FixtureRequest) -> Drive:
    chosen: Drive = request.param
    return chosen


def ask(url: str, timeout_s: float = 5, limit_bytes: int = 64 * KIB, credentials: Credentials | None = None) -> Fetch:
    return Fetch("it", Request("GET", url, timeout_s=timeout_s, credentials=credentials), limit_bytes)


def say(*pieces: bytes, pause_s: float = 0) -> Callable[[socket.socket], None]:
    """A server that says this, piece by piece."""

    def talk(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause_s)

    return talk


def answer_of(drive: Drive, talk: Callable[[socket.socket], None], **how: float) -> Answer:
    with rude(talk) as address:
        return drive(fetch(ask(address, timeout_s=how.get("timeout_s", 5))), Edge(nowhere))


@pytest.mark.parametrize("drive", [perform, wait], ids=["blocking", "async"])
def test_a_whole_sign_in(drive: Callable[[Flow[Saved], Edge], Saved]) -> None:
    """Both drivers bring the same record, save it once, and tell every step with its time."""
    world, events = World(), list[Event]()
    kept: list[DeviceCommand] = []
    with served(world) as address:
        edge = Edge(kept.append, events.append)

        saved = drive(sign_in(ANN, Portal(address), DEVICE, NOW), edge)

    assert [command for command in kept if not isinstance(command, KeepTrust)] == [Save(saved, world.theme)]
    assert saved.account.text("username") == "204"
    ended = {event.service: event for event in events if isinstance(event, Ended)}
    assert set(ended) == {"portal key", "base", "theme", "global part", "account part", "save"}
    assert all(event.good and 0 <= event.elapsed_s < 5 for event in ended.values())
    assert [ended[name].status for name in ("base", "save")] == [200, None]
    assert Began("base", address) in events


def test_what_is_asked_together_is_asked_at_the_same_time() -> None:
    """A server that answers only when both have asked does answer."""
    both = threading.Barrier(2, timeout=5)

    def meet(connection: socket.socket) -> None:
        both.wait()
        connection.sendall(http(b"200 OK", b"<account/>"))

    with rude(meet) as address:
        answers = wait(fetch_all(ask(address), ask(address)), Edge(nowhere))

    assert [answer.status for answer in answers if isinstance(answer, Response)] == [200, 200]


def test_the_blocking_driver_asks_one_after_the_other() -> None:
    """The answers come in the order of the fetches."""
    with (
        rude(say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")) as one,
        rude(say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb")) as two,
    ):
        answers = perform(fetch_all(ask(one), ask(two)), Edge(nowhere))

    assert [answer.body for answer in answers if isinstance(answer, Response)] == [b"a", b"b"]


def test_a_step_that_is_left_out_is_told() -> None:
    """Whoever watches sees all steps, also those that the portal does not want."""
    events: list[Event] = []
    world = World()
    with served(world) as address:
        world.base = msgspec.structs.replace(world.base, services={})

        perform(sign_in(ANN, Portal(address), DEVICE, NOW), Edge(lambda command: None, events.append))

    assert [event.service for event in events if isinstance(event, Skipped)] == ["global part", "account part"]


def test_what_is_sent_is_what_was_wanted(drive: Drive) -> None:
    """No header of the library's own but Host; a value beyond ASCII travels as UTF-8; userinfo is not sent."""
    heads: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        heads.append(b"again")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(65536))
                listen(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        request = Request("GET", f"http://u:p@127.0.0.1:{port}/a%2Fb?x=%25y", (("X-Name", "Zoë"),))

        drive(fetch(Fetch("it", request, KIB)), Edge(nowhere))
        thread.join()

    assert heard == [f"GET /a%2Fb?x=%25y HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Name: Zoë\r\n\r\n".encode()]


def test_an_answer_with_all_it_has(drive: Drive) -> None:
    """Names of headers in lower case, several of one name as one, the body whole."""
    answer = answer_of(drive, say(b"HTTP/1.1 403 No\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 4\r\n\r\n<a/>", b""))

    assert answer == Response(403, {"x-a": "1, 2", "content-length": "4"}, b"<a/>")


HUGE = b"x" * (100 * KIB)
BOMB = gzip.compress(b"\0" * 50 * KIB * KIB)
GZIPPED = gzip.compress(b"<account/>")


def http(status: bytes, body: bytes, *headers: bytes) -> bytes:
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((http(b"200 OK", GZIPPED, b"Content-Encoding: gzip"),), b"<account/>"),
        ((http(b"200 OK", HUGE),), NoAnswer(Why.TOO_LARGE, "more than 65,536 bytes")),
        ((http(b"200 OK", BOMB, b"Content-Encoding: gzip"),), NoAnswer(Why.TOO_LARGE, "more than 65,536 bytes")),
        ((http(b"403 No", HUGE),), b""),
        ((http(b"200 OK", b"rubbish", b"Content-Encoding: gzip"),), NoAnswer(Why.GARBLED)),
        ((b"SSH-2.0-OpenSSH\r\n\r\n",), NoAnswer(Why.GARBLED)),
        ((), NoAnswer(Why.CUT_OFF)),
        ((b"HTTP/1.1 200 OK\r\nConte",), NoAnswer(Why.CUT_OFF)),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<acc",), NoAnswer(Why.CUT_OFF)),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<acc",), NoAnswer(Why.CUT_OFF)),
    ],
)
def test_what_is_made_of_an_odd_answer(drive: Drive, said: tuple[bytes, ...], expected: NoAnswer | bytes) -> None:
    """Compression is undone within the limit; too much, broken and cut-off answers are told apart."""
    answer = answer_of(drive, say(*said))

    assert answer == expected if isinstance(answer, NoAnswer) else answer.body == expected


def test_a_stream_without_an_end_is_cut(drive: Drive) -> None:
    """A server that never stops is left as soon as it has said too much."""

    def babble(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(HUGE)

    assert answer_of(drive, babble) == NoAnswer(Why.TOO_LARGE, "more than 65,536 bytes")


def test_a_connection_that_is_reset(drive: Drive) -> None:
    """A network that fails in the middle is a connection cut off."""

    def reset(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<acc")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    answer = answer_of(drive, reset)

    assert isinstance(answer, NoAnswer)
    assert answer.why is Why.CUT_OFF


def test_silence_ends_at_the_deadline(drive: Drive) -> None:
    """A server that says nothing."""
    answer = answer_of(drive, say(b"", pause_s=0.4), timeout_s=0.1)

    assert answer == NoAnswer(Why.TIMEOUT)


def test_a_trickle_ends_at_the_deadline(drive: Drive) -> None:
    """Each byte in time does not make the whole in time."""
    trickle = [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", *[b"x"] * 10]

    answer = answer_of(drive, say(*trickle, pause_s=0.05), timeout_s=0.15)

    assert answer == NoAnswer(Why.TIMEOUT)


def test_a_trickle_of_headers_ends_at_the_deadline() -> None:
    """The asynchronous driver holds it there, too."""
    answer = answer_of(wait, say(*[bytes([byte]) for byte in b"HTTP/1.1 200 OK"], pause_s=0.05), timeout_s=0.15)

    assert answer == NoAnswer(Why.TIMEOUT)


def test_nobody_listens(drive: Drive) -> None:
    """The reason of the system is the detail."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]

    answer = drive(fetch(ask(f"http://127.0.0.1:{port}/")), Edge(nowhere))

    assert isinstance(answer, NoAnswer)
    assert answer.why is Why.UNREACHABLE


@pytest.mark.parametrize("url", [f"http://{'a' * 64}.invalid/", "http://\N{SNOWMAN}/"])
def test_an_address_that_the_library_refuses(drive: Drive, url: str) -> None:
    """It is out of reach, and is not quoted."""
    answer = drive(fetch(ask(url)), Edge(nowhere))

    assert isinstance(answer, NoAnswer)
    assert answer.why is Why.UNREACHABLE
    assert url not in answer.detail


def test_a_header_that_cannot_be_sent(drive: Drive) -> None:
    """Its value may be a secret and is not quoted."""
    with served(World()) as address:
        request = Request("GET", address, (("X-Token", "s3cret\r\nX-Evil: 1"),))

        answer = drive(fetch(Fetch("it", request, KIB)), Edge(nowhere))

    assert answer == NoAnswer(Why.UNSENDABLE, "one of the headers of the request cannot be sent")


def test_a_redirect_and_a_challenge_over_the_wire(drive: Drive) -> None:
    """The whole exchange is one fetch, and one step."""
    events: list[Event] = []
    answers = iter(
        [
            http(b"302 Found", b"", b"Location: /new"),
            http(b"401 Who", b"x" * 100, b'WWW-Authenticate: Digest realm="r", nonce="n"'),
            http(b"200 OK", b"<account/>"),
        ]
    )

    with rude(lambda connection: connection.sendall(next(answers))) as address:
        fetching = fetch(ask(address, credentials=Credentials("app", Secret("pw"))))

        answer = drive(fetching, Edge(nowhere, events.append))

    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (200, b"<account/>")
    assert [type(event) for event in events] == [Began, Ended]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[str]:
    """A TLS server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(65536)
                    wrapped.sendall(http(b"200 OK", b"secret"))
            except OSError:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()


def test_a_certificate_that_is_trusted(drive: Drive, secure: str, authority: trustme.CA) -> None:
    """Whom TLS trusts is for the edge to say."""
    context = ssl.create_default_context()
    authority.configure_trust(context)

    answer = drive(fetch(ask(secure)), Edge(nowhere, tls=context))

    assert isinstance(answer, Response)
    assert answer.body == b"secret"


def test_a_certificate_that_nobody_knows(drive: Drive, secure: str) -> None:
    """By default the system's authorities count; the detail says what is wrong."""
    answer = drive(fetch(ask(secure)), Edge(nowhere))

    assert isinstance(answer, NoAnswer)
    assert answer.why is Why.TLS
    assert "certificate" in answer.detail


def test_https_where_only_http_is_spoken(drive: Drive) -> None:
    """The handshake fails: not secure."""
    with rude(say(b"HTTP/1.1 400 Bad\r\n\r\n")) as address:
        answer = drive(fetch(ask(address.replace("http:", "https:"))), Edge(nowhere))

    assert isinstance(answer, NoAnswer)
    assert answer.why is Why.TLS


def test_a_cloud_id_with_a_star_arrives_as_one() -> None:
    """The star travels as it is."""
    world = World()
    with served(world) as address:
        login = type(ANN)(CloudId.parse("DEMO*"), "ann", Secret("s3cret"))

        saved = perform(sign_in(login, Portal(address), DEVICE, NOW), Edge(lambda command: None))

    assert str(saved.cloud_id) == "DEMO*"
    assert "/portal/DEMO*/theme" in [request.url for request in world.asked]
