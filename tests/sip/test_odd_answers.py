"""What answers at the control of a SIP system may be anything: nothing is believed that is not understood."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.sip.eventsocket import EventSocket
from offhook.sip.jsonrpc import Control


@contextmanager
def datagrams(answer: bytes) -> Iterator[str]:
    """Answers one datagram with these bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            _, sender = server.recvfrom(65_536)
            server.sendto(answer, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"udp:127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize("answer", [b"", b"no", b"[]", b'{"id":"x"}', b'{"jsonrpc":"2.0","result":{},"id":-1}'])
def test_a_datagram_that_is_no_answer(answer: bytes) -> None:
    """Also one that answers something else, as one that was late."""
    with datagrams(answer) as address, pytest.raises(Unavailable):
        Control(address, 2).ask("core.version")


@contextmanager
def stream(*pieces: bytes) -> Iterator[str]:
    """Sends a piece on connecting, another for each command, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(pieces[0])
                for piece in pieces[1:]:
                    connection.recv(4096)
                    connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"tcp:127.0.0.1:{server.getsockname()[1]}"
        thread.join()


HELLO = b"Content-Type: auth/request\n\n"
LET_IN = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"


@pytest.mark.parametrize(
    "pieces",
    [
        (b"",),
        (b"HTTP/1.1 400 Bad Request\n\n",),
        (b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",),
        (HELLO, LET_IN, b"Content-Type: command/reply\nReply-Text: -ERR no\n\n"),
        (HELLO, LET_IN, b"Content-Type: api/response\nContent-Length: 100\n\nshort"),
        (HELLO, LET_IN, b"Content-Type: api/response\nContent-Length: 99999999\n\n"),
        (HELLO, LET_IN, b"Content-Type: api/response\nContent-Length: -1\n\n"),
        (b"a: b\n" * 60,),
    ],
)
def test_an_event_socket_that_says_something_else(pieces: tuple[bytes, ...]) -> None:
    """It hangs up, refuses, or says more or less than it announced."""
    with stream(*pieces) as address, pytest.raises(Unavailable):
        EventSocket(address, Secret("pw"), 2).ask("status")


def test_a_password_cannot_become_a_command() -> None:
    """One with a line break is not said."""
    with stream(HELLO) as address, pytest.raises(Unavailable, match="cannot be said"):
        EventSocket(address, Secret("pw\n\napi shutdown"), 2).ask("status")
