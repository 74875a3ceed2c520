"""An app: what the portal says to every phone of one Cloud ID, as one record, and what can be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from offhook.core import accountxml, mergeable, webservice
from offhook.core.base import SOURCE, Reprovisioning
from offhook.core.catalogue import KEYS
from offhook.core.dialplan import QuickDials
from offhook.core.errors import Fault
from offhook.core.kinds import Listing
from offhook.core.lint import Finding, plain, templates
from offhook.core.mergeable import Value
from offhook.core.screen import Classic, Screen
from offhook.portal.table import meant

SIGN_IN_SERVICES: Final = (webservice.INITIAL, webservice.GLOBAL)
CONTACTS: Final = "wsContacts"
SERVICES: Final = (*SIGN_IN_SERVICES, "dialActionWs", CONTACTS)
SERVICE_KEYS: Final = tuple(prefix + suffix for prefix in SERVICES for suffix in webservice.SUFFIXES)

_ELSEWHERE: Final = {"quickDial": "write [[quick_dials]]", "dialActions": "write [dial_actions.ID]"}
_ORDER: Final = {name: position for position, name in enumerate(KEYS.by_name)}


class App(msgspec.Struct, frozen=True):
    """One version of an app.

    `account` and `preferences` hold values of the portal's rank, or of one that was asked for. With `provider`, our own
    provider service answers the sign-in, unless `services` define another one for the same purpose.
    """

    cloud_id: str
    name: str = ""
    account: dict[str, Value] = {}
    provider: bool = True
    services: dict[str, str] = {}
    preferences: dict[str, Value] = {}
    features: dict[str, str] = {}
    reprovisioning: Reprovisioning = Reprovisioning()
    screen: Screen = Classic()
    quick_dials: QuickDials = QuickDials()
    dial_actions: dict[str, dict[str, Value]] = {}


def value(content: str, priority: int | None = None, *, markup: bool = False) -> Value:
    """A value that the portal gives, at its own rank unless a priority is asked for."""
    return Value(content, mergeable.PORTAL if priority is None else priority, SOURCE, markup)


def in_order(account: Mapping[str, Value]) -> dict[str, Value]:
    """The keys in the order of the catalogue, those it does not have behind them: equal content is equal bytes."""
    return {name: account[name] for name in sorted(account, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))}


def service_key(written: str) -> str | None:
    """The key of a service that the portal delivers, whose first letter may be of either case; None for any other."""
    lowered = written[:1].lower() + written[1:]
    return next((key for key in SERVICE_KEYS if key[:1].lower() + key[1:] == lowered), None)


def faults(app: App) -> Iterator[Fault]:
    """Everything that makes an app unusable, by place."""
    yield from _of_account(app.account)
    yield from _of_services(app.services)
    for place, values in (("preferences", app.preferences), *_dial_actions(app)):
        yield from (Fault(f"{place}.{fault.place}", fault.text) for fault in accountxml.faults(values))


def _of_account(account: Mapping[str, Value]) -> Iterator[Fault]:
    unwritable = accountxml.faults(account)
    found = [(fault.place, fault.text) for fault in unwritable]
    found += [(key, f"has no effect in an account: {where}") for key in account if (where := _rightful_place(key))]
    settled = {place for place, _ in found}
    others = {key: value for key, value in account.items() if key not in settled}
    unknown = (one for one in plain.unknown(others, templates.references(account)) if one.severity == "error")
    found += [(one.key, f"{one.what}. {one.how}") for one in unknown]
    found += [(one.key, _with_its_kind(one)) for one in plain.values(others) if one.severity == "error"]
    return (Fault(f"account.{place}", text) for place, text in found)


def _with_its_kind(finding: Finding) -> str:
    """What is wrong with a value; of one item among several, what all of it should be, too."""
    known = KEYS.find(finding.key)
    return f"{finding.what}; it takes {known.kind}" if known and isinstance(known.kind, Listing) else finding.what


def _rightful_place(key: str) -> str | None:
    """Where a key belongs that phones look for beside the account alone; contacts may stand in both places."""
    found = service_key(key)
    if found is not None and not found.startswith(CONTACTS):
        return "move it to [services]"
    return _ELSEWHERE.get(key)


def _of_services(services: Mapping[str, str]) -> Iterator[Fault]:
    for key, content in services.items():
        known = KEYS.find(key)
        if fault := known.fault(content.strip()) if known else None:
            yield Fault(f"services.{key}", fault)
    for prefix in SERVICES:
        used = [key for key in services if key.startswith(prefix)]
        if used and f"{prefix}Url" not in services:
            yield Fault(f"services.{used[0]}", f"does nothing without {prefix}Url")
        definition = webservice.define(prefix, lambda key: services.get(key, ""))
        for remark in definition.diagnostics if definition else ():
            if KEYS.find(remark.place) is None:
                yield Fault(f"services.{remark.place}", remark.text.partition(";")[0])


def _dial_actions(app: App) -> Iterator[tuple[str, Mapping[str, Value]]]:
    for identity, values in app.dial_actions.items():
        yield f"dial_actions.{identity}", values


def unknown_service_key(written: str) -> str:
    """What to say of a key that belongs to no service of the portal."""
    if KEYS.find(written) is not None:
        return "is a key of the account: move it to [account]"
    return f"is not a key of a service that the portal delivers; {meant(written, ('provider', *SERVICE_KEYS))}"
