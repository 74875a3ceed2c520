"""The serving process: granian on one address, with our certificate taken anew whenever its files change."""

from __future__ import annotations

import asyncio
import errno
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server as Granian

from offhook.core.errors import Conflict, Invalid
from offhook.web.certificate import Copies, Pair
from offhook.web.events import Events
from offhook.web.settings import Listen, Serving

LOOK_AT_FILES_EVERY_S: Final = 1.0
# Connections that wait to be taken, and those that are. granian would take no more than wait.
BACKLOG: Final = 2048
MOST_CONNECTIONS: Final = 8192
OTHER_FILES: Final = 128
# Old handsets know no newer one.
TLS_FROM: Final = SSLProtocols.tls12


class Server:
    """One listening address. `run` serves until `stop` or a signal."""

    def __init__(self, application: Any, serving: Serving, events: Events, copies: Path) -> None:  # noqa: ANN401 - any ASGI application
        """`copies` is a folder for what TLS needs as a file."""
        self._serving, self._events, self._copies = serving, events, Copies(copies)
        _check_free(serving.listen)
        self._granian = Granian(
            application,
            address=serving.listen.host,
            port=serving.listen.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=serving.headers_within_ms, max_buffer_size=64 * 1024),
            websockets=False,
            backlog=BACKLOG,
            backpressure=_connections(),
            log_enabled=False,
        )
        self._pair = Pair(serving.tls_cert, serving.tls_key) if serving.tls_cert and serving.tls_key else None
        if self._pair:
            self._take(self._pair)
        # With the default of some seconds, the old certificate would go on being served beside the new one.
        self._granian.respawn_interval = 0

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve; `ready` is called as soon as connections are taken."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self.stop)
        watching = loop.create_task(self._watch_certificate(self._pair)) if self._pair else None
        announcing = loop.create_task(self._announce(ready))
        try:
            await self._granian.serve()
        finally:
            announcing.cancel()
            if watching:
                watching.cancel()
            self._copies.close()

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

    async def _watch_certificate(self, pair: Pair) -> None:
        seen, told = pair.stamps(), ""
        while True:
            await asyncio.sleep(LOOK_AT_FILES_EVERY_S)
            try:
                stamps = pair.stamps()
                if stamps == seen:
                    continue
                self._take(pair)
            except (Invalid, OSError) as error:
                # Tried again, since a full disk or half a pair passes; said once.
                if str(error) != told:
                    told = str(error)
                    self._events("tls.certificate_kept", reason=told)
                continue
            seen, told = stamps, ""
            self._granian.reload()  # type: ignore[no-untyped-call]  # granian leaves it untyped
            self._events("tls.certificate_changed", file=str(pair.certificate))

    def _take(self, pair: Pair) -> None:
        copy = self._copies.keep(pair)
        self._granian.build_ssl_context(copy.certificate, copy.key, None, TLS_FROM, None, [], client_verify=False)


def _connections() -> int:
    """How many connections there may be at once: each needs a file handle, of which a process seldom has many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft) - OTHER_FILES)


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
