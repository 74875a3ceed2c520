"""The listening process: it speaks TLS itself and takes a changed certificate without a restart."""

from __future__ import annotations

import asyncio
import io
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import trustme

from offhook.core.errors import Conflict, Invalid
from offhook.web.app import application
from offhook.web.events import EventLog, Events, Field
from offhook.web.http import Answer, Call
from offhook.web.server import Server
from offhook.web.settings import Listen, Serving


async def hello(call: Call) -> Answer:
    return Answer(200, {"Content-Type": "text/plain"}, b"hello")


def ignore(event: str, **fields: Field) -> None:
    """Take an event and forget it."""


class Changes:
    """Says when the certificate has changed."""

    def __init__(self) -> None:
        self.came = asyncio.Event()

    def __call__(self, event: str, **fields: Field) -> None:
        if event == "tls.certificate_changed":
            self.came.set()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_certificate(folder: Path) -> ssl.SSLContext:
    """A new certificate of a new authority, and a client that trusts it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def get(url: str, context: ssl.SSLContext) -> str:
    async with httpx2.AsyncClient(verify=context) as client:
        return (await client.get(url)).text


async def never_again(url: str, context: ssl.SSLContext) -> None:
    """Ask until the old certificate is gone, which a connection that was already under way may outlive."""
    async with asyncio.timeout(30):
        while await get(url, context):  # noqa: ASYNC110 - nobody tells; it is asked
            await asyncio.sleep(0.02)


async def soon(url: str, context: ssl.SSLContext) -> str:
    """What is served as soon as the new certificate is, a moment after it was noted."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await get(url, context)
            except httpx2.TransportError:
                await asyncio.sleep(0.02)


def test_a_changed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    """A pair that does not fit is reported and the old one stays; one that fits is served from then on."""
    noted = io.BytesIO()
    events = EventLog(noted, lambda: 0.0)

    async def story() -> None:
        trusted = write_certificate(tmp_path)
        listen = Listen("127.0.0.1", free_port())
        url = f"{listen.url(tls=True)}/hello"
        serving = Serving(listen, url, tmp_path / "chain.pem", tmp_path / "key.pem")
        server = Server(application({"/hello": hello}, (), events), serving, events, tmp_path / "tls")
        ready = asyncio.Event()
        running = asyncio.create_task(server.run(ready.set))
        await asyncio.wait_for(ready.wait(), 10)

        assert await get(url, trusted) == "hello"

        (tmp_path / "key.pem").write_text("not a key")
        await noted_line("tls.certificate_kept")
        assert await get(url, trusted) == "hello"

        renewed = write_certificate(tmp_path)
        await noted_line("tls.certificate_changed")
        assert await soon(url, renewed) == "hello"
        with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await never_again(url, trusted)
        server.stop()
        await asyncio.wait_for(running, 10)

    async def noted_line(event: str) -> None:
        for _ in range(1500):
            events.flush()
            if event.encode() in noted.getvalue():
                return
            await asyncio.sleep(0.02)
        pytest.fail(f"{event} was not noted: {noted.getvalue()!r}")

    asyncio.run(story())


def test_a_key_that_does_not_fit_is_refused_at_start(tmp_path: Path) -> None:
    """The first message names both files."""
    write_certificate(tmp_path)
    (tmp_path / "key.pem").write_text("not a key")
    serving = Serving(Listen("127.0.0.1", free_port()), "", tmp_path / "chain.pem", tmp_path / "key.pem")

    with pytest.raises(Invalid, match=r"key\.pem are not a certificate and its key"):
        Server(application({}, (), ignore), serving, ignore, tmp_path / "tls")


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1"])
def test_an_address_that_is_not_to_be_had(tmp_path: Path, host: str) -> None:
    """An address in use, or of another machine, is named before anything is served."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = Listen(host, taken.getsockname()[1])

        with pytest.raises((Conflict, Invalid), match=f"{host}:{listen.port} is"):
            Server(application({}, (), ignore), Serving(listen, ""), ignore, tmp_path / "tls")


@asynccontextmanager
async def serving(serving: Serving, folder: Path, events: Events = ignore) -> AsyncIterator[Server]:
    """A server while it serves."""
    server = Server(application({"/hello": hello}, (), events), serving, events, folder / "tls")
    ready = asyncio.Event()
    running = asyncio.create_task(server.run(ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    try:
        yield server
    finally:
        server.stop()
        await asyncio.wait_for(running, 10)


@pytest.mark.parametrize("sent", [b"", b"GET /hello HTTP/1.1\r\nHo", b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_nobody_holds_a_connection_by_silence(tmp_path: Path, sent: bytes) -> None:
    """Who sends nothing, half a header, or nothing after an answer, is disconnected; by itself after ten seconds."""
    listen = Listen("127.0.0.1", free_port())

    async def story() -> bytes:
        async with serving(Serving(listen, "", headers_within_ms=200), tmp_path):
            reader, writer = await asyncio.open_connection(listen.host, listen.port)
            writer.write(sent)
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            return answer

    answer = asyncio.run(story())

    assert answer.endswith(b"hello") == sent.endswith(b"\r\n\r\n")
    assert Serving(listen, "").headers_within_ms <= 10_000


def test_slow_clients_do_not_stop_the_others(tmp_path: Path) -> None:
    """More unfinished requests than wait to be accepted leave room for one who asks properly; no TLS, no folder."""
    listen = Listen("127.0.0.1", free_port())
    unfinished = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"

    async def story() -> str:
        async with serving(Serving(listen, ""), tmp_path):
            slow = [await asyncio.open_connection(listen.host, listen.port) for _ in range(2100)]
            for _, writer in slow:
                writer.write(unfinished)
            async with httpx2.AsyncClient() as client:
                answer = await client.get(f"{listen.url(tls=False)}/hello", timeout=5)
            for _, writer in slow:
                writer.transport.abort()
            return answer.text

    assert asyncio.run(story()) == "hello"
    assert list(tmp_path.iterdir()) == []


def test_old_handsets_are_served(tmp_path: Path) -> None:
    """A client that knows TLS 1.2 at most is served, also after the certificate has changed."""
    listen = Listen("127.0.0.1", free_port())
    changes = Changes()

    async def story() -> list[str]:
        old = write_certificate(tmp_path)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        settings = Serving(listen, "", tmp_path / "chain.pem", tmp_path / "key.pem")
        async with serving(settings, tmp_path, changes):
            url = f"{listen.url(tls=True)}/hello"
            answers = [await get(url, old)]
            old = write_certificate(tmp_path)
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            await changes.came.wait()
            return [*answers, await soon(url, old)]

    assert asyncio.run(asyncio.wait_for(story(), 60)) == ["hello", "hello"]


def test_a_swept_copy_is_made_anew(tmp_path: Path) -> None:
    """Whoever removes the copies of certificate and key, the next certificate is served all the same."""
    listen = Listen("127.0.0.1", free_port())
    changes = Changes()

    async def story() -> str:
        write_certificate(tmp_path)
        settings = Serving(listen, "", tmp_path / "chain.pem", tmp_path / "key.pem")
        async with serving(settings, tmp_path, changes):
            shutil.rmtree(tmp_path / "tls")
            renewed = write_certificate(tmp_path)
            await changes.came.wait()
            return await soon(f"{listen.url(tls=True)}/hello", renewed)

    assert asyncio.run(asyncio.wait_for(story(), 60)) == "hello"
    assert list((tmp_path / "tls").iterdir()) == []
