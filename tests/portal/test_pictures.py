"""Pictures of a theme: each kind is known by its content, its size has a limit, and what is no picture is named."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from offhook.portal import pictures
from tests.world_apps import a_png

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


def painted(kind: str, width: int = 3, height: int = 2, **options: object) -> bytes:
    """A picture as a usual library writes it."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", painted("PNG")),
        ("a.PNG", a_png()),
        ("a.jpg", painted("JPEG")),
        ("a.jpeg", painted("JPEG", progressive=True)),
        ("a.webp", painted("WEBP")),
        ("b.webp", painted("WEBP", lossless=True)),
        ("small.webp", b"RIFF\x12\0\0\0WEBPVP8L\x06\0\0\0/\0\0\0\0\0"),
        ("c.webp", painted("WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")),
        ("a.svg", SVG.format('<g id="a"/><use xlink:href="#a"/><rect style="fill:url(#a)"/>').encode()),
        ("notes.txt", b"whatever: the theme itself says that this is no picture"),
    ],
)
def test_a_picture_is_known_by_its_content(name: str, content: bytes) -> None:
    """What usual libraries write is taken, of each kind and variant."""

    assert pictures.faults(name, content) == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_one_kind_is_not_another(kind: str) -> None:
    """A suffix counts for its own kind only."""
    content = painted(kind)

    refused = [suffix for suffix in ("png", "jpg", "webp", "svg") if pictures.faults(f"a.{suffix}", content)]

    assert len(refused) == 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("lossless", [True, False])
def test_a_picture_has_limits(kind: str, lossless: bool) -> None:
    """A picture that unpacks to more than a phone can hold is refused, however small its file."""
    suffix = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}[kind]
    sizes = [(4096, 2048), (4097, 1), (1, 4097), (4096, 2049)]

    found = [pictures.faults(f"a.{suffix}", painted(kind, *size, lossless=lossless)) for size in sizes]

    assert found[0] == []
    assert all(len(faults) == 1 and "pixels; at most" in faults[0].text for faults in found[1:])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.png", b"", "does not begin like one"),
        ("a.png", a_png()[:-1], "breaks off"),
        ("a.png", a_png() + b"PK", "something follows its end"),
        ("a.png", a_png().replace(b"IDAT", b"IDAX"), "is damaged at byte"),
        ("a.png", a_png()[:8] + a_png()[33:], "does not tell its size"),
        ("a.png", a_png()[:33] + a_png()[-12:], "shows nothing"),
        ("a.png", a_png()[:33] + (b"\0\0\0\0eXIF" + struct.pack(">I", zlib.crc32(b"eXIF"))) * 10_000, "many pieces"),
        ("a.png", a_png(0, 1), "0 x 1 pixels"),
        ("a.jpg", b"\xff\xd8\xff\xda\0\x02\xff\xd9", "does not tell its size"),
        ("a.jpg", b"\xff\xd8\xff\xff\xff\x01\x00\xff\xd9", "does not tell its size"),
        ("a.jpg", painted("JPEG")[:-2], "breaks off"),
        ("a.jpg", b"GIF89a", "does not begin like one"),
        ("a.webp", painted("WEBP") + b"\0\0", "something follows its end"),
        ("a.webp", painted("WEBP")[:-2], "breaks off"),
        ("a.webp", painted("WEBP").replace(b"VP8 ", b"VP9 "), "does not tell its size"),
        ("a.svg", b"<html/>", "its root is html"),
        ("a.svg", b"no picture", "is not well-formed XML"),
        ("a.svg", b"<!DOCTYPE svg><svg/>", "has a DOCTYPE"),
        ("a.svg", SVG.format("<script>alert(1)</script>").encode(), "has an element script"),
        ("a.svg", SVG.format('<g onload="alert(1)"/>').encode(), "has an attribute onload"),
        ("a.svg", SVG.format('<image xlink:href="file:///etc/passwd"/>').encode(), "href names something outside"),
        ("a.svg", SVG.format('<rect style="fill: url( http://a )"/>').encode(), "style fetches something"),
        ("a.svg", SVG.format("<style>@import 'http://a'</style>").encode(), "its style fetches something"),
        ("a.svg", SVG.format("<style><g/>@import 'http://a'</style>").encode(), "its style fetches something"),
        ("a.svg", SVG.format("<style>@\\69mport 'http://a'</style>").encode(), "its style fetches something"),
        ("a.svg", SVG.format('<g style="fill:u\\72l(http://a)"/>').encode(), "style fetches something"),
        ("a.svg", SVG.format('<g fill="-webkit-image-set(&quot;http://a&quot; 1x)"/>').encode(), "fill fetches"),
        ("a.svg", SVG.format('<use xml:base="http://a/" href="#a"/>').encode(), "xml:base leads outside"),
        ("a.svg", SVG.format('<animateTransform to="http://a"/>').encode(), "has an element animateTransform"),
        ("a.svg", SVG.format('<img xmlns="http://www.w3.org/1999/xhtml" srcset="b"/>').encode(), "img is none of SVG"),
        ("a.svg", b"<svg/>", "svg is none of SVG"),
        ("a.svg", b'<?xml-stylesheet href="http://a"?>' + SVG.encode(), "processing instruction"),
        ("a.svg", SVG.encode() + b"<?a b?>", "processing instruction"),
        ("a.svg", SVG.format("<?a b?>").encode(), "processing instruction"),
        ("a.webp", b"RIFF\x0c\0\0\0WEBPVP8L\0\0\0\0", "does not tell its size"),
    ],
)
def test_what_is_no_picture_is_named(name: str, content: bytes, reason: str) -> None:
    """Each way of not being the picture that the name promises has its own words."""

    (fault,) = pictures.faults(name, content)

    assert (fault.place, reason in fault.text) == (name, True), fault.text


@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.integers(0, 400), st.binary(max_size=12))
def test_a_damaged_picture_is_a_fault_and_no_crash(kind: str, at: int, noise: bytes) -> None:
    """Whatever the bytes are, the answer is a list of faults."""
    content = painted(kind)

    damaged = content[:at] + noise + content[at + len(noise) :]

    for suffix in ("png", "jpg", "webp", "svg"):
        assert isinstance(pictures.faults(f"a.{suffix}", damaged), list)
