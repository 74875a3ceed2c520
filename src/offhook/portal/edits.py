"""Single settings of an app changed by place, such as `account.title=Example`, without a file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from offhook.core.errors import Fault, Invalid
from offhook.portal import reading, writing
from offhook.portal.app import App
from offhook.portal.table import meant

SECTIONS: Final = (
    *("name", "replace_quick_dials_below", "account", "services", "preferences", "features"),
    *("reprovisioning", "screen", "quick_dials", "dial_actions"),
)
_FLAT: Final = frozenset({"account", "services", "preferences", "features"})
_NUMBERS: Final = re.compile(r"replace_quick_dials_below|reprovisioning\.interval_s|quick_dials\..*\.priority")
_ITEM: Final = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<plain>[^".]+))(?:\.(?P<key>.+))?')

Document: TypeAlias = dict[str, Any]


def edited(app: App, settings: Iterable[str] = (), removals: Iterable[str] = ()) -> App:
    """The app with `PLACE=VALUE` set and places removed, in this order; raises Invalid with every fault.

    `true` and `false` are switches, `{ ... }` is a table as in `app.toml`, anything else is the text that it is.
    """
    document = writing.to_document(app)
    faults: list[Fault] = []
    for setting in settings:
        place, equals, written = setting.partition("=")
        try:
            if not equals or not place.strip():
                raise Invalid.at(place or setting, "is not of the form PLACE=VALUE, such as account.title=Example")
            _set(document, place.strip(), _value(place.strip(), written))
        except Invalid as error:
            faults += error.faults
    for place in removals:
        try:
            _remove(document, place.strip())
        except Invalid as error:
            faults += error.faults
    Invalid.unless_empty(faults)
    return reading.from_document(document)


def _set(document: Document, place: str, value: object) -> None:
    section, names = _path(place)
    if not names:
        if section in {"name", "replace_quick_dials_below"}:
            document[section] = value
            return
        raise Invalid.at(place, f"is a whole section; name a key in it, such as {section}.something")
    if section == "quick_dials":
        table = _quick_dial(document, names[0])
        names = names[1:]
    else:
        table = document.setdefault(section, {})
    if not names:
        raise Invalid.at(place, f"is a whole entry; name a key in it, such as {place}.uri")
    for name in names[:-1]:
        table = table.setdefault(name, {})
    table[names[-1]] = value
    if place == "screen.mode":
        document["screen"] = _fitting(document["screen"])


def _remove(document: Document, place: str) -> None:
    section, names = _path(place)
    gone = Invalid.at(place, "is not set, so it cannot be removed")
    if section == "quick_dials" and names:
        kept = [item for item in document.get(section, []) if item["id"] != names[0]]
        if len(kept) == len(document.get(section, [])):
            raise gone
        if len(names) == 1:
            document[section] = kept
            return
        table, names = _quick_dial(document, names[0]), names[1:]
    else:
        table, names = document, [section, *names]
    for name in names[:-1]:
        table = table.get(name, {})
    if names[-1] not in table:
        raise gone
    del table[names[-1]]


def _path(place: str) -> tuple[str, list[str]]:
    """A place as its section and the names inside it."""
    section, _, rest = place.partition(".")
    if section == "cloud_id":
        raise Invalid.at(place, "cannot be changed: make another app, and export and apply this one there")
    if section not in SECTIONS:
        raise Invalid.at(place, f"is not known here; {meant(section, SECTIONS)}")
    if not rest or section in _FLAT:
        return section, [rest] if rest else []
    if section not in {"quick_dials", "dial_actions"}:
        return section, rest.split(".")
    found = _ITEM.fullmatch(rest)
    if found is None:
        raise Invalid.at(place, f'is not of the form {section}.ID.KEY; an ID with dots stands between "quotes"')
    identity = found["quoted"] or found["plain"]
    return section, [identity, found["key"]] if found["key"] else [identity]


def _value(place: str, written: str) -> object:
    if written in {"true", "false"}:
        return written == "true"
    if _NUMBERS.fullmatch(place) and written.removeprefix("-").isdecimal() and written.isascii() and len(written) < 10:
        return int(written)
    if written.startswith("{"):
        try:
            return tomllib.loads(f"table = {written}")["table"]
        except tomllib.TOMLDecodeError:
            return written  # The body of a request may well be JSON.
    return written


def _quick_dial(document: Document, identity: str) -> Document:
    items: list[Document] = document.setdefault("quick_dials", [])
    for item in items:
        if item["id"] == identity:
            return item
    items.append({"id": identity})
    return items[-1]


def _fitting(screen: Mapping[str, Any]) -> Document:
    """A screen without the settings of its former mode."""
    kind = reading.MODES.get(screen["mode"])
    fields = kind.__struct_fields__ if kind else tuple(screen)
    return {name: setting for name, setting in screen.items() if name in {"mode", *fields}}
