"""The received parts put together: each key settled by rank and licence, the user's own changes kept (D5, D18)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from offhook.core import accountxml, dialplan, mergeable
from offhook.core.accountxml import Reading
from offhook.core.base import Base
from offhook.core.catalogue import KEYS
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import GlobalPart, MergedQuickDials, QuickDial
from offhook.core.errors import Fault, Invalid
from offhook.core.features import Features, gate
from offhook.core.keys import is_secret
from offhook.core.login import Login
from offhook.core.mergeable import Admit, Document, Value
from offhook.phone.saved import Saved, is_users, users_own

LOGIN_SOURCE: Final = "sign-in"

_REQUIRED: Final = tuple(key.name for key in KEYS.by_name.values() if key.required)


class Received(msgspec.Struct, frozen=True):
    """What the services answered: the portal's base and theme package, the global part, the account part."""

    app: Base
    package: bytes
    common: GlobalPart
    own: Reading

    def __repr__(self) -> str:
        return f"Received({self.app.cloud_id} version {self.app.version}, {len(self.own.values)} keys)"


class Assembly(msgspec.Struct, frozen=True):
    """What the phone will live with, and what was tolerated in putting it together."""

    account: Document
    quick_dials: tuple[QuickDial, ...]
    dial_actions: dict[str, Document]
    preferences: Document
    diagnostics: tuple[Diagnostic, ...]

    def __repr__(self) -> str:
        return f"Assembly({len(self.account.keys)} keys, {len(self.quick_dials)} quick dials)"


def assemble(received: Received, earlier: Saved | None) -> Assembly:
    """Lay the parts over each other: the portal's base, what the user changed, then the provider's (D5).

    `earlier` is what the same user had on this phone. At equal rank the provider's value counts, as it does whenever
    the phone asks for it again.
    """
    base, common, own = received.app, received.common, received.own
    features, remarks = Features.received(base.features)
    licence = _Licence(gate(features))
    account = mergeable.settle(base.account)
    account = mergeable.merge(account, users_own(earlier.account) if earlier else {}, licence)
    account = mergeable.merge(account, own.values, licence)
    preferences = mergeable.settle(base.common.preferences)
    preferences = mergeable.merge(preferences, users_own(earlier.preferences) if earlier else {})
    preferences = mergeable.merge(preferences, common.preferences)
    dials = _quick_dials(base.common, common, earlier)
    return Assembly(
        account=account,
        quick_dials=dials.items,
        dial_actions=dialplan.merge_dial_actions(
            dialplan.merge_dial_actions({}, base.common.dial_actions), common.dial_actions
        ),
        preferences=preferences,
        diagnostics=(*remarks, *licence.refusals, *_odd(account), *dials.diagnostics),
    )


def typed_account(login: Login) -> Reading:
    """The account of a user whose portal names no account service: what was typed is the SIP username and password.

    It has the portal's rank and comes after it, so it counts where the portal has something of its own in these keys.
    Raises Invalid when no account can hold what was typed.
    """
    typed = {"username": login.username, "password": login.password.reveal()}
    values = {key: Value(text, mergeable.PORTAL, LOGIN_SOURCE) for key, text in typed.items() if text}
    Invalid.unless_empty(accountxml.faults(values))
    why = "the portal names no service for it, so what was typed is the SIP username and password"
    return Reading(values, (Diagnostic("account part", why),))


def missing(account: Document, locale: str) -> list[Fault]:
    """The keys without which the app would not save an account."""
    return [Fault(name, "is empty") for name in _REQUIRED if not _shown(account.get(name), locale).strip()]


def _shown(value: Value | None, locale: str) -> str:
    return accountxml.localized(value, locale) if value else ""


def _quick_dials(base: GlobalPart, common: GlobalPart, earlier: Saved | None) -> MergedQuickDials:
    """The user's own items come first, so that a service can clear or outrank them as it could at any later time."""
    own = tuple(item for item in earlier.quick_dials if is_users(item.rank, item.source)) if earlier else ()
    before = dialplan.merge_quick_dials(own, base.quick_dials)
    after = dialplan.merge_quick_dials(before.items, common.quick_dials)
    return MergedQuickDials(after.items, (*before.diagnostics, *after.diagnostics))


class _Licence:
    """The gate of the licences (D18), which takes note of whom it refused."""

    def __init__(self, admit: Admit) -> None:
        self._admit = admit
        self.refusals: dict[Diagnostic, None] = {}

    def __call__(self, key: str, value: Value) -> str | None:
        if reason := self._admit(key, value):
            self.refusals[Diagnostic(key, f"was kept out: it {reason}")] = None
        return reason


def _odd(account: Document) -> Iterator[Diagnostic]:
    """Values that are none of their key's kind: kept, but an app may go on with its default."""
    for key, value in account.values().items():
        known = None if is_secret(key) else KEYS.find(key)
        fault = known.fault(value.content) if known and not value.markup else None
        if fault:
            yield Diagnostic(key, fault)
