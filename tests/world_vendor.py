"""An operator's provider service as the vendor's sample script is one: a users file, a template, 410 for any error."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

USERS: Final = """cloud_username,cloud_password,name,username,password
ann,pa55word-ann,Ann,201,5ip-secret-1
bob,pa55word-bob,Bob & Co,202,5ip-secret-2
"""
TEMPLATE: Final = """<account>
  <title>{name}</title>
  <host>sip.example.net</host>
  <username>{username}</username>
  <password>{password}</password>
  <cloud_username>{cloud_username}</cloud_username>
  <cloud_password>{cloud_password}</cloud_password>
  <codecOrder>0, 8,9</codecOrder>
  <allowMessage>1</allowMessage>
  <extProvUrl>https://old.example.net/again?u=%account[cloud_username]%</extProvUrl>
  <extProvInterval>3600</extProvInterval>
</account>
"""
REFUSED: Final = "<error><message>Wrong login</message></error>"


class Vendor:
    """The service; its template, its answers and how long it takes may be changed by a test."""

    def __init__(self, users: str = USERS, template: str = TEMPLATE) -> None:
        self.users = {row["cloud_username"]: row for row in csv.DictReader(io.StringIO(users))}
        self.template = template
        self.instead: dict[str, tuple[int, str]] = {}
        self.common = "<provisioning/>"
        self.waits_s = 0.0
        self.asked: list[tuple[str, str, dict[str, str], Mapping[str, str]]] = []
        self.at_s: list[float] = []
        self.under_way = self.most_at_once = 0
        self.counting = threading.Lock()

    def respond(self, method: str, path: str, sent: dict[str, str], headers: Mapping[str, str]) -> tuple[int, str]:
        """The answer: of a user for whom it is to be another one, that."""
        with self.counting:
            self.asked.append((method, path, sent, headers))
            self.at_s.append(time.monotonic())
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        time.sleep(self.waits_s)
        with self.counting:
            self.under_way -= 1
        return self._answer(path, sent)

    def _answer(self, path: str, sent: dict[str, str]) -> tuple[int, str]:
        username = sent.get("cloud_username", "")
        if username in self.instead:
            return self.instead[username]
        user = self.users.get(username)
        if user is None or user["cloud_password"] != sent.get("cloud_password"):
            return 410, REFUSED
        if path.endswith("/global"):
            return 200, self.common
        text = self.template
        for column, cell in user.items():
            text = text.replace(f"{{{column}}}", escape(cell))
        return 200, text


@contextmanager
def serving(vendor: Vendor) -> Iterator[str]:
    """Serve it over a socket, at the address that comes out."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            place = urlsplit(self.path)
            sent = dict(parse_qsl(place.query)) | dict(parse_qsl(body))
            status, text = vendor.respond(self.command, place.path, sent, dict(self.headers.items()))
            answer = text.encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(answer)))
            with suppress(OSError):  # Whoever asked did not wait.
                self.end_headers()
                self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815 - the library looks for this name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
