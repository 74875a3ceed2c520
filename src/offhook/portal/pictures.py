"""Pictures of a theme looked at before they are published: a file is what its name says, and no phone chokes on it.

Only the containers are read, not the pixels: the signature, the size, and whether the file ends where it should.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from lxml import etree

from offhook.core import xml
from offhook.core.errors import Fault, Invalid

MAX_SIDE: Final = 4096
# As RGBA, a phone needs four bytes for each.
MAX_PIXELS: Final = 8 * 1024 * 1024

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS: Final = 10_000
# Markers of JPEG (ITU T.81, table B.1): those that begin a frame and so tell its size, and those without a length.
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_SVG: Final = "http://www.w3.org/2000/svg"
_BASE: Final = "{http://www.w3.org/XML/1998/namespace}base"
_ACTIVE: Final = frozenset({"script", "foreignobject", "iframe", "object", "embed", "handler", "listener", "set"})
# What fetches in CSS besides url(): image(), image-set() also with a prefix, src() and rules that import.
_FETCHING: Final = ("@import", "image(", "image-set(", "src(", "javascript:")


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


def faults(path: str, content: bytes) -> list[Fault]:
    """Why a file must not be published under this name; empty for one that may, or whose suffix is not known here."""
    suffix = path.rpartition(".")[2].lower()
    if suffix not in _KINDS:
        return []
    name, measure = _KINDS[suffix]
    try:
        size = measure(content)
    except Invalid as error:
        return [Fault(path, f"is not {name}, as its name says: {error.faults[0].text}")]
    if size is None:
        return []
    if not (0 < size.width <= MAX_SIDE and 0 < size.height <= MAX_SIDE and size.width * size.height <= MAX_PIXELS):
        most = f"{MAX_SIDE:,} on a side and {MAX_PIXELS:,} altogether"
        return [Fault(path, f"is a picture of {size.width:,} x {size.height:,} pixels; at most {most} are allowed")]
    return []


def _unlike(reason: str) -> Invalid:
    return Invalid.at("", reason)


def _png(content: bytes) -> Size:
    """The size of a PNG (RFC 2083); every chunk must be whole, its check sum too, and nothing may follow the last."""
    if not content.startswith(_PNG):
        raise _unlike("it does not begin like one")
    at, size, has_pixels = len(_PNG), None, False
    for _ in range(_MAX_CHUNKS):
        length, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(content):
            raise _unlike("it breaks off")
        if zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end]):
            raise _unlike(f"it is damaged at byte {at:,}")
        if size is None:
            if kind != b"IHDR" or length != 13:
                raise _unlike("it does not tell its size")
            size = Size(int.from_bytes(content[at + 8 : at + 12]), int.from_bytes(content[at + 12 : at + 16]))
        has_pixels = has_pixels or kind == b"IDAT"
        at = end
        if kind == b"IEND":
            if at != len(content) or not has_pixels:
                raise _unlike("something follows its end" if has_pixels else "it shows nothing")
            return size
    raise _unlike("it is in too many pieces")


def _jpeg(content: bytes) -> Size:
    """The size of a JPEG (ITU T.81), which stands in the head of its frame."""
    if not content.startswith(b"\xff\xd8\xff"):
        raise _unlike("it does not begin like one")
    if not content.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise _unlike("it breaks off, or something follows its end")
    at = 2
    for _ in range(_MAX_CHUNKS):
        if content[at : at + 1] != b"\xff" or at + 4 > len(content):
            break
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if marker in _FRAMES and length >= 8 and at + 9 <= len(content):
            height, width = int.from_bytes(content[at + 5 : at + 7]), int.from_bytes(content[at + 7 : at + 9])
            return Size(width, height)
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
        elif marker in {0xD9, 0xDA} or length < 2:
            break
        else:
            at += 2 + length
    raise _unlike("it does not tell its size")


def _webp(content: bytes) -> Size:
    """The size of a WebP (RFC 9649) of any of its three kinds."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise _unlike("it does not begin like one")
    length = 8 + int.from_bytes(content[4:8], "little")
    if length != len(content):
        raise _unlike("it breaks off" if length > len(content) else "something follows its end")
    kind, head = content[12:16], content[20:30]
    if kind == b"VP8X" and len(head) == 10:
        return Size(1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little"))
    if kind == b"VP8L" and len(head) >= 5 and head[0] == 0x2F:
        bits = int.from_bytes(head[1:5], "little")
        return Size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 " and len(head) == 10 and head[3:6] == b"\x9d\x01\x2a":
        return Size(int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF)
    raise _unlike("it does not tell its size")


def _svg(content: bytes) -> None:
    """An SVG is a drawing: it neither acts nor fetches anything. It has no pixels to count."""
    root = xml.parse(content, instructions=True)
    if etree.QName(root).localname != "svg":
        raise _unlike(f"its root is {etree.QName(root).localname[:40]}")
    # Beside the root, only a processing instruction can stand, such as one that names a style sheet.
    beside = next(root.itersiblings(), None) is not None or next(root.itersiblings(preceding=True), None) is not None
    if beside or next(root.iter(etree.ProcessingInstruction), None) is not None:
        raise _unlike("it has a processing instruction, which may fetch something")
    for element in root.iter(etree.Element):
        if reason := _element(element):
            raise _unlike(reason)


def _element(element: etree._Element) -> str:
    """Why an element does not belong into a drawing; empty for one that does."""
    name = etree.QName(element)
    if name.namespace != _SVG:
        return f"its element {name.localname[:40]} is none of SVG ({_SVG}); drawing programs can save a plain SVG"
    if name.localname.lower() in _ACTIVE or name.localname.lower().startswith("animat"):
        return f"it has an element {name.localname}, and a picture must not act"
    if name.localname.lower() == "style" and _fetches("".join(map(str, element.itertext()))):
        return "its style fetches something"
    return next(filter(None, (_acting(str(key), str(value)) for key, value in element.attrib.items())), "")


def _acting(key: str, value: str) -> str:
    name = etree.QName(key).localname.lower()
    if name.startswith("on"):
        return f"it has an attribute {name}, and a picture must not act"
    if key == _BASE:
        return "its xml:base leads outside"
    if name in {"href", "src"} and not value.strip().startswith(("#", "data:image/png;", "data:image/jpeg;")):
        return f"its {name} names something outside"
    return f"its {name} fetches something" if _fetches(value) else ""


def _fetches(style: str) -> bool:
    """Whether it may: what is written with an escape could be anything, and no drawing needs one."""
    plain = "".join(style.lower().split()).replace("'", "").replace('"', "")
    fetches = plain.count("url(") != plain.count("url(#") or any(word in plain for word in _FETCHING)
    return fetches or "\\" in plain


_KINDS: Final[Mapping[str, tuple[str, Callable[[bytes], Size | None]]]] = {
    "png": ("a PNG picture", _png),
    "jpg": ("a JPEG picture", _jpeg),
    "jpeg": ("a JPEG picture", _jpeg),
    "webp": ("a WebP picture", _webp),
    "svg": ("an SVG picture", _svg),
}
