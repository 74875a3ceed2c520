"""A telephone that knows enough of SIP to test a registrar: it registers over UDP, and hears whether it is called."""

from __future__ import annotations

import itertools
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5

import msgspec

from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address

_numbers = itertools.count(1)


class Challenge(msgspec.Struct, frozen=True):
    """What a registrar wants to have proven."""

    realm: str
    nonce: str

    @classmethod
    def of(cls, answer: str) -> Challenge:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', next(filter(_is_challenge, answer.split("\r\n")))))
        return cls(fields["realm"], fields["nonce"])


class Phone:
    """One telephone at one registrar."""

    def __init__(self, listening: socket.socket, registrar: tuple[str, int], address: Address) -> None:
        self._listening, self._registrar, self.address = listening, registrar, address
        self._host, self._port = listening.getsockname()
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
        self._listening.settimeout(patience_s)
        try:
            while True:
                text, sender = self._listening.recvfrom(65_536)
                if text.startswith(b"INVITE "):
                    copied = [
                        line
                        for line in text.decode().split("\r\n")
                        if re.match(r"(?i)(via|from|to|call-id|cseq|record-route):", line)
                    ]
                    answer = "\r\n".join(("SIP/2.0 486 Busy Here", *copied, "Content-Length: 0", "\r\n"))
                    self._listening.sendto(answer.encode(), sender)
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
        number = next(_numbers)
        request = (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self._host}:{self._port};branch=z9hG4bK{number}x{self._port};rport\r\n"
            "Max-Forwards: 20\r\n"
            f"From: <sip:{self.address}>;tag={number}\r\n"
            f"To: <sip:{to}>\r\n"
            f"Call-ID: {self._call_id}\r\n"
            f"CSeq: {number} {method}\r\n"
            f"Contact: <sip:{self.address.username}@{self._host}:{self._port}>\r\n"
            f"Expires: {expires_s}\r\n"
            f"{proof}"
            "Content-Length: 0\r\n\r\n"
        )
        self._listening.settimeout(5)
        self._listening.sendto(request.encode(), self._registrar)
        while True:
            answer = self._listening.recv(65_536).decode()
            status = int(answer[8:11]) if answer.startswith("SIP/2.0 ") else 0
            if status > 100 and f"CSeq: {number} {method}" in answer:
                return status, answer


@contextmanager
def phone(registrar: tuple[str, int], address: Address) -> Iterator[Phone]:
    """A telephone with an address of its own on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        yield Phone(listening, registrar, address)


def _is_challenge(line: str) -> bool:
    return line.lower().startswith(("www-authenticate:", "proxy-authenticate:"))
