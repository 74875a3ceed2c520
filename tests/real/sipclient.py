"""A telephone that knows enough of SIP to test a registrar: it registers, calls, and hears whether it is called."""

from __future__ import annotations

import itertools
import re
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path

import msgspec

from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address

_numbers = itertools.count(1)
_COPIED = re.compile(r"(?i)(via|from|to|call-id|cseq|record-route):")


class Challenge(msgspec.Struct, frozen=True):
    """What a registrar wants to have proven."""

    realm: str
    nonce: str

    @classmethod
    def of(cls, answer: str) -> Challenge:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', next(filter(_is_challenge, answer.split("\r\n")))))
        return cls(fields["realm"], fields["nonce"])


class Wire:
    """A connected socket, and the messages that come over it: datagrams, or pieces of a stream."""

    def __init__(self, connected: socket.socket, transport: str) -> None:
        self._connected, self.transport = connected, transport
        self.host, self.port = connected.getsockname()
        self._kept = b""

    def send(self, message: str) -> None:
        self._connected.sendall(message.encode())

    def receive(self, patience_s: float) -> str:
        self._connected.settimeout(patience_s)
        if self.transport == "UDP":
            return self._connected.recv(65_536).decode()
        while not (found := re.match(rb"(?is)\s*(.*?\r\ncontent-length: *(\d+).*?\r\n\r\n)", self._kept)):
            self._kept += self._more()
        while len(self._kept) < (end := found.end() + int(found[2])):
            self._kept += self._more()
        message, self._kept = self._kept[found.start(1) : end], self._kept[end:]
        return message.decode()

    def _more(self) -> bytes:
        piece = self._connected.recv(65_536)
        assert piece, "the registrar hung up"
        return piece


class Phone:
    """One telephone at one registrar."""

    def __init__(self, wire: Wire, address: Address) -> None:
        self._wire, self.address = wire, address
        self._call_id = secrets.token_hex(8)

    def register(self, password: str, *, expires_s: int = 600, username: str = "") -> int:
        """The status at the end; 401 is what comes after a password that is wrong. `username` is for the digest."""
        uri = f"sip:{self.address.domain}"
        return self._authenticated(
            "REGISTER", uri, self.address, password=password, expires_s=expires_s, username=username
        )

    def call(self, user: str, password: str) -> int:
        """Begin a call, and take it back at once; the first status that is more than "trying"."""
        uri = f"sip:{user}@{self.address.domain}"
        return self._authenticated("INVITE", uri, Address(user, self.address.domain), password=password)

    def rings(self, patience_s: float = 2) -> bool:
        """Whether it is called within that time."""
        try:
            while True:
                text = self._wire.receive(patience_s)
                if text.startswith("INVITE "):
                    copied = [line for line in text.split("\r\n") if _COPIED.match(line)]
                    self._wire.send("\r\n".join(("SIP/2.0 486 Busy Here", *copied, "Content-Length: 0", "\r\n")))
                    return True
        except TimeoutError:
            return False

    def _authenticated(
        self, method: str, uri: str, to: Address, *, password: str, expires_s: int = 0, username: str = ""
    ) -> int:
        status, answer = self._ask(method, uri, to, expires_s, "")
        if status not in {401, 407}:
            return status
        challenge = Challenge.of(answer)
        named = Address(username or self.address.username, challenge.realm)
        ha1 = named.ha1(Secret(password)).reveal()
        ha2 = md5(f"{method}:{uri}".encode()).hexdigest()
        response = md5(f"{ha1}:{challenge.nonce}:{ha2}".encode()).hexdigest()
        fields = {
            "username": named.username,
            "realm": challenge.realm,
            "nonce": challenge.nonce,
            "uri": uri,
            "response": response,
        }
        kind = "Authorization" if status == 401 else "Proxy-Authorization"
        digest = ", ".join(f'{name}="{text}"' for name, text in fields.items())
        return self._ask(method, uri, to, expires_s, f"{kind}: Digest {digest}, algorithm=MD5\r\n")[0]

    def _ask(self, method: str, uri: str, to: Address, expires_s: int, proof: str) -> tuple[int, str]:
        number, wire = next(_numbers), self._wire
        request = (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/{wire.transport} {wire.host}:{wire.port};branch=z9hG4bK{number}x{wire.port};rport\r\n"
            "Max-Forwards: 20\r\n"
            f"From: <sip:{self.address}>;tag={number}\r\n"
            f"To: <sip:{to}>\r\n"
            f"Call-ID: {self._call_id}\r\n"
            f"CSeq: {number} {method}\r\n"
            f"Contact: <sip:{self.address.username}@{wire.host}:{wire.port};transport={wire.transport.lower()}>\r\n"
            f"Expires: {expires_s}\r\n"
            f"{proof}"
            "Content-Length: 0\r\n\r\n"
        )
        wire.send(request)
        while True:
            answer = wire.receive(5)
            status = int(answer[8:11]) if answer.startswith("SIP/2.0 ") else 0
            if status > 100 and f"CSeq: {number} {method}" in answer:
                return status, answer


@contextmanager
def phone(
    registrar: tuple[str, int], address: Address, transport: str = "UDP", ca: Path | None = None
) -> Iterator[Phone]:
    """A telephone with an address of its own on loopback; over TLS it believes this authority only."""
    kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as plain:
        plain.bind(("127.0.0.1", 0))
        plain.settimeout(5)
        plain.connect(registrar)
        if transport == "TLS":
            with ssl.create_default_context(cafile=ca).wrap_socket(plain, server_hostname=registrar[0]) as secure:
                yield Phone(Wire(secure, transport), address)
        else:
            yield Phone(Wire(plain, transport), address)


def _is_challenge(line: str) -> bool:
    return line.lower().startswith(("www-authenticate:", "proxy-authenticate:"))
