"""The listening process: it speaks TLS itself and takes a changed certificate without a restart."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from pathlib import Path

import httpx2
import pytest
import trustme

from offhook.core.errors import Conflict, Invalid
from offhook.web.app import application
from offhook.web.events import EventLog
from offhook.web.http import Answer, Call
from offhook.web.server import Server
from offhook.web.settings import Listen, Serving


async def hello(call: Call) -> Answer:
    return Answer(200, {"Content-Type": "text/plain"}, b"hello")


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


def test_a_changed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    """A pair that does not fit is reported and the old one stays; one that fits is served from then on."""
    noted = io.BytesIO()
    events = EventLog(noted, lambda: 0.0)

    async def story() -> None:
        trusted = write_certificate(tmp_path)
        listen = Listen("127.0.0.1", free_port())
        url = f"{listen.url(tls=True)}/hello"
        serving = Serving(listen, url, tmp_path / "chain.pem", tmp_path / "key.pem")
        server = Server(application({"/hello": hello}, (), events), serving, events)
        ready = asyncio.Event()
        running = asyncio.create_task(server.run(ready.set))
        await asyncio.wait_for(ready.wait(), 10)

        assert await get(url, trusted) == "hello"

        (tmp_path / "key.pem").write_text("not a key")
        await noted_line("tls.certificate_kept")
        assert await get(url, trusted) == "hello"

        renewed = write_certificate(tmp_path)
        await noted_line("tls.certificate_changed")
        assert await get(url, renewed) == "hello"
        with pytest.raises(httpx2.ConnectError):
            await get(url, trusted)
        server.stop()
        await asyncio.wait_for(running, 10)

    async def noted_line(event: str) -> None:
        for _ in range(500):
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
        Server(application({}, (), lambda event, **fields: None), serving, lambda event, **fields: None)


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1"])
def test_an_address_that_is_not_to_be_had(host: str) -> None:
    """An address in use, or of another machine, is named before anything is served."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = Listen(host, taken.getsockname()[1])

        with pytest.raises((Conflict, Invalid), match=f"{host}:{listen.port} is"):
            Server(application({}, (), lambda event, **fields: None), Serving(listen, ""), lambda event, **fields: None)
