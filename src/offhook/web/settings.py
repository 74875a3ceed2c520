"""How a serving process is reached, and whom it believes."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final

import msgspec

from offhook.core.errors import Invalid

# A server that listens on all addresses is reached on this machine at these.
_REACHED_AT: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class Listen(msgspec.Struct, frozen=True):
    """An address to listen on."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Read HOST:PORT or [IPV6]:PORT; raises Invalid."""
        host, _, port = text.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdecimal()) or not 0 <= int(port) <= 65535:
            raise Invalid.at("--listen", f"{text!r} is not of the form 127.0.0.1:8080")
        return cls(host.strip("[]"), int(port))

    def url(self, *, tls: bool) -> str:
        """The address as a URL that works on this machine."""
        host = _REACHED_AT.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if tls else 'http'}://{host}:{self.port}"


class Serving(msgspec.Struct, frozen=True):
    """The settings of one serving process.

    `public_url` is how phones reach us; `proxies` are the networks whose forwarded headers are believed.
    """

    listen: Listen
    public_url: str
    tls_cert: Path | None = None
    tls_key: Path | None = None
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()


def parse_networks(texts: list[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read addresses or networks such as 10.0.0.0/8; raises Invalid with every one that is none."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            raise Invalid.at("--trust-proxy", f"{text!r} is not an address or a network such as 10.0.0.0/8") from None
    return tuple(networks)
