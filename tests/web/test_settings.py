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
        ("phones.example:443", "http://phones.example:443"),
    ],
)
def test_listen(text: str, url: str) -> None:
    """An address says how it is reached from this machine."""
    assert Listen.parse(text).url(tls=False) == url


@pytest.mark.parametrize("text", ["8080", ":8080", "host:", "host:http", "host:65536", "host:٣"])
def test_listen_refuses(text: str) -> None:
    """What is no address and port is refused with an example."""
    with pytest.raises(Invalid, match=r"127\.0\.0\.1:8080"):
        Listen.parse(text)


def test_networks() -> None:
    """Single addresses are networks too; anything else is named."""
    assert [str(network) for network in parse_networks(["10.0.0.1/8", "::1"])] == ["10.0.0.0/8", "::1/128"]
    with pytest.raises(Invalid, match="'proxy'"):
        parse_networks(["proxy"])
