"""Settings of a serving process: what to listen on, whom to trust."""

from __future__ import annotations

import pytest

from offhook.core.errors import Invalid
from offhook.web.settings import Listen, parse_networks


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[::]:8080", "http://[::1]:8080"),
    ],
)
def test_listen(text: str, url: str) -> None:
    """An address says how it is reached from this machine."""
    assert Listen.parse(text).url(tls=False) == url


@pytest.mark.parametrize(
    "text",
    [
        "8080",
        ":8080",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:65536",
        "127.0.0.1:٣",
        "127.0.0.1:0",
        "127.0.0.1:" + "9" * 5000,
        "localhost:8080",
        "phones.example:443",
        "[fe80::1%eth0]:80",
        "127.1:80",
    ],
)
def test_listen_refuses(text: str) -> None:
    """What is no address and port is refused with an example; a name and a port to be found are none."""
    with pytest.raises(Invalid, match=r"127\.0\.0\.1:8080"):
        Listen.parse(text)


def test_networks() -> None:
    """Single addresses are networks too; anything else is named."""
    assert [str(network) for network in parse_networks(["10.0.0.1/8", "::1"])] == ["10.0.0.0/8", "::1/128"]
    with pytest.raises(Invalid, match="'proxy'"):
        parse_networks(["proxy"])


def test_ipv4_in_ipv6_clothes_is_ipv4() -> None:
    """A proxy named as ::ffff:10.0.0.1 is the one whose connections come from 10.0.0.1."""
    networks = parse_networks(["::ffff:10.0.0.1", "::ffff:192.168.0.0/112", "::/0"])

    assert [str(network) for network in networks] == ["10.0.0.1/32", "192.168.0.0/16", "::/0"]


@pytest.mark.parametrize(
    ("text", "is_everywhere"), [("0.0.0.0:80", True), ("[::]:80", True), ("[0::0]:80", True), ("127.0.0.1:80", False)]
)
def test_who_listens_everywhere(text: str, is_everywhere: bool) -> None:
    """An address that stands for all is none that phones could be told."""
    assert Listen.parse(text).is_everywhere is is_everywhere
