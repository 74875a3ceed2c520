"""The serving process: granian on one address, with our certificate taken anew whenever its files change."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server as Granian

from offhook.core.errors import Conflict, Invalid
from offhook.web.events import Events
from offhook.web.settings import Listen, Serving

LOOK_AT_FILES_EVERY_S: Final = 1.0
HEADERS_WITHIN_MS: Final = 15_000


class Server:
    """One listening address. `run` serves until `stop` or a signal."""

    def __init__(self, application: Any, serving: Serving, events: Events) -> None:  # noqa: ANN401 - any ASGI application
        self._serving = serving
        self._events = events
        pair = _pair(serving)
        _check_free(serving.listen)
        self._folder = tempfile.TemporaryDirectory(prefix="offhook-tls-")
        certificate, key = self._keep(pair)
        self._granian = Granian(
            application,
            address=serving.listen.host,
            port=serving.listen.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADERS_WITHIN_MS, max_buffer_size=64 * 1024),
            websockets=False,
            backlog=1024,
            log_enabled=False,
            ssl_cert=certificate,
            ssl_key=key,
            # Old handsets know no newer one.
            ssl_protocol_min=SSLProtocols.tls12,
        )
        # With the default of some seconds, the old certificate would go on being served beside the new one.
        self._granian.respawn_interval = 0

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve; `ready` is called as soon as connections are taken."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self.stop)
        watching = loop.create_task(self._watch_certificate()) if self._serving.tls_cert else None
        announcing = loop.create_task(self._announce(ready))
        try:
            await self._granian.serve()
        finally:
            announcing.cancel()
            if watching:
                watching.cancel()
            self._folder.cleanup()

    def stop(self) -> None:
        """Take no more connections, finish the answers under way, and return from `run`."""
        self._granian.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped

    async def _announce(self, ready: Callable[[], None]) -> None:
        host, port = self._serving.listen.host, self._serving.listen.port
        while True:
            try:
                _, writer = await asyncio.open_connection(None if host in {"0.0.0.0", "::"} else host, port)  # noqa: S104 - compared
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            ready()
            return

    async def _watch_certificate(self) -> None:
        seen = self._stamps()
        while True:
            await asyncio.sleep(LOOK_AT_FILES_EVERY_S)
            stamps = self._stamps()
            if stamps == seen:
                continue
            seen = stamps
            try:
                certificate, key = self._keep(_pair(self._serving))
            except Invalid as error:
                self._events("tls.certificate_kept", reason=error.text)
                continue
            self._granian.build_ssl_context(certificate, key, None, SSLProtocols.tls12, None, [], client_verify=False)
            self._granian.reload()  # type: ignore[no-untyped-call]  # granian leaves it untyped
            self._events("tls.certificate_changed", file=str(self._serving.tls_cert))

    def _stamps(self) -> tuple[int, ...]:
        files = [path for path in (self._serving.tls_cert, self._serving.tls_key) if path and path.exists()]
        return tuple(path.stat().st_mtime_ns for path in files)

    def _keep(self, pair: tuple[bytes, bytes] | None) -> tuple[Path | None, Path | None]:
        if pair is None:
            return None, None
        certificate, key = Path(self._folder.name, "certificate.pem"), Path(self._folder.name, "key.pem")
        key.touch(0o600)
        for path, content in zip((certificate, key), pair, strict=True):
            path.write_bytes(content)
        return certificate, key


def _check_free(listen: Listen) -> None:
    """Raise Conflict or Invalid when the address is not to be had, in words that granian does not have."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Conflict(f"{listen.host}:{listen.port} is in use. Choose another port with --listen.") from None
            raise Invalid.at("--listen", f"{listen.host}:{listen.port} is not to be had: {error.strerror}") from None


def _pair(serving: Serving) -> tuple[bytes, bytes] | None:
    """Certificate chain and key, if there are any; they must belong together. granian reads the key as PKCS#8 only."""
    certificate, key = serving.tls_cert, serving.tls_key
    if certificate is None or key is None:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        private = load_pem_private_key(key.read_bytes(), None)
        return certificate.read_bytes(), private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    except (OSError, ValueError, TypeError) as error:
        reason = f"{certificate} and {key} are not a certificate and its key without a passphrase ({error})"
        raise Invalid.at("--tls-cert", reason) from None
