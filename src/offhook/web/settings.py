"""How a serving process is reached, and whom it believes."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

import msgspec

from offhook.core.errors import Invalid

# A server that listens on all addresses is reached on this machine at these.
_REACHED_AT: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class Listen(msgspec.Struct, frozen=True):
    """An address to listen on; a number, since a name may stand for several."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Read HOST:PORT or [IPV6]:PORT; raises Invalid."""
        host, _, port = text.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        is_port = port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535
        if not is_port or not _is_address(host):
            reason = "is not an address and a port such as 127.0.0.1:8080, [::1]:8080 or, for all, 0.0.0.0:8080"
            raise Invalid.at("--listen", f"{text!r} {reason}")
        return cls(str(ip_address(host)), int(port))

    @property
    def is_everywhere(self) -> bool:
        """Whether it stands for all addresses of this machine, and so for none that phones could be told."""
        return self.host in _REACHED_AT

    def url(self, *, tls: bool) -> str:
        """The address as a URL that works on this machine."""
        host = _REACHED_AT.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if tls else 'http'}://{host}:{self.port}"


class Serving(msgspec.Struct, frozen=True):
    """The settings of one serving process.

    `public_url` is where phones find the provider service, and empty when our portal has none to name; `proxies` are
    the networks whose forwarded headers are believed. Who sends no whole header within `headers_within_ms`, at first or
    after an answer, is disconnected.
    """

    listen: Listen
    public_url: str
    tls_cert: Path | None = None
    tls_key: Path | None = None
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    headers_within_ms: int = 10_000


def parse_networks(texts: list[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read addresses or networks such as 10.0.0.0/8; raises Invalid with the first that is none."""
    networks: list[IPv4Network | IPv6Network] = []
    for text in texts:
        try:
            networks.append(_plain(ip_network(text, strict=False)))
        except ValueError:
            raise Invalid.at("--trust-proxy", f"{text!r} is not an address or a network such as 10.0.0.0/8") from None
    return tuple(networks)


def _plain(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """IPv4 in IPv6 clothes (::ffff:10.0.0.0/104) as what it is, since callers are compared as what they are."""
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and (inner := network.network_address.ipv4_mapped):
        return IPv4Network((inner, network.prefixlen - 96))
    return network


def _is_address(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return not (isinstance(address, IPv6Address) and address.scope_id)
