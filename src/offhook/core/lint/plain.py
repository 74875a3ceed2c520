"""Each key by itself: is it known, is its value of the right kind, does its rank make sense."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from lxml import etree

from offhook.core.catalogue import KEYS
from offhook.core.keys import Key, near
from offhook.core.kinds import Tree, Word
from offhook.core.lint.finding import Finding, Severity
from offhook.core.mergeable import PROVIDER, USER, Value

# A template of the provider's own, such as {username}, stands for a value that is not known yet.
_STAND_IN: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_.-]{0,63}\}")
_LEFT_AS_IT_IS: Final = "A key that nobody knows is kept as a parameter of your own: read it with %account[{}]%."

# Looking for near names takes a while, so a document full of unknown keys gets only so many answers.
_GUESSES: Final = 100

# Names that people expect to be keys, and where their meaning really goes.
_ELSEWHERE: Final[Mapping[str, str]] = {
    "port": "Write the port behind the host: <host>sip.example.com:5080</host>, or do so in proxy.",
    "quickDial": "Send it in the answer of the global provisioning service.",
    "dialActions": "Send it in the answer of the global provisioning service.",
}


def unknown(document: Mapping[str, Value], referenced: frozenset[str]) -> Iterator[Finding]:
    """Keys that the catalogue does not have: misspelt, misplaced, or the provider's own."""
    guesses = _GUESSES
    for name in document:
        if KEYS.find(name) is not None:
            continue
        if how := _ELSEWHERE.get(name):
            yield Finding("error", name, "does not belong into an account, where it has no effect", how)
        elif name.startswith("X-") or name in referenced:
            yield Finding("note", name, "is a parameter of your own", f"A web service reads it with %account[{name}]%.")
        else:
            yield _stranger(name, KEYS.near(name) if guesses > 0 else ())
            guesses -= 1


def _stranger(name: str, meant: tuple[str, ...]) -> Finding:
    if not meant:
        return Finding("note", name, "is not a known key", _LEFT_AS_IT_IS.format(name))
    how = f"Did you mean {' or '.join(meant)}? Upper and lower case count."
    return Finding("warning", name, "is not a known key", how)


def misplaced(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Keys of services that the app looks for in the portal's base alone."""
    for name in document:
        service = KEYS.service(name)
        if service and service.portal_only:
            how = "Set it in the portal, beside the account."
            yield Finding("warning", name, "is read from the portal; in an account it has no effect", how)


def values(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Values of the wrong kind or out of range."""
    for name, value in document.items():
        key = KEYS.find(name)
        if key is None:
            continue
        if value.markup:
            yield from _subtree(key, value.children())
        else:
            yield from _text(key, value.content, name)


def _text(key: Key, content: str, place: str) -> Iterator[Finding]:
    if _STAND_IN.search(content):
        return
    bare = content.strip()
    if bare and bare != content and not isinstance(key.kind, Tree):
        how = "Remove them: an app may keep them as they are."
        yield Finding("warning", place, "has blanks or line breaks around its value", how)
    if fault := key.fault(bare):
        yield Finding("error", place, fault, _instruction(key))
    elif isinstance(key.kind, Word) and bare and (doubt := key.kind.doubt(bare)):
        yield Finding("note", place, doubt, "Check the spelling; this list is not complete.")


def _instruction(key: Key) -> str:
    if key.required:
        return f"It takes {key.kind}; leave the key out to keep the one that the portal gives."
    default = f"; leave the key out for the default, {key.default}" if key.default else ""
    return f"It takes {key.kind}{default}."


def _subtree(key: Key, children: list[etree._Element]) -> Iterator[Finding]:
    parts = KEYS.parts(key.name)
    if key.name == "blf":
        yield from _watched(children)
    elif parts:
        for child in children:
            yield from _part(key, parts, str(child.tag), child.text or "")
    elif not isinstance(key.kind, Tree):
        yield from _by_language(key, children)


def _watched(children: Iterable[etree._Element]) -> Iterator[Finding]:
    for child in children:
        if child.tag != "uri" or not (child.text or "").strip():
            how = "Name each extension in an element of its own: <uri>204</uri>."
            yield Finding("warning", f"blf/{child.tag!s}", "is not an extension to watch", how)


def _part(key: Key, parts: Mapping[str, Key], tag: str, content: str) -> Iterator[Finding]:
    place = f"{key.name}/{tag}"
    if part := parts.get(tag):
        yield from _text(part, content, place)
        return
    meant = near(tag, parts) or tuple(parts)
    yield Finding("warning", place, "is not a known element", f"There is {', '.join(meant)}.")


def _by_language(key: Key, children: Iterable[etree._Element]) -> Iterator[Finding]:
    for child in children:
        if child.tag != "value" or len(child):
            how = "Escape < as &lt; and & as &amp; in a text, or give one <value lang=...> for each language."
            yield Finding("error", key.name, "holds elements, where a text belongs", how)
            return
        yield from _text(key, child.text or "", key.name)


def ranks(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Values that a provider ranks as high as the user's own choice, or higher."""
    for name, value in document.items():
        if value.rank >= USER and value.source != "user":
            above = value.rank > USER
            what = "locks the user out of this setting" if above else "takes back what the user chose, at every check"
            how = f"Leave the priority out, which makes it {PROVIDER}, unless that is what you want."
            severity: Severity = "warning" if above else "note"
            yield Finding(severity, name, f"has priority {value.rank} and {what}", how)
