"""Account XML and error documents: text to values and back, with limits and stable output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from lxml import etree

from offhook.core import xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Fault, Invalid
from offhook.core.mergeable import Value
from offhook.core.numbers import whole

CONTENT_TYPE: Final = "application/xml"
ACCEPTED_TYPES: Final = frozenset({"application/xml", "text/xml"})
MAX_KEYS: Final = 2000
MAX_MESSAGE: Final = 500
# Without these two, Persian words and emoji fall apart; all other invisible characters go.
_JOINERS: Final = "\u200c\u200d"


class Reading(msgspec.Struct, frozen=True):
    """What a document said: values by key, and what was tolerated."""

    values: dict[str, Value]
    diagnostics: tuple[Diagnostic, ...] = ()
    account_id: str | None = None


def loads(document: bytes | str, rank: int, source: str) -> Reading:
    """Read a document with exactly one `account` (D6); `rank` and `source` are those of its channel.

    A `priority` on a node counts instead of the channel's rank; its `source` is not believed, since only the channel
    tells who speaks. Raises Invalid; then nothing may be stored.
    """
    return read_keys(_account(xml.parse(document, "Account XML")), rank, source)


def read_keys(element: etree._Element, rank: int, source: str) -> Reading:
    """The children of an element as keys and values (D5); raises Invalid when there are too many."""
    if len(element) > MAX_KEYS:
        raise Invalid.at("Account XML", f"has more than {MAX_KEYS:,} keys")
    values: dict[str, Value] = {}
    diagnostics: list[Diagnostic] = []
    for node in element:
        key = str(node.tag)
        bare = not node.keys() and not len(node)
        if not xml.is_name(key) or (not bare and xml.is_foreign(node)):
            diagnostics.append(
                Diagnostic(key[:80], "was ignored: a key is a plain name, and nothing in it has a namespace")
            )
            continue
        value = Value(node.text or "", rank, source) if bare else _value(node, rank, source, diagnostics)
        if key in values:
            diagnostics.append(Diagnostic(key, "stands more than once; the last one of the highest rank counts"))
            if value.rank < values[key].rank:
                continue
        values[key] = value
    return Reading(values, tuple(diagnostics), element.get("id"))


def _account(root: etree._Element) -> etree._Element:
    if root.tag == "account":
        return root
    found = list(root.iter("account"))
    if len(found) != 1:
        raise Invalid.at("Account XML", f"needs exactly one <account>, and its root holds {len(found) or 'none'}")
    return found[0]


def _value(node: etree._Element, rank: int, source: str, diagnostics: list[Diagnostic]) -> Value:
    attributes = xml.attributes(node)
    written = attributes.pop("priority", None)
    own_rank = rank if written is None else whole(written)
    if own_rank is None:
        diagnostics.append(Diagnostic(str(node.tag), f"has a priority that is no whole number; {rank} counts instead"))
        own_rank = rank
    attributes.pop("source", None)
    content = xml.inner(node) if len(node) else node.text or ""
    # Written in one form, a sub-tree can be longer than it was, and it has to be read again.
    if len(node) and len(content.encode()) > xml.MAX_BYTES:
        raise Invalid.at(str(node.tag), f"is larger than {xml.MAX_BYTES:,} bytes when everything in it is escaped")
    return Value(content, own_rank, source, markup=len(node) > 0, attributes=tuple(sorted(attributes.items())))


def dumps(values: Mapping[str, Value], *, rank: int | None = None) -> str:
    """Write an account: one key a line, in the order given, equal input giving equal text.

    With `rank`, the channel's, a value of another rank says its `priority`.
    """
    return "\n".join(("<account>", *write_keys(values, rank=rank), "</account>\n"))


def write_keys(values: Mapping[str, Value], *, rank: int | None = None, indent: str = "  ") -> Iterator[str]:
    """A line for each key; `rank` as in `dumps`."""
    for key, value in values.items():
        content = value.content if value.markup else xml.text(value.content)
        deviates = rank is not None and value.rank != rank
        marks = _marks(value, rank=deviates) if deviates or value.attributes else ""
        yield f"{indent}<{key}{marks}>{content}</{key}>"


def _marks(value: Value, *, rank: bool) -> str:
    own = (("priority", str(value.rank)),) * rank
    return "".join(f' {name}="{xml.attribute(text)}"' for name, text in (*own, *value.attributes))


def faults(values: Mapping[str, Value]) -> list[Fault]:
    """What keeps these values from being written, by key: names and characters XML cannot carry, broken sub-trees."""
    found: list[Fault] = []
    for key, value in values.items():
        if not xml.is_name(key):
            found.append(Fault(key[:80], "is not a possible name of a key"))
        elif reason := _unwritable(key, value):
            found.append(Fault(key, reason))
    return found


def _unwritable(key: str, value: Value) -> str | None:
    for text in (value.content, *(text for _, text in value.attributes)):
        if reason := xml.forbidden(text):
            return reason
    if not value.markup and not value.attributes:
        return None
    try:
        reading = loads(dumps({key: value}), value.rank, value.source)
    except Invalid as broken:
        return broken.faults[0].text
    if reading.diagnostics or list(reading.values) != [key]:
        return "ends its element and begins another, or uses an XML namespace"
    return None


def localized(value: Value, locale: str) -> str:
    """The text for a locale: the `<value lang=...>` child of that locale, of its language, or the untagged one."""
    texts = {node.get("lang", "").lower(): node.text or "" for node in value.children() if node.tag == "value"}
    if not texts:
        return value.content
    wanted = locale.lower().replace("_", "-")
    for tag in (wanted, wanted.split("-")[0], ""):
        if tag in texts:
            return texts[tag]
    return next(iter(texts.values()))


def write_error(message: str) -> str:
    """An error document, whose message the app shows as it is (D7)."""
    return f"<error><message>{xml.text(_plain(message))}</message></error>\n"


def read_error(document: bytes) -> str | None:
    """The message of `<error><message>` or of a bare `<message>` as plain text; None when there is none (D7)."""
    try:
        root = xml.parse(document, "error document")
    except Invalid:
        return None
    node = root if root.tag == "message" else root.find("message") if root.tag == "error" else None
    return None if node is None else _plain("".join(str(piece) for piece in node.itertext())) or None


def _plain(message: str) -> str:
    visible = message if message.isprintable() else "".join(map(_visible, message))
    return " ".join(visible.split())[:MAX_MESSAGE].rstrip()


def _visible(letter: str) -> str:
    return " " if letter.isspace() else letter * (letter.isprintable() or letter in _JOINERS)
