"""What may be shown of a value: secrets are masked, and in addresses and bodies all that is not a placeholder."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from offhook.core.catalogue import KEYS
from offhook.core.keys import is_secret
from offhook.core.kinds import WebAddress
from offhook.core.secret import MASK

_BODY: Final = "PostData"
_HIDDEN: Final = rf"\g<before>{MASK}@"
# A placeholder names a secret and is none; neither is a mask.
_OPEN: Final = re.compile(rf"(?:%[A-Za-z_][A-Za-z0-9_.\-]*(?:\[[^\[\]%]*\])?%|{re.escape(MASK)})*")
# What everybody knows who knows the app at all.
_PUBLIC: Final = frozenset({"cloud_id"})
_USER: Final = re.compile(r"(?P<scheme>(?:(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]*:)?//)[^/?#]*@")
# `user:password@` wherever it may stand: bare, or behind a scheme whose own colon is no part of it.
_PASSWORD: Final = re.compile(
    r"(?P<before>(?:^|(?<=[\s<]))(?:(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//|(?i:sips?|tel|xmpp|mailto|csc):)?+)"
    r"[^\s<@:/?#]*:[^\s</?#]*@"
)
_WEB: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//")
_BEHIND: Final = re.compile(r"(?P<address>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?", re.DOTALL)
_FORM: Final = re.compile(r"[^\s=&<{\[\"]+=[^&]*(?:&[^\s=&<{\[\"]+=[^&]*)*", re.DOTALL)


def masked(key: str, content: str) -> str:
    """The content as anybody may see it; what is no secret, and no address or body that may hold one, stays."""
    if not content:
        return content
    if is_secret(key):
        return MASK
    if _is_address(key, content):
        return _address(content)
    return _body(content) if _is_body(key) else _PASSWORD.sub(_HIDDEN, content)


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
