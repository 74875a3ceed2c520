"""What may be shown of a value: secrets are masked, and in addresses and bodies all that is not a placeholder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_plus

import msgspec
from lxml import etree

from offhook.core import xml
from offhook.core.catalogue import KEYS
from offhook.core.errors import Invalid
from offhook.core.keys import is_secret
from offhook.core.kinds import WebAddress
from offhook.core.secret import MASK

_BODY: Final = "PostData"
_HIDDEN: Final = rf"\g<before>{MASK}@"
# A placeholder names a secret and is none; neither is a mask.
_OPEN: Final = re.compile(
    rf"(?:%[A-Za-z_][A-Za-z0-9_.\-]*(?:\[[^\[\]%]*\])?%|\{{[^{{}}\s]{{1,128}}\}}|{re.escape(MASK)})*"
)
# What everybody knows who knows the app at all.
_PUBLIC: Final = frozenset({"cloud_id"})
_USER: Final = re.compile(r"(?P<scheme>(?:(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]*:)?//)[^/?#]*@")
# `user:password@` wherever it may stand: bare, or behind a scheme whose own colon is no part of it.
_PASSWORD: Final = re.compile(
    r"(?P<before>(?:^|(?<=[\s<]))(?:(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//|(?i:sips?|tel|xmpp|mailto|csc):)?+)"
    r"[^\s<@:/?#]*:(?P<word>[^\s</?#]*)@"
)
_WEB: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//")
_BEHIND: Final = re.compile(r"(?P<address>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?", re.DOTALL)
_FORM: Final = re.compile(r"[^\s=&<{\[\"]+=[^&]*(?:&[^\s=&<{\[\"]+=[^&]*)*", re.DOTALL)


def masked(key: str, content: str, *, markup: bool = False) -> str:
    """The content as anybody may see it; what is no secret, and no address or body that may hold one, stays.

    Of `markup` the same is true for each element and attribute, by its own name.
    """
    if not content:
        return content
    if is_secret(key):
        return MASK
    if markup:
        return _elements(content)
    if _is_address(key, content):
        return _address(content)
    return _body(content) if _is_body(key) else _PASSWORD.sub(_HIDDEN, content)


def in_the_clear(key: str, content: str, *, markup: bool = False) -> Iterator[str]:
    """The names of all secrets that stand in a value for themselves, and not as placeholders."""
    if not content or _OPEN.fullmatch(content):
        return
    if markup:
        for name, text in _texts(content):
            yield from in_the_clear(name, text)
    elif is_secret(key):
        yield key
    else:
        yield from (name for name, text in _named(key, content) if is_secret(name) and _OPEN.fullmatch(text) is None)
        for found in _PASSWORD.finditer(content):
            if (found["before"] or _is_address(key, content)) and not _OPEN.fullmatch(found["word"]):
                yield "the password of an address"


def _texts(content: str) -> Iterator[tuple[str, str]]:
    """The texts and attributes of markup by the names of their elements; within a secret, by that of the secret."""
    waiting = [("", _parsed(content))]
    while waiting:
        above, node = waiting.pop()
        if node is None:
            continue
        name = above if is_secret(above) else str(node.tag)
        yield from ((name, text) for text in (node.text, *(child.tail for child in node)) if text and text.strip())
        yield from ((name if is_secret(name) else str(key), str(text)) for key, text in node.items())
        waiting += [(name, child) for child in node]


def _named(key: str, content: str) -> Iterator[tuple[str, str]]:
    """What stands behind a name in the query of an address, in a form, or in a JSON document."""
    form = content
    if _is_address(key, content):
        form = content.partition("?")[2].partition("#")[0]
    elif not _is_body(key):
        return
    if form is content and not _FORM.fullmatch(form.strip()):
        yield from _members(_decoded(form))
        return
    for pair in form.split("&"):
        name, _, text = pair.partition("=")
        yield unquote_plus(name), text


def _members(told: object) -> Iterator[tuple[str, str]]:
    for part in told if isinstance(told, list) else ():
        yield from _members(part)
    for name, part in told.items() if isinstance(told, dict) else ():
        yield from _members(part)
        if not isinstance(part, dict | list | bool | None):
            yield str(name), str(part)


def _decoded(body: str) -> object:
    try:
        return msgspec.json.decode(body.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return None


def _elements(content: str) -> str:
    root = _parsed(content)
    if root is None:
        return MASK
    as_it_is = xml.inner(root)
    _mask(root, "")
    shown = xml.inner(root)
    return content if shown == as_it_is else shown


def _parsed(content: str) -> etree._Element | None:
    try:
        return xml.parse(f"<_>{content}</_>")
    except Invalid:
        return None


def _mask(node: etree._Element, above: str) -> None:
    """Mask what stands in an element; within a secret everything is."""
    name = above if is_secret(above) else str(node.tag)
    node.text = masked(name, node.text or "")
    for key, text in node.items():
        node.set(key, masked(name if is_secret(name) else str(key), str(text)))
    for child in node:
        child.tail = masked(name, child.tail or "")
        _mask(child, name)


def _is_address(key: str, content: str) -> bool:
    known = KEYS.find(key)
    return _WEB.match(content.strip()) is not None or (known is not None and isinstance(known.kind, WebAddress))


def _is_body(key: str) -> bool:
    return key.endswith(_BODY)


def _address(content: str) -> str:
    found = _BEHIND.fullmatch(content)
    assert found is not None, "every text has such parts"
    query, fragment = found["query"], found["fragment"]
    address = _PASSWORD.sub(_HIDDEN, _USER.sub(rf"\g<scheme>{MASK}@", found["address"], count=1))
    return address + ("?" + _pairs(query[1:]) if query else "") + (f"#{MASK}" if fragment else "")


def _body(content: str) -> str:
    if _FORM.fullmatch(content.strip()):
        return _pairs(content)
    try:
        return content if _has_no_texts(msgspec.json.decode(content.encode("utf-8", "replace"))) else MASK
    except (msgspec.DecodeError, RecursionError):
        return MASK


def _has_no_texts(told: object) -> bool:
    """Whether a JSON document says nothing of its own but its names: all that it holds are placeholders."""
    match told:
        case dict():
            return all(_has_no_texts(value) for value in told.values())
        case list():
            return all(_has_no_texts(value) for value in told)
        case str():
            return _OPEN.fullmatch(told) is not None
        case _:
            return told is None or isinstance(told, bool)


def _pairs(form: str) -> str:
    """Names stay, and values that are placeholders; a name without a value may be a token that ends in `=`."""
    return "&".join(map(_pair, form.split("&")))


def _pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals or not value.strip("="):
        return pair if _OPEN.fullmatch(pair.rstrip("=")) else MASK
    return f"{name}={value if name in _PUBLIC or _OPEN.fullmatch(value) else MASK}"
