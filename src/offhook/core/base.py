"""The base configuration: what the portal says about an app to every one of its phones (D16)."""

from __future__ import annotations

from typing import Final

import msgspec
from lxml import etree

from offhook.core import accountxml, dialplan, mergeable, webservice, xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import GlobalPart
from offhook.core.errors import Fault, Invalid
from offhook.core.kinds import quoted
from offhook.core.mergeable import Value
from offhook.core.numbers import whole
from offhook.core.secret import Discreet

DAY_S: Final = 86400
SOURCE: Final = "portal"
_NODES: Final = frozenset({"account", "features", "reprovisioning", *dialplan.NODES})
_PORTAL_PREFIXES: Final = (webservice.INITIAL, webservice.GLOBAL, "dialActionWs", "wsContacts")


class Reprovisioning(msgspec.Struct, frozen=True):
    """How the app keeps the portal part fresh (D9): whether at all, how often at the latest, whether by a button."""

    enabled: bool = True
    interval_s: int = DAY_S
    button: bool = True


class Base(Discreet, frozen=True):
    """One version of an app's base configuration."""

    cloud_id: str
    version: int
    account: dict[str, Value]
    services: dict[str, str]
    features: dict[str, str]
    reprovisioning: Reprovisioning = Reprovisioning()
    common: GlobalPart = GlobalPart()
    diagnostics: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        return f"{self.cloud_id}, version {self.version}"


def loads(document: bytes | str) -> Base:
    """Read a base document; raises Invalid."""
    root = xml.parse(document, "base configuration")
    if root.tag != "provisioning":
        raise Invalid.at("base configuration", "has another root than <provisioning>")
    remarks: list[Diagnostic] = []
    services = _services(root, remarks)
    account, features, plan = (_child(root, name, remarks) for name in ("account", "features", "reprovisioning"))
    reading = accountxml.read_keys(account, mergeable.PORTAL, SOURCE)
    common = dialplan.read(root, mergeable.PORTAL, SOURCE)
    return Base(
        cloud_id=root.get("cloudId", ""),
        version=whole(root.get("version")) or 0,
        account=reading.values,
        services=services,
        features={str(child.tag): child.text or "" for child in features if xml.is_name(str(child.tag))},
        reprovisioning=_reprovisioning(plan, remarks),
        common=common,
        diagnostics=(*dict.fromkeys(remarks), *reading.diagnostics, *common.diagnostics),
    )


def dumps(base: Base) -> str:
    """Write a base document; equal input gives equal text."""
    plan = base.reprovisioning
    lines = [
        f'<provisioning cloudId="{xml.attribute(base.cloud_id)}" version="{base.version}">',
        "  <account>",
        *accountxml.write_keys(base.account, rank=mergeable.PORTAL, indent="    "),
        "  </account>",
        *(f"  <{key}>{xml.text(value)}</{key}>" for key, value in base.services.items()),
        "  <features>",
        *(f"    <{name}>{xml.text(value)}</{name}>" for name, value in base.features.items()),
        "  </features>",
        f'  <reprovisioning enabled="{plan.enabled:d}" interval="{plan.interval_s}" button="{plan.button:d}"/>',
    ]
    if common := dialplan.write(base.common, rank=mergeable.PORTAL):
        lines.append(common)
    return "\n".join((*lines, "</provisioning>\n"))


def faults(base: Base) -> list[Fault]:
    """What keeps a base from being written, by place."""
    texts = {"cloud id": base.cloud_id, **base.services, **base.features}
    unknown = [
        Fault(key[:80], "is not a key of a service that the portal knows")
        for key in base.services
        if not is_service_key(key)
    ]
    unnamed = [
        Fault(name[:80], "is not a possible name of a feature") for name in base.features if not xml.is_name(name)
    ]
    unwritable = [Fault(place, reason) for place, text in texts.items() if (reason := xml.forbidden(text))]
    return [*unknown, *unnamed, *unwritable, *accountxml.faults(base.account), *dialplan.faults(base.common)]


def is_service_key(key: str) -> bool:
    """Whether a key is part of a web service definition that the portal delivers beside the account."""
    return not _SERVICE_KEYS.isdisjoint(webservice.spellings(key))


def _services(root: etree._Element, remarks: list[Diagnostic]) -> dict[str, str]:
    """The keys of services; what has no meaning here is told, since somebody will miss its effect."""
    services: dict[str, str] = {}
    for child in root:
        key = str(child.tag)
        if not is_service_key(key):
            if key not in _NODES:
                remarks.append(Diagnostic(key[:80], "has no meaning in a base configuration and was left out"))
            continue
        if not services.keys().isdisjoint(webservice.spellings(key)):
            remarks.append(Diagnostic(key, "stands more than once; the last one counts"))
            services = {name: text for name, text in services.items() if name not in webservice.spellings(key)}
        services[key] = child.text or ""
    return services


def _child(root: etree._Element, name: str, remarks: list[Diagnostic]) -> etree._Element:
    """The first child of that name, an empty one when there is none."""
    found = root.findall(name)
    if len(found) > 1:
        remarks.append(Diagnostic(name, "stands more than once; the first one counts"))
    return found[0] if found else etree.Element(name)


def _reprovisioning(node: etree._Element, remarks: list[Diagnostic]) -> Reprovisioning:
    written = node.get("interval")
    interval_s = DAY_S if written is None else whole(written)
    if interval_s is None or interval_s < 0:
        remarks.append(Diagnostic("reprovisioning", f"its interval is no number of seconds; {DAY_S} counts instead"))
        interval_s = DAY_S
    return Reprovisioning(_is_on(node, "enabled", remarks), interval_s, _is_on(node, "button", remarks))


def _is_on(node: etree._Element, name: str, remarks: list[Diagnostic]) -> bool:
    written = node.get(name, "1")
    if written not in {"0", "1"}:
        what = f"{name} is {quoted(written)}, which is neither 1 (on) nor 0 (off); 1 counts instead"
        remarks.append(Diagnostic("reprovisioning", what))
    return written != "0"


_SERVICE_KEYS: Final = frozenset(prefix + suffix for prefix in _PORTAL_PREFIXES for suffix in webservice.SUFFIXES)
