"""Whatever the other side does, a wish comes to an end before somebody else begins with the same one."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.outgoing import webhook
from offhook.provider import sagas, siplines
from offhook.provider.sipaccounts import Address, SipAccount
from offhook.sip import database, settings
from offhook.sip.eventsocket import EventSocket
from offhook.sip.jsonrpc import Control
from offhook.sip.kamailio import Kamailio
from tests.real.kamailio import prepare_postgres, prepare_sqlite
from tests.real.postgres import Postgres

SECRET = Secret("whsec_" + base64.b64encode(b"a secret of a test, long enough").decode())
ANN = SipAccount(Address("ann", "sip.example.com"), Secret("a"))


def test_all_that_one_runner_does_is_shorter_than_its_lease() -> None:
    """A webhook is asked twice at most, and Kamailio answers seven times after one transaction."""
    lease_s = min(siplines.LEASE_S, sagas.LEASE_S)

    assert lease_s > 2 * webhook.MOST_S
    assert lease_s > database.WAIT_S + database.MOST_S + 7 * settings.MOST_S + 5
    assert lease_s > 2 * (database.WAIT_S + database.MOST_S)


@pytest.mark.parametrize("timeout_s", [-5.0, 0.0, 50.5, 1e9, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(timeout_s: float) -> None:
    """Of a webhook as of all others."""
    with pytest.raises(ValueError, match="timeout_s"):
        webhook.Settings("https://example.com/", SECRET, timeout_s)


@contextmanager
def dripping(said: bytes, then: bytes) -> Iterator[int]:
    """A server that says something, and after that one byte after the other without an end; its port."""
    over = threading.Event()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(said)
            while not over.wait(0.1):
                try:
                    connection.sendall(then)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join()


def ask_webhook(port: int) -> object:
    asking = webhook.Webhook(webhook.Settings(f"http://127.0.0.1:{port}/", SECRET, 0.5))
    return asking.ask("user.provision", {}, "key")


def ask_kamailio(port: int) -> object:
    return Control(f"http://127.0.0.1:{port}/RPC", 0.5).ask("ul.lookup")


def ask_freeswitch(port: int) -> object:
    return EventSocket(f"tcp:127.0.0.1:{port}", Secret("pw"), 0.5).ask("status")


@pytest.mark.parametrize(
    ("ask", "said", "then"),
    [
        (ask_webhook, b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", b" "),
        (ask_webhook, b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (ask_kamailio, b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", b" "),
        (ask_freeswitch, b"Content-Type: ", b"x"),
    ],
)
def test_bytes_that_drip_have_an_end(ask: Callable[[int], object], said: bytes, then: bytes) -> None:
    """The time is for the whole exchange, and not for each byte of it."""
    with dripping(said, then) as port:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            ask(port)

        assert time.monotonic() - began < 20


@pytest.mark.postgres
def test_a_database_that_is_cut_off_in_the_middle_has_an_end(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is sent is taken, and nothing ever comes back: no timeout of the server's helps."""
    monkeypatch.setattr(database, "MOST_S", 1)
    url = make_url(prepare_postgres(postgres, "hole"))
    with between(url.host or "127.0.0.1", url.port or 5432) as (port, frozen):
        there = url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        system = Kamailio(settings.Kamailio(Secret(there), "udp:127.0.0.1:9"))
        with closing(system):
            system.ensure(ANN, "1:1")
            began = time.monotonic()
            with pytest.raises(Unavailable):
                lost(system, frozen)

            assert time.monotonic() - began < 20


def lost(system: Kamailio, frozen: threading.Event) -> None:
    with system._store.begin() as connection:
        frozen.set()
        connection.exec_driver_sql("SELECT 1")


@contextmanager
def between(host: str, port: int) -> Iterator[tuple[int, threading.Event]]:
    """A port that leads to another one, until it is frozen."""
    frozen, ends, threads = threading.Event(), list[socket.socket](), list[threading.Thread]()

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while read := source.recv(65536):
                if not frozen.is_set():
                    target.sendall(read)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def serve() -> None:
        while True:
            try:
                one, _ = listening.accept()
            except OSError:
                return
            other = socket.create_connection((host, port))
            ends.extend((one, other))
            for pair in ((one, other), (other, one)):
                threads.append(threading.Thread(target=pump, args=pair))
                threads[-1].start()

    listening = socket.create_server(("127.0.0.1", 0))
    threads.append(threading.Thread(target=serve))
    threads[0].start()
    try:
        yield listening.getsockname()[1], frozen
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        for end in ends:
            _shut(end)
        for thread in threads:
            thread.join()
        for end in (listening, *ends):
            end.close()


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def test_kamailio_is_looked_at_again_after_a_moment(tmp_path: Path) -> None:
    """A phone that was let in before may be written down only then."""
    state: dict[str, Any] = {"at": None, "there": False}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if state["at"] is not None and time.monotonic() >= state["at"]:
            state.update(at=None, there=True)
        if request["method"] == "ul.rm":
            state["there"] = False
        if request["method"] == "ul.lookup" and not state["there"]:
            return {"error": {"code": 500, "message": "AOR not found"}}
        return {"result": {"AoR": 1}}

    with udp(answer) as port:
        url = Secret(prepare_sqlite(tmp_path / "kamailio.sqlite3"))
        system = Kamailio(settings.Kamailio(url, f"udp:127.0.0.1:{port}"))
        system.ensure(ANN, "1:1")
        state["at"] = time.monotonic() + 0.03

        system.disable(ANN.address, "1:2")

        assert state == {"at": None, "there": False}


@contextmanager
def udp(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[int]:
    """A control of Kamailio that answers so; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        control.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                asked, who = control.recvfrom(65536)
                if not asked:
                    return
                request = json.loads(asked)
                control.sendto(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer(request)}).encode(), who)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield control.getsockname()[1]
        finally:
            control.sendto(b"", control.getsockname())
            thread.join()
