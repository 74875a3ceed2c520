"""A small portal with its provider, to be asked directly or over a socket; and servers that misbehave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from offhook.core import accountxml, base, mergeable, signing, theme
from offhook.core.base import Base
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials
from offhook.core.mergeable import Value
from offhook.core.screen import Screen, WhiteLabel
from offhook.core.theme import Manifest, Theme
from offhook.core.webservice import Request, Response

ADDRESS: Final = "http://127.0.0.1:8080"
ANN: Final = """<account>
  <title>Ann, extension 204</title>
  <username>204</username>
  <password>sip-s3cret</password>
  <cloud_password>t0ken</cloud_password>
  <X-install-id>7D21</X-install-id>
</account>
"""
_TLS: Final = b"\x16"
QUICK_DIALS: Final = """<provisioning>
  <quickDial><item id="desk"><displayName>Front desk</displayName><uri>9</uri></item></quickDial>
</provisioning>
"""


def xml_answer(text: str | bytes, status: int = 200, kind: str = "application/xml", **headers: str) -> Response:
    """An answer of a provider."""
    body = text.encode() if isinstance(text, str) else text
    return Response(status, {"content-type": kind, **headers}, body)


def account(values: dict[str, str], rank: int = mergeable.PORTAL, source: str = "portal") -> dict[str, Value]:
    """Keys and values of one source."""
    return {key: Value(content, rank, source) for key, content in values.items()}


def services(address: str = ADDRESS) -> dict[str, str]:
    """The definitions of both services of the provider."""
    query = "cloud_username=%username%&cloud_password=%password%&cloud_id=%fullcode%"
    return {
        "initialGlobalProvisioningUrl": f"{address}/global?{query}",
        "InitialProvisioningUrl": f"{address}/prov?{query}&initialScreen=1",
    }


class World:
    """One app on one portal, and one user at its provider; any field may be set to something else by a test."""

    def __init__(self, address: str = ADDRESS, cloud_id: str = "DEMO") -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(b"a key for the tests, 32 bytes in")
        self.cloud_id = cloud_id
        self.base = Base(
            cloud_id=cloud_id,
            version=3,
            account=account({"title": "Demo", "host": "sip.example.com", "codecOrder": "0,8"}),
            services=services(address),
            features={"messaging": "1"},
            common=GlobalPart(QuickDials((QuickDial("help", "Help", "8", rank=10, source="portal"),))),
        )
        self.theme = theme.pack(Theme(Manifest(name="Sunrise", colours={"accent": "#0B5FFF"})))
        self.screen: Screen = WhiteLabel()
        self.passwords = {"ann": "s3cret"}
        self.account = ANN
        self.common = QUICK_DIALS
        self.instead: dict[str, Response] = {}
        self.asked: list[Request] = []

    def respond(self, request: Request) -> Response:
        """The answer to a request; `instead` of it what a test wants said under the last name of the path."""
        self.asked.append(request)
        path = urlsplit(request.url).path
        name = path.rpartition("/")[2]
        if name in self.instead:
            return self.instead[name]
        if name == "key":
            return Response(200, {"content-type": "text/plain"}, signing.public_text(self.key.public_key()).encode())
        if path.startswith("/portal/"):
            return self._part(path.split("/")[2], name)
        return self._provide(request, name)

    def move(self, address: str) -> None:
        """Be at another address."""
        self.base = msgspec.structs.replace(self.base, services=services(address))

    def signed(self, cloud_id: str, part: str, kind: str, body: bytes) -> Response:
        """A signed answer of the portal."""
        headers = {
            "Content-Type": kind,
            "ETag": self.etag(part, body),
            "Last-Modified": self.last_modified(part),
            signing.CLOUD_ID_HEADER: cloud_id,
            signing.PART_HEADER: part,
        }
        signed = signing.sign(headers, body, datetime(2026, 1, 1, tzinfo=UTC), self.key)
        return Response(200, {name.lower(): value for name, value in signed.items()}, body)

    def etag(self, part: str, body: bytes) -> str:
        """The ETag of a part of the app."""
        return f'"{len(body)}"'

    def last_modified(self, part: str) -> str:
        """The Last-Modified of a part of the app."""
        return "Sun, 15 Mar 2015 00:46:17 GMT"

    def _part(self, cloud_id: str, part: str) -> Response:
        if cloud_id.rstrip("*") != self.cloud_id:
            return xml_answer(accountxml.write_error(f"There is no app {cloud_id}."), 404)
        kind, body = {
            "base": ("application/xml", base.dumps(self.base).encode()),
            "theme": ("application/zip", self.theme),
            "screen": ("application/json", msgspec.json.encode(self.screen)),
        }[part]
        return self.signed(cloud_id, part, kind, body)

    def _provide(self, request: Request, name: str) -> Response:
        query = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
        username, password = query["cloud_username"][0], query["cloud_password"][0]
        if self.passwords.get(username) != password:
            return xml_answer(accountxml.write_error("Wrong username or password."), 403)
        return xml_answer(self.common if name == "global" else self.account, date="Sun, 15 Mar 2015 00:46:17 GMT")


@contextmanager
def served(world: World) -> Iterator[str]:
    """Serve a world over a socket, at the address that comes out and that its services then name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            request = Request(self.command, self.path, tuple(self.headers.items()), body)
            answer = world.respond(request)
            self.send_response_only(answer.status)
            for header, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
                self.send_header(header, value)
            self.end_headers()
            with suppress(OSError):  # A phone that was killed does not read on.
                self.wfile.write(answer.body)

        do_POST = do_GET  # noqa: N815 - the library looks for this name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        world.move(address)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield address
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def rude(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads the head of each request and then does as it likes with the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        over = threading.Event()

        def meet(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(5)
                head = connection.recv(65536)
                while b"\r\n\r\n" not in head and not head.startswith(_TLS):
                    head += connection.recv(65536) or b"\r\n\r\n"
                talk(connection)

        def listen() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    connection, _ = listening.accept()
                    meetings.append(threading.Thread(target=meet, args=(connection,)))
                    meetings[-1].start()

        meetings: list[threading.Thread] = []
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join()
            for meeting in meetings:
                meeting.join()
