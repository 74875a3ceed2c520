"""What an app makes of a value: two values with the same meaning do the same, however they are written."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final, NamedTuple

from lxml import etree

from offhook.core import xml
from offhook.core.catalogue import KEYS
from offhook.core.keys import Key
from offhook.core.kinds import Address, Choice, Kind, Listing, Switch, Text, Tree, WebAddress, Whole, Word
from offhook.core.mergeable import Value
from offhook.core.numbers import whole

_DIGITS: Final = 18
# On, off, and taken away.
_SWITCH: Final = frozenset({"1", "0", ""})
# Their items are found by their id, so that their order says nothing.
_BY_ID: Final = frozenset({"quickDial", "dialActions"})
_HOST: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#%@]*(?=[/?#]|\Z)")


class _Default(NamedTuple):
    """What the app does by itself, where nobody knows what that is."""

    key: str


class _Translated(NamedTuple):
    """A text in several languages, and the one that all others get."""

    texts: frozenset[tuple[str, str]]
    otherwise: str


def meaning(key: str, value: Value) -> Hashable:
    """Something that is equal for two values of a key when an app does the same with both; ranks are not looked at.

    Blanks around a value count where any text may stand: apps keep them, and a password may end in one. What is none
    of its key's kind means only itself, except that a switch which is neither 0 nor 1 means its default.
    """
    return (_tree(key, value) if value.markup else _plain(_known(key), value.content), value.attributes)


def is_default(key: str, value: Value) -> bool:
    """Whether it is a switch that is neither on nor off."""
    return not value.markup and _is_default(_known(key), value.content)


def _known(key: str) -> Key | None:
    # A part of a global answer is called after where it stands, such as `preferences/doNotDisturb`.
    return KEYS.find(key.rpartition("/")[2])


def _is_default(known: Key | None, content: str) -> bool:
    return known is not None and isinstance(known.kind, Switch) and content.strip() not in _SWITCH


def _plain(known: Key | None, content: str) -> Hashable:
    if known is None:
        return content
    return (known.default or _Default(known.name)) if _is_default(known, content) else _of_kind(known.kind, content)


def _of_kind(kind: Kind, content: str) -> Hashable:
    bare = content.strip()
    match kind:
        case Text() | Tree():
            return content
        case Switch() | Word():
            return bare
        case Whole():
            number = whole(bare, _DIGITS)
            return bare if number is None else number
        case Choice(any_case=any_case):
            return bare.lower() if any_case else bare
        case Listing(item=item):
            return tuple(_of_kind(item, part) for part in bare.split(",")) if bare else bare
        case Address():
            return bare.lower()
        case _:
            assert isinstance(kind, WebAddress), "these are all kinds"
            return _HOST.sub(lambda found: found.group().lower(), bare, count=1)


def _tree(key: str, value: Value) -> Hashable:
    root = xml.parse(f"<value>{value.content}</value>", limit_bytes=2 * xml.MAX_BYTES)
    children = list(root)
    # Text between elements has a place among them.
    if not _has_text(root):
        if all(child.tag == "value" and not len(child) and set(child.keys()) <= {"lang"} for child in children):
            return _localized(children)
        if key in _BY_ID and len({child.get("id") for child in children}) == len(children):
            return frozenset(map(_element, children))
        parts = KEYS.parts(key)
        tags = [str(child.tag) for child in children]
        if parts.keys() >= set(tags) and len(set(tags)) == len(tags) and not any(map(len, children)):
            return frozenset(_part(parts[tag], child) for tag, child in zip(tags, children, strict=True))
    return xml.inner(root)


def _localized(children: list[etree._Element]) -> Hashable:
    """As `accountxml.localized` reads it; a single text is the same for everybody."""
    texts = {child.get("lang", "").lower(): child.text or "" for child in children}
    otherwise = texts.get("", next(iter(texts.values()), ""))
    different = frozenset((lang, text) for lang, text in texts.items() if text != otherwise)
    return _Translated(frozenset(texts.items()), otherwise) if different else otherwise


def _part(known: Key, child: etree._Element) -> Hashable:
    return (known.name, tuple(sorted(xml.attributes(child).items())), _plain(known, child.text or ""))


def _element(child: etree._Element) -> Hashable:
    return (str(child.tag), tuple(sorted(xml.attributes(child).items())), xml.inner(child))


def _has_text(root: etree._Element) -> bool:
    return bool((root.text or "").strip()) or any((child.tail or "").strip() for child in root)
