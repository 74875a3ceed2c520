"""An event socket of FreeSWITCH, as its module documents the protocol: it knows who is registered, and forgets them."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PASSWORD = "socket-secret-4Kx"


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"Content-Type: auth/request\n\n")
        while line := self.rfile.readline():
            command = line.decode().strip()
            self.rfile.readline()
            assert isinstance(self.server, FakeEventSocket)
            if command.startswith("auth "):
                said = "+OK accepted" if command == f"auth {PASSWORD}" else "-ERR invalid"
                self.wfile.write(f"Content-Type: command/reply\nReply-Text: {said}\n\n".encode())
            else:
                body = self.server.carry_out(command.removeprefix("api ")).encode()
                self.wfile.write(b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body))


class FakeEventSocket(socketserver.ThreadingTCPServer):
    """Who is registered, as `name@domain`."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.registered: set[str] = set()

    @property
    def control(self) -> str:
        return f"tcp:127.0.0.1:{self.server_address[1]}"

    def carry_out(self, command: str) -> str:
        match command.split():
            case ["sofia", "profile", "internal", "flush_inbound_reg", name]:
                self.registered.discard(name)
                return f"+OK flushing all registrations matching specified string [{name}]\n"
            case ["sofia", "status", "profile", "internal"]:
                return "Name             internal\n"
            case ["sofia_contact", name] if name.removeprefix("internal/") in self.registered:
                return f"sofia/internal/sip:{name}"
            case ["sofia_contact", _]:
                return "error/user_not_registered"
            case _:
                return "-ERR Command not found!\n"


@contextmanager
def event_socket() -> Iterator[FakeEventSocket]:
    """One that listens on loopback."""
    with FakeEventSocket() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
