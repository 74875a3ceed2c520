"""Licences: the features an app has, and the keys that a provider may only set when it has them (D18)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Fault, Invalid
from offhook.core.keys import near
from offhook.core.kinds import Address, quoted
from offhook.core.mergeable import Admit, Value


class Feature(msgspec.Struct, frozen=True):
    """Something an app can be licensed for, and the keys that have no effect without it.

    `prefixes` stand for every key that begins with one of them. `bounded` says that the licence names a domain.
    """

    name: str
    summary: str
    keys: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    bounded: bool = False

    def gates(self, key: str) -> bool:
        """Whether the key needs this feature."""
        return key in self.keys or key.startswith(self.prefixes)


# The encryption of calls is free on purpose: a licence that somebody forgot must not make a call less safe.
FEATURES: Final = (
    Feature(
        "messaging",
        "Text messages, over SIP or over web services.",
        keys=("allowMessage", "maxMessageBodySize", "isComposingRefreshInterval", "msrpUsesSipAuth"),
        prefixes=("genericSms", "genericMediaUpload"),
    ),
    Feature("linkup_messaging", "Messages between the users of the app.", keys=("linkupMessagingEnabled",)),
    Feature("conferencing", "Conferences held in the app.", keys=("conferencingEnabled",)),
    Feature("video", "Video calls.", keys=("allowVideo",), prefixes=("video",)),
    Feature(
        "push",
        "Calls and messages that reach an app which is not running.",
        keys=("pushNAT", "pushDebug", "pushVoicemail"),
        prefixes=("pushTokenReporter", "pushNotificationReporter"),
    ),
    Feature("open_white_label", "Accounts on any SIP server.", keys=("host",)),
    Feature("unlimited_subdomains", "Accounts on every SIP server under one domain.", keys=("host",), bounded=True),
)
_BY_NAME: Final = {feature.name: feature for feature in FEATURES}
_ON: Final = frozenset({"1", "true", "on", "yes"})
_OFF: Final = frozenset({"0", "false", "off", "no", ""})
_DOMAIN: Final = re.compile(r"(?=.{3,253}$)[\w-]+(\.[\w-]+)+")


class Features(msgspec.Struct, frozen=True):
    """The features an app is licensed for; `domain` is where hosts may lie with unlimited subdomains."""

    names: frozenset[str] = frozenset()
    domain: str = ""

    @classmethod
    def parse(cls, table: Mapping[str, object]) -> Features:
        """Read names with `true`, `false` or, for unlimited subdomains, a domain. Raises Invalid with every fault."""
        features, faults = _read(table)
        Invalid.unless_empty(faults)
        return features

    @classmethod
    def received(cls, table: Mapping[str, str]) -> tuple[Features, tuple[Diagnostic, ...]]:
        """Read what a portal sent; what is not understood counts as not licensed, and is remarked upon."""
        features, faults = _read(table)
        return features, tuple(Diagnostic(f"features.{fault.place}", fault.text) for fault in faults)

    def table(self) -> dict[str, str]:
        """The licensed features as names and texts, in stable order, as `received` reads them."""
        licensed = (feature for feature in FEATURES if feature.name in self.names)
        return {feature.name: self.domain if feature.bounded else "1" for feature in licensed}


@lru_cache(maxsize=4096)
def gating(key: str) -> tuple[Feature, ...]:
    """The features of which a key needs one; none when it is free."""
    return tuple(feature for feature in FEATURES if feature.gates(key))


def gate(features: Features) -> Admit:
    """Tell why an override of a key is not accepted, as words that follow the key's name; None when it is.

    It is for what comes from outside the portal, whatever rank that claims: the portal's own base is merged without it.
    """

    def admit(key: str, value: Value) -> str | None:
        needed = gating(key)
        if not needed:
            return None
        licensed = [feature for feature in needed if feature.name in features.names]
        if not licensed:
            return f"needs the feature {' or '.join(feature.name for feature in needed)}, which this app does not have"
        if all(feature.bounded for feature in licensed) and not _lies_under(value.content, features.domain):
            return f"must lie under {features.domain}, the domain that this app is licensed for"
        return None

    return admit


def _lies_under(host: str, domain: str) -> bool:
    if Address().fault(host.strip()):
        return False
    name = host.strip().lower().partition(":")[0].rstrip(".")
    return name == domain or name.endswith(f".{domain}")


def _read(table: Mapping[str, object]) -> tuple[Features, list[Fault]]:
    names: set[str] = set()
    domain = ""
    faults: list[Fault] = []
    for name, setting in table.items():
        feature = _BY_NAME.get(name)
        written = str(setting).strip().lower()
        if feature is None:
            faults.append(Fault(name, _unknown(name)))
        elif written in _OFF:
            continue
        elif fault := _fault(feature, written):
            faults.append(Fault(name, fault))
        else:
            names.add(name)
            domain = _domain(written) if feature.bounded else domain
    return Features(frozenset(names), domain), faults


def _fault(feature: Feature, written: str) -> str | None:
    if feature.bounded:
        fits = _DOMAIN.fullmatch(_domain(written))
        return None if fits else f"needs the domain under which hosts may lie, like example.com, not {quoted(written)}"
    return None if written in _ON else f"is either true or false, not {quoted(written)}"


def _domain(written: str) -> str:
    return written.removeprefix("*.").removesuffix(".")


def _unknown(name: str) -> str:
    meant = near(name, _BY_NAME)
    hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(_BY_NAME)}"
    return f"is not a feature; {hint}"
