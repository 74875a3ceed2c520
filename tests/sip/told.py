"""A server that answers every request alike, and tells what it was told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec


class Heard(msgspec.Struct, frozen=True):
    """One request."""

    headers: dict[str, str]
    body: dict[str, Any]


@contextmanager
def answering(content: dict[str, Any], status: int = 200) -> Iterator[tuple[str, list[Heard]]]:
    """Its address, and what it heard so far."""
    told: list[Heard] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.append(Heard({name.lower(): text for name, text in self.headers.items()}, json.loads(body)))
            encoded = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", told
        server.shutdown()
        thread.join()
