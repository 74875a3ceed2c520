"""XML in and out: one hardened parser, one way to write, and the characters XML cannot carry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from lxml import etree

from offhook.core.errors import Invalid

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
MAX_ATTRIBUTES: Final = 64

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,127}")
# The parser's own message quotes the document, which may be a piece of a password, so we say it ourselves.
_BARE: Final = "a & or < stands there for itself: write &amp; or &lt;"
_WRONG_BYTES: Final = "its bytes do not fit its encoding"
_REASONS: Final[Mapping[int, str]] = {
    etree.ErrorTypes.ERR_DOCUMENT_EMPTY: "no element begins there",
    etree.ErrorTypes.ERR_DOCUMENT_END: "something stands behind its end",
    etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: "an element is closed by another name",
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: "an element is not closed",
    etree.ErrorTypes.ERR_NAME_REQUIRED: _BARE,
    etree.ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING: _BARE,
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY: _BARE,
    etree.ErrorTypes.ERR_INVALID_CHAR: "it has a character that XML cannot carry",
    etree.ErrorTypes.ERR_INVALID_ENCODING: _WRONG_BYTES,
    etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING: _WRONG_BYTES,
    etree.ErrorTypes.ERR_RESOURCE_LIMIT: "it is too deep or too large",
}
# The one prefix that needs no declaration, as in xml:lang.
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"


def parse(
    document: bytes | str, place: str = "document", limit_bytes: int = MAX_BYTES, *, instructions: bool = False
) -> etree._Element:
    """The root of a well-formed document without a DTD (D6); raises Invalid that says where it breaks.

    Entities are never resolved, nothing is fetched, comments are dropped, and processing instructions
    unless they are asked for.
    """
    encoded = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document
    if len(encoded) > limit_bytes:
        raise Invalid.at(place, f"is larger than {limit_bytes:,} bytes")
    try:
        root = etree.fromstring(encoded, _parser("utf-8" if isinstance(document, str) else None, instructions))
    except etree.XMLSyntaxError as error:
        line, column = error.position
        reason = _REASONS.get(error.code, "its markup is broken")
        raise Invalid.at(f"{place}, line {line}, column {column}", f"is not well-formed XML: {reason}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Invalid.at(place, "has a DOCTYPE; documents with a DTD are refused")
    if _deeper_than(root, MAX_DEPTH - 1):
        raise Invalid.at(place, f"is nested deeper than {MAX_DEPTH} levels")
    return root


@cache
def _parser(encoding: str | None, instructions: bool) -> etree.XMLParser:  # noqa: FBT001 - what it is cached by
    """Threads take turns with a parser, so there is one of each kind."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=not instructions,
        encoding=encoding,
    )


def _deeper_than(element: etree._Element, levels: int) -> bool:
    return levels == 0 or any(_deeper_than(child, levels - 1) for child in element if len(child))


def is_foreign(element: etree._Element) -> bool:
    """Whether a name in it, its attributes or anything below belongs to a namespace other than the one of `xml:`."""
    names = (str(name) for node in element.iter() for name in (node.tag, *attributes(node)))
    return any(name.startswith("{") for name in names)


def attributes(element: etree._Element) -> dict[str, str]:
    """The attributes of an element by name; raises Invalid when there are too many of them."""
    # Counting the names comes first: asking for the values takes time that grows with the square of their number.
    if len(element.keys()) > MAX_ATTRIBUTES:
        raise Invalid.at(str(element.tag), f"has more than {MAX_ATTRIBUTES} attributes")
    return {str(name).replace(_XML, "xml:"): str(value) for name, value in element.items()}


def inner(element: etree._Element) -> str:
    """What stands between the tags, in one form for equal content: no indentation, attributes by name."""
    indented = _only_indents(element)
    pieces = [] if indented else [text(element.text or "")]
    for child in element:
        pieces.append(_outer(child))
        if not indented:
            pieces.append(text(child.tail or ""))
    return "".join(pieces)


def _outer(element: etree._Element) -> str:
    marks = "".join(f' {name}="{attribute(value)}"' for name, value in sorted(attributes(element).items()))
    content = inner(element) if len(element) else text(element.text or "")
    tag = str(element.tag)
    return f"<{tag}{marks}>{content}</{tag}>" if content else f"<{tag}{marks}/>"


def _only_indents(element: etree._Element) -> bool:
    return not (element.text or "").strip() and all(not (child.tail or "").strip() for child in element)


def text(value: str) -> str:
    """The value, escaped to stand between tags, where a parser would turn a bare carriage return into a line feed."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def attribute(value: str) -> str:
    """The value, escaped to stand between quotes of either kind, where a parser would turn white space into blanks."""
    quoted = text(value).replace('"', "&quot;").replace("'", "&#39;")
    return quoted.replace("\n", "&#10;").replace("\t", "&#9;")


def is_name(name: str) -> bool:
    """Whether a key can be the name of an element: letters, digits, `_`, `-`, `.`; at most 128 characters."""
    return _NAME.fullmatch(name) is not None


def forbidden(value: str) -> str | None:
    """Why XML 1.0 cannot carry this value, or None."""
    found = _FORBIDDEN.search(value)
    if found is None:
        return None
    return f"character U+{ord(found.group()):04X} at position {found.start() + 1} cannot be written in XML"
