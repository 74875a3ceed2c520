"""`app.toml` read: the text that a person wrote becomes an app, or a list of everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from offhook.core import base as core_base
from offhook.core import mergeable, xml
from offhook.core.base import DAY_S, SOURCE, Reprovisioning
from offhook.core.dialplan import QuickDial, QuickDials, Removal
from offhook.core.errors import Fault, Invalid
from offhook.core.features import Features
from offhook.core.login import CloudId
from offhook.core.mergeable import Value
from offhook.core.screen import Classic, QrOnly, Screen, Texts, WhiteLabel
from offhook.portal import app as apps
from offhook.portal.app import App
from offhook.portal.base import base_bytes
from offhook.portal.table import Table, kind_of, meant, parse

NAME: Final = "app.toml"
MOST_PRIORITY: Final = 1_000_000
MAX_INTERVAL_S: Final = 366 * DAY_S
MODES: Final[Mapping[str, type[Screen]]] = {"classic": Classic, "white_label": WhiteLabel, "qr_only": QrOnly}
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,63}")


def loads(text: str) -> App:
    """Read an `app.toml`; raises Invalid with every fault by place."""
    return from_document(parse(text, NAME))


def from_document(document: Mapping[str, Any]) -> App:
    """Read a document as TOML gives it; raises Invalid with every fault by place."""
    top = Table(document)
    app = _app(top)
    top.finish()
    found = [*top.faults, *apps.faults(app)]
    if not found:
        found = [Fault("app", f"cannot be sent to phones: {fault}") for fault in _unreadable(app)]
    Invalid.unless_empty(dict.fromkeys(found))
    return app


def _app(top: Table) -> App:
    cloud_id, name = _cloud_id(top), top.text("name")
    below = _priority(top, "replace_quick_dials_below") if top.has("replace_quick_dials_below") else None
    account = _values(top.table("account"))
    services = top.table("services")
    provider = services.switch("provider", default=True)
    return App(
        cloud_id=cloud_id,
        name=name,
        account=apps.in_order(account),
        provider=provider,
        services=_services(services),
        preferences=dict(sorted(_values(top.table("preferences")).items())),
        features=_features(top.table("features")),
        reprovisioning=_reprovisioning(top.table("reprovisioning")),
        screen=_screen(top.table("screen")),
        quick_dials=_quick_dials(top.tables("quick_dials"), below),
        dial_actions=_dial_actions(top.table("dial_actions")),
    )


def _cloud_id(top: Table) -> str:
    already = len(top.faults)
    written = top.text("cloud_id")
    if len(top.faults) > already:
        return ""
    try:
        found = CloudId.parse(written)
    except Invalid as error:
        top.faults.extend(Fault("cloud_id", fault.text) for fault in error.faults)
        return ""
    if found.editable:
        top.fault("cloud_id", "has a star behind it, which chooses a version: leave it out")
    return found.name


def _values(table: Table) -> dict[str, Value]:
    """All names of a table as keys: texts, numbers, true and false, or tables that say more."""
    values = {}
    for key, written in table.rest().items():
        inner = Table(written, table.inside(key), table.faults) if isinstance(written, dict) else None
        found = _detailed(inner) if inner else _plain(table, key, written)
        if found is not None:
            values[key] = found
    return values


def _plain(table: Table, key: str, written: object) -> Value | None:
    if isinstance(written, bool):
        return apps.value(str(int(written)))
    if isinstance(written, int):
        return apps.value(str(written))
    if isinstance(written, str):
        return apps.value(written)
    mend = "write it between quotes" if not isinstance(written, list) else "write one text, with commas in it"
    table.fault(key, f"is {kind_of(written)}; {mend}")
    return None


def _detailed(table: Table) -> Value | None:
    """`{ value = ..., priority = ... }` or `{ xml = "...", priority = ... }`."""
    priority = _priority(table, "priority") if table.has("priority") else None
    markup = table.text("xml") if table.has("xml") else None
    written = table.content.get("value") if table.has("value") else None
    table.finish()
    if (markup is None) == (written is None):
        table.faults.append(Fault(table.place, "needs either `value` or `xml`, and not both"))
        return None
    if markup is not None:
        return _markup(table, markup, priority)
    plain = _plain(table, "value", written) if not isinstance(written, dict) else None
    if isinstance(written, dict):
        table.fault("value", "is a table; write elements as xml = '...'")
    return apps.value(plain.content, priority) if plain else None


def _markup(table: Table, markup: str, priority: int | None) -> Value | None:
    try:
        root = xml.parse(f"<value>{markup}</value>", table.inside("xml"))
        settled = xml.inner(root)
        xml.parse(f"<value>{settled}</value>", table.inside("xml"))
    except Invalid as error:
        # The column would be that of our wrapping.
        table.faults.extend(Fault(fault.place.partition(", column")[0], fault.text) for fault in error.faults)
        return None
    return apps.value(settled, priority, markup=True) if len(root) else apps.value(root.text or "", priority)


def _priority(table: Table, name: str) -> int:
    return table.whole(name, mergeable.PORTAL, 0, MOST_PRIORITY)


def _services(table: Table) -> dict[str, str]:
    services = {}
    for written in table.rest():
        key = apps.service_key(written)
        if key is None:
            table.fault(written, apps.unknown_service_key(written))
        elif isinstance(number := table.content[written], int) and not isinstance(number, bool):
            services[key] = str(number)
        else:
            services[key] = table.text(written)
    return {key: services[key] for key in apps.SERVICE_KEYS if key in services}


def _features(table: Table) -> dict[str, str]:
    try:
        return Features.parse(table.rest()).table()
    except Invalid as error:
        table.faults.extend(Fault(table.inside(fault.place), fault.text) for fault in error.faults)
        return {}


def _reprovisioning(table: Table) -> Reprovisioning:
    found = Reprovisioning(
        enabled=table.switch("enabled", default=True),
        interval_s=table.whole("interval_s", DAY_S, 0, MAX_INTERVAL_S),
        button=table.switch("button", default=True),
    )
    table.finish()
    return found


def _screen(table: Table) -> Screen:
    mode = table.text("mode", "classic")
    kind = MODES.get(mode)
    if kind is None:
        table.fault("mode", f"{mode[:40]!r} is not a mode; {meant(mode, MODES)}")
        return Classic()
    settings: dict[str, Any] = {"texts": _texts(table.table("texts"))}
    if "qr" in kind.__struct_fields__:
        settings["qr"] = table.switch("qr", default=True)
    if "uri_scheme" in kind.__struct_fields__:
        settings["uri_scheme"] = table.text("uri_scheme", "csc")
        if not _SCHEME.fullmatch(settings["uri_scheme"]):
            table.fault("uri_scheme", "is not the scheme of a link, such as csc: letters, digits, '+', '-' and '.'")
    table.finish()
    return kind(**settings)


def _texts(table: Table) -> Texts:
    texts = Texts(**{name: table.text(name) for name in Texts.__struct_fields__})
    table.finish()
    return texts


def _quick_dials(tables: list[Table], below: int | None) -> QuickDials:
    items: list[QuickDial] = []
    removals: list[Removal] = []
    seen: set[str] = set()
    for table in tables:
        identity = table.text("id")
        rank = _priority(table, "priority") if table.has("priority") else mergeable.PORTAL
        if not identity or identity in seen:
            table.fault("id", "stands here again" if identity else "is missing: it tells quick dials apart")
        seen.add(identity)
        if table.switch("remove", default=False):
            removals.append(Removal(identity, rank, SOURCE))
        else:
            texts = {name: table.text(name) for name in ("display_name", "uri", "portrait_url")}
            items.append(QuickDial(identity, rank=rank, source=SOURCE, **texts))
        table.finish()
    return QuickDials(tuple(items), tuple(removals), below)


def _dial_actions(table: Table) -> dict[str, dict[str, Value]]:
    actions = {}
    for identity in table.rest():
        if reason := xml.forbidden(identity) or ("" if identity else "needs an id"):
            table.fault(identity, reason)
        actions[identity] = dict(sorted(_values(table.table(identity)).items()))
    return actions


def _unreadable(app: App) -> list[Fault]:
    """What a phone would say against the base document: too large, too deep, too many keys."""
    try:
        core_base.loads(base_bytes(app, 1, {}))
    except Invalid as error:
        return list(error.faults)
    return []
