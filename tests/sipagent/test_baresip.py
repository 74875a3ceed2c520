"""How baresip is found and set up, and how a server shows who it is; none of it needs baresip."""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from offhook.core.errors import Invalid
from offhook.core.mergeable import Document, Value, settle
from offhook.phone.useragent import Failed, NotRegistered, Registered
from offhook.sipagent import baresip, mqtt, running, trust
from offhook.sipagent.baresip import Control, Listen, Program
from offhook.sipagent.mqtt import CONNECT, PUBLISH, SUBSCRIBE, Packet
from offhook.sipagent.running import Broken
from offhook.sipagent.session import Machine
from tests.real.baresip import LOOPBACK, Phone


def test_where_none_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone hears that there is none."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert baresip.find() is None


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1", Listen("127.0.0.1")),
        ("127.0.0.1:5070", Listen("127.0.0.1", 5070)),
        ("[::1]:5070", Listen("[::1]", 5070)),
        ("localhost", None),
        ("127.0.0.1:65535", None),
        ("127.0.0.1:5070\nmodule evil.so", None),
    ],
)
def test_where_sip_is_taken(text: str, listen: Listen | None) -> None:
    """An address of this machine, and a port with room for the one of TLS behind it."""
    if listen is None:
        with pytest.raises(Invalid, match="--sip-listen"):
            baresip.parse_listen(text)
    else:
        assert baresip.parse_listen(text) == listen


def test_the_settings() -> None:
    """Nothing in them can be another line; the agent connects to us, and listens for nobody's commands."""
    program = Program("/usr/bin/baresip", "/modules")
    control = Control("127.1.2.3", 4567, "sesame")

    written = baresip.settings(program, control, LOOPBACK, "/ca.pem").splitlines()

    assert "mqtt_broker_host 127.1.2.3" in written
    assert "mqtt_broker_port 4567" in written
    assert "mqtt_broker_password sesame" in written
    assert "sip_listen 127.0.0.1:0" in written
    assert "sip_cafile /ca.pem" in written
    assert not [line for line in written if re.search("ctrl_tcp|cons|httpd", line)]
    assert "sesame" not in repr(control)
    assert "\nsip_" not in baresip.settings(program, control, None, "")
    with pytest.raises(Invalid, match="line break"):
        baresip.settings(program, control, None, "/ca\n.pem")


def test_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that the environment names comes first."""
    named = tmp_path / "ca.pem"
    named.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(named))

    assert baresip.authorities() == str(named)


def trouble(port: int, ca: Path | str, host: str = "127.0.0.1") -> str:
    with pytest.raises(Broken) as raised:
        asyncio.run(trust.check(host, port, str(ca)))
    return str(raised.value)


def test_certificates(tmp_path: Path) -> None:
    """Only a server with the right name, from an authority that is trusted, is a server of ours."""
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    (tmp_path / "none.pem").write_text("nothing")

    async def troubles(*names: str) -> list[str]:
        found = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(*names).configure_cert(context)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            for file in ("ca.pem", "other.pem"):
                try:
                    await trust.check("127.0.0.1", port, str(tmp_path / file))
                    found.append("")
                except Broken as broken:
                    found.append(str(broken).partition(" ")[2])
        return found

    good, unknown = asyncio.run(troubles("127.0.0.1"))
    mistaken, _ = asyncio.run(troubles("sip.example.com"))

    assert good == ""
    assert unknown == "is not secure: unable to get local issuer certificate"
    assert mistaken.startswith("is not secure: IP address mismatch")
    assert trouble(1, tmp_path / "ca.pem").startswith("127.0.0.1:1 cannot be reached: ")
    assert "no certificates" in trouble(1, tmp_path / "none.pem")
    assert "--sip-ca" in trouble(1, "")


def test_a_server_without_tls(tmp_path: Path) -> None:
    """It is told apart from one that is not there."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")

    async def play() -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SIP/2.0 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            try:
                await trust.check("127.0.0.1", server.sockets[0].getsockname()[1], str(tmp_path / "ca.pem"))
            except Broken as broken:
                return str(broken)
        return ""

    assert "is not secure" in asyncio.run(play())


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("/nonexistent/baresip", "the SIP agent ended as soon as it began"),
        ("/bin/true", "the SIP agent ended as soon as it began"),
    ],
)
def test_an_agent_that_does_not_start(program: str, words: str) -> None:
    """It is told, and is tried again; nobody waits for it, and it can be given up at any time."""

    async def play() -> None:
        phone = Phone(Machine(Program(program, "/modules")))
        async with phone.sip:
            await phone.sip.register(_account("a"))
            assert (await phone.until(Failed)).reason == f"{words}; tried again in 1 s"
        assert phone.sip.state == NotRegistered()

    asyncio.run(play())


def test_an_agent_that_never_comes(tmp_path: Path) -> None:
    """It is given up after a while, and killed."""
    script = tmp_path / "agent"
    script.write_text("#!/bin/sh\nsleep 60\n")
    script.chmod(0o700)

    async def play() -> None:
        async with running.started(Program(str(script), "/modules"), None, "", patience_s=0.2):
            pass

    with pytest.raises(Broken, match="not ready"):
        asyncio.run(play())


def _account(username: str) -> Document:
    return settle({key: Value(text, 20, "test") for key, text in {"username": username, "host": "127.0.0.1"}.items()})


def _connecting(word: str) -> bytes:
    texts = b"".join(len(text).to_bytes(2, "big") + text.encode() for text in ("baresip", "phone", word))
    return Packet(CONNECT, b"\x00\x04MQTT\x04\xc2\x00\x3c" + texts).dumps()


_SUBSCRIBING = Packet(SUBSCRIBE, b"\x00\x01\x00\x01x\x00").dumps()


def test_nobody_else_drives_the_agent() -> None:
    """Who does not know the word of this very agent is sent away, whatever they send; only one ever comes in."""

    async def play() -> None:
        door = running.Door()
        async with door.opened() as control:

            async def heard(sent: bytes) -> bytes:
                reader, writer = await asyncio.open_connection(control.host, control.port)
                writer.write(sent)
                writer.write_eof()
                answer = await reader.read()
                writer.close()
                return answer

            insmod = b'{"command":"insmod","params":"/tmp/evil.so"}'
            for sent in (
                b"",
                b"GET / HTTP/1.1\r\n\r\n",
                b"%d:%b," % (len(insmod), insmod),
                _connecting("guess") + _SUBSCRIBING,
                _connecting(control.word[:-1]),
                _SUBSCRIBING,
                Packet(PUBLISH, b"\x00\x01x" + insmod).dumps(),
                b"\x10" + b"\xff" * 100_000,
            ):
                with suppress(ConnectionError):
                    assert await heard(sent) == b""
                assert not door.came.done()

            assert await heard(_connecting(control.word)) == mqtt.WELCOME
            assert not door.came.done()
            _, writer = await asyncio.open_connection(control.host, control.port)
            writer.write(_connecting(control.word) + _SUBSCRIBING)
            guest = await door.came
            assert (await heard(_connecting(control.word) + _SUBSCRIBING)).startswith(mqtt.WELCOME)
            assert door.came.result() is guest
            writer.close()
            guest.writer.close()
            door.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(control.host, control.port)

    asyncio.run(play())


def test_who_stands_in_the_door() -> None:
    """However many there are that say nothing, the agent comes in; and they are sent away."""

    async def play() -> None:
        door = running.Door()
        async with door.opened() as control:
            silent = [await asyncio.open_connection(control.host, control.port) for _ in range(60)]
            _, writer = await asyncio.open_connection(control.host, control.port)
            writer.write(_connecting(control.word) + _SUBSCRIBING)
            async with asyncio.timeout(2):
                guest = await door.came
            door.close()
            for reader, _ in silent:
                assert await reader.read() == b""
            guest.writer.close()
            for one in (writer, *(writer for _, writer in silent)):
                one.close()

    asyncio.run(play())


# Comes in as baresip does, is asked whether it is still there, and registers who is called `good`.
AGENT = r"""#!{python}
import socket, sys
config = dict(line.split(" ", 1) for line in open(sys.argv[2] + "/config").read().splitlines())
def text(word):
    return bytes([0, len(word)]) + word.encode()
with socket.create_connection((config["mqtt_broker_host"], int(config["mqtt_broker_port"]))) as broker:
    body = b"\x00\x04MQTT\x04\xc2\x00\x3c" + text("x") + text("phone") + text(config["mqtt_broker_password"])
    broker.sendall(bytes([0x10, len(body)]) + body)
    assert broker.recv(4, socket.MSG_WAITALL) == b"\x20\x02\x00\x00"
    broker.sendall(b"\x82\x06\x00\x01\x00\x01x\x00\xc0\x00")
    assert broker.recv(7, socket.MSG_WAITALL) == b"\x90\x03\x00\x01\x00\xd0\x00"
    if sys.stdin.readline().startswith("/uanew <sip:good@127.0.0.1>;"):
        news = text("t") + b'{"type":"REGISTER_OK"}'
        broker.sendall(bytes([0x30, len(news)]) + news)
    assert b'"quit"' in broker.recv(1000)
"""


@pytest.mark.parametrize("name", ["good", "bad"])
def test_an_agent_that_comes_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It is told of the account, and leaves when it is to; when nothing comes of the account, that is said."""
    script = tmp_path / "agent"
    script.write_text(AGENT.replace("{python}", sys.executable))
    script.chmod(0o700)
    monkeypatch.setattr(running, "ANSWER_S", 0.2)

    async def play() -> None:
        phone = Phone(Machine(Program(str(script), "/modules")))
        async with phone.sip:
            await phone.sip.register(_account(name))
            if name == "good":
                assert (await phone.until(Registered)).address == "good@127.0.0.1"
            else:
                assert await phone.until(Failed) == Failed(0, "the SIP agent cannot use this account")

    asyncio.run(play())


def test_a_command_that_is_too_long() -> None:
    """It would be cut, and somebody else be called: it is refused."""

    async def play() -> None:
        door = running.Door()
        async with door.opened() as control:
            _, writer = await asyncio.open_connection(control.host, control.port)
            writer.write(_connecting(control.word) + _SUBSCRIBING)
            agent = running.Running(0, -1, await door.came)
            with pytest.raises(Broken, match="255 bytes"):
                await agent.do("dial", "sip:" + "5" * 247)
            with pytest.raises(Broken, match="cannot be driven"):
                agent.register("nobody reads it")
            writer.close()

    asyncio.run(play())
