"""The base configuration: what the portal says about an app to every one of its phones (D16)."""

from __future__ import annotations

from typing import Final

import msgspec
from lxml import etree

from offhook.core import accountxml, dialplan, mergeable, webservice, xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import GlobalPart
from offhook.core.errors import Fault, Invalid
from offhook.core.mergeable import Value
from offhook.core.secret import Discreet

DAY_S: Final = 86400
SOURCE: Final = "portal"
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
    reading = accountxml.read_keys(_child(root, "account"), mergeable.PORTAL, SOURCE)
    common = dialplan.read(root, mergeable.PORTAL, SOURCE)
    return Base(
        cloud_id=root.get("cloudId", ""),
        version=xml.whole(root.get("version")) or 0,
        account=reading.values,
        services={str(child.tag): child.text or "" for child in root if is_service_key(str(child.tag))},
        features={
            str(child.tag): child.text or "" for child in _child(root, "features") if xml.is_name(str(child.tag))
        },
        reprovisioning=_reprovisioning(_child(root, "reprovisioning")),
        common=common,
        diagnostics=(*reading.diagnostics, *common.diagnostics),
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
    return _first_lowered(key) in _SERVICE_KEYS


def _first_lowered(key: str) -> str:
    return key[:1].lower() + key[1:]


def _child(root: etree._Element, name: str) -> etree._Element:
    """The first child of that name, an empty one when there is none."""
    found = root.find(name)
    return etree.Element(name) if found is None else found


def _reprovisioning(node: etree._Element) -> Reprovisioning:
    interval_s = xml.whole(node.get("interval"))
    return Reprovisioning(
        enabled=node.get("enabled", "1") != "0",
        interval_s=DAY_S if interval_s is None or interval_s < 0 else interval_s,
        button=node.get("button", "1") != "0",
    )


_SERVICE_KEYS: Final = frozenset(
    _first_lowered(prefix) + suffix for prefix in _PORTAL_PREFIXES for suffix in webservice.SUFFIXES
)
