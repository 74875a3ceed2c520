"""How baresip is found and set up, and how a server shows who it is; none of it needs baresip."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from offhook.core.errors import Invalid
from offhook.core.mergeable import Value, settle
from offhook.phone.useragent import Failed, NotRegistered
from offhook.sipagent import baresip, running, trust
from offhook.sipagent.baresip import Listen, Program
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
    """Nothing in them can be another line."""
    program = Program("/usr/bin/baresip", "/modules")

    written = baresip.settings(program, "127.1.2.3", LOOPBACK, "/ca.pem").splitlines()

    assert "ctrl_tcp_listen 127.1.2.3:0" in written
    assert "sip_listen 127.0.0.1:0" in written
    assert "sip_cafile /ca.pem" in written
    assert "\nsip_" not in baresip.settings(program, "127.1.2.3", None, "")
    with pytest.raises(Invalid, match="line break"):
        baresip.settings(program, "127.1.2.3", None, "/ca\n.pem")


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
    account = settle({key: Value(text, 20, "test") for key, text in {"username": "a", "host": "127.0.0.1"}.items()})

    async def play() -> None:
        phone = Phone(Machine(Program(program, "/modules")))
        async with phone.sip:
            await phone.sip.register(account)
            assert (await phone.until(Failed)).reason == f"{words}; tried again in 1 s"
        assert phone.sip.state == NotRegistered()

    asyncio.run(play())


def test_an_agent_that_never_listens(tmp_path: Path) -> None:
    """It is given up after a while, and killed."""
    script = tmp_path / "agent"
    script.write_text("#!/bin/sh\nsleep 60\n")
    script.chmod(0o700)

    async def play() -> None:
        async with running.started(Program(str(script), "/modules"), None, "", patience_s=0.2):
            pass

    with pytest.raises(Broken, match="not ready"):
        asyncio.run(play())
