"""What an agent sends: pieces become packets, and packets are what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sipagent import mqtt
from offhook.sipagent.mqtt import CONNECT, PING, PUBLISH, SUBSCRIBE, Garbled, Packet, Reader

PACKETS = st.builds(Packet, st.integers(0, 255), st.one_of(st.binary(max_size=300), st.just(b"x" * 20_000)))
# What baresip 1.0.0 sends when it connects.
CONNECTS = b"\x00\x04MQTT\x04\xc2\x00<\x00\x07baresip\x00\x05phone\x00\x06sesame"


@given(st.lists(PACKETS, max_size=8), st.integers(1, 5000))
def test_packets_arrive(packets: list[Packet], step: int) -> None:
    """In whatever pieces they come."""
    sent = b"".join(packet.dumps() for packet in packets)
    reader = Reader()

    got = [one for at in range(0, len(sent), step) for one in reader.packets(sent[at : at + step])]

    assert got == packets


def test_packets_that_nobody_took() -> None:
    """They are not lost: who comes next has them."""
    reader = Reader()
    first, second = Packet(PING, b""), Packet(PUBLISH, b"x")

    assert next(reader.packets(first.dumps() + second.dumps())) == first
    assert list(reader.packets()) == [second]


@pytest.mark.parametrize(
    "sent", [b"\x10\xff\xff\xff\xff", b"\x10\xff\xff\xff\x7f", b"\x10\xc9\x01", b"\x10\x80\x80\x80\x80"]
)
def test_what_is_too_long(sent: bytes) -> None:
    """It is noticed at once, and nothing is collected without an end."""
    with pytest.raises(Garbled):
        list(Reader(most=200).packets(sent))


def test_who_connects() -> None:
    """Says a password, and nothing that we do not know."""
    assert mqtt.password(Packet(CONNECT, CONNECTS)) == b"sesame"


@pytest.mark.parametrize(
    "packet",
    [
        Packet(PUBLISH, CONNECTS),
        Packet(CONNECT, CONNECTS + b"x"),
        Packet(CONNECT, CONNECTS[:-1]),
        Packet(CONNECT, CONNECTS.replace(b"\xc2", b"\x02")),
        Packet(CONNECT, b"GET / HTTP/1.1\r\n"),
        Packet(CONNECT, b""),
    ],
)
def test_what_is_no_password(packet: Packet) -> None:
    """It opens nothing."""
    with pytest.raises(Garbled):
        mqtt.password(packet)


def test_a_subscription() -> None:
    """It is granted under its number; another packet is none."""
    assert mqtt.subscribed(Packet(SUBSCRIBE, b"\x00\x07\x00\x01x\x00")) == b"\x90\x03\x00\x07\x00"
    for packet in (Packet(PUBLISH, b"\x00\x07"), Packet(SUBSCRIBE, b"\x00")):
        with pytest.raises(Garbled):
            mqtt.subscribed(packet)


@given(st.text(min_size=1, max_size=20), st.binary(max_size=300))
def test_what_is_published(topic: str, message: bytes) -> None:
    """It is read as it was said."""
    (packet,) = Reader().packets(mqtt.publish(topic, message))

    assert packet.kind == PUBLISH
    assert mqtt.published(packet) == message
    with pytest.raises(Garbled):
        mqtt.published(Packet(PUBLISH, b"\x00\x09x"))
