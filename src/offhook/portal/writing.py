"""`app.toml` written: an app as the text that a person keeps in git, in an order that never changes by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lxml import etree

from offhook.core import mergeable, xml
from offhook.core.catalogue import KEYS
from offhook.core.dialplan import QuickDials
from offhook.core.kinds import Switch, Whole
from offhook.core.mergeable import Value
from offhook.core.screen import Screen
from offhook.portal import toml
from offhook.portal.app import App

_HEADING: Final = "# What the portal says to every phone of {0}. After a change: offhook app apply FOLDER\n"
_NUMBER_DIGITS: Final = 15


def dumps(app: App) -> str:
    """An app as `app.toml`, which reads back as an equal app; equal input gives equal text."""
    return _HEADING.format(app.cloud_id) + toml.dumps(to_document(app))


def to_document(app: App) -> dict[str, Any]:
    """An app as the document that `reading.from_document` reads."""
    document: dict[str, Any] = {"cloud_id": app.cloud_id, "name": app.name}
    if app.quick_dials.replace_below is not None:
        document["replace_quick_dials_below"] = app.quick_dials.replace_below
    document["account"] = {key: _written(value, key) for key, value in app.account.items()}
    document["services"] = {"provider": app.provider, **app.services}
    if app.preferences:
        document["preferences"] = _plainly(app.preferences)
    if app.features:
        document["features"] = {name: True if setting == "1" else setting for name, setting in app.features.items()}
    plan = app.reprovisioning
    document["reprovisioning"] = {"enabled": plan.enabled, "interval_s": plan.interval_s, "button": plan.button}
    document["screen"] = _screen(app.screen)
    if items := list(_quick_dials(app.quick_dials)):
        document["quick_dials"] = items
    if app.dial_actions:
        document["dial_actions"] = {identity: _plainly(values) for identity, values in app.dial_actions.items()}
    return document


def _plainly(values: Mapping[str, Value]) -> dict[str, Any]:
    return {key: _written(value) for key, value in values.items()}


def _written(value: Value, key: str = "") -> bool | int | str | dict[str, Any]:
    """A value as a person would write it: known switches as true and false, known numbers as numbers."""
    if value.markup or value.rank != mergeable.PORTAL:
        content = {"xml": _indented(value.content)} if value.markup else {"value": value.content}
        return {**_priority(value.rank), **content}
    known = KEYS.find(key)
    if known and isinstance(known.kind, Switch) and value.content in {"0", "1"}:
        return value.content == "1"
    if known and isinstance(known.kind, Whole) and _is_number(value.content):
        return int(value.content)
    return value.content


def _is_number(content: str) -> bool:
    return content.isdecimal() and len(content) <= _NUMBER_DIGITS and str(int(content)) == content


def _indented(markup: str) -> str:
    """Elements one below the other, if that does not change what they say."""
    children = list(xml.parse(f"<value>{markup}</value>"))
    for child in children:
        etree.indent(child)
    lines = "".join(f"{etree.tostring(child, encoding='unicode', with_tail=False)}\n" for child in children)
    return lines if xml.inner(xml.parse(f"<value>{lines}</value>")) == markup else markup


def _screen(screen: Screen) -> dict[str, Any]:
    settings = {name: getattr(screen, name) for name in screen.__struct_fields__ if name != "texts"}
    texts = {name: text for name in screen.texts.__struct_fields__ if (text := getattr(screen.texts, name))}
    return {"mode": screen.__struct_config__.tag, **settings, **({"texts": texts} if texts else {})}


def _quick_dials(quick_dials: QuickDials) -> Iterator[dict[str, Any]]:
    for removal in quick_dials.removals:
        yield {"id": removal.id, "remove": True, **_priority(removal.rank)}
    for item in quick_dials.items:
        texts = {"display_name": item.display_name, "uri": item.uri, "portrait_url": item.portrait_url}
        yield {"id": item.id, **{name: text for name, text in texts.items() if text}, **_priority(item.rank)}


def _priority(rank: int) -> dict[str, int]:
    return {} if rank == mergeable.PORTAL else {"priority": rank}
