"""A change that the user makes in the app: rank 40, so that a provider's ordinary value does not undo it (D5)."""

from __future__ import annotations

from typing import Final

import msgspec

from offhook.core import accountxml, dialplan, mergeable
from offhook.core.catalogue import KEYS
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials
from offhook.core.errors import Invalid, Refused
from offhook.core.features import Features, gate
from offhook.core.mergeable import Value
from offhook.phone import assembly
from offhook.phone.ownership import why_not_the_users
from offhook.phone.saved import USER_SOURCE, Saved

MAX_CONTENT: Final = 65536


class Edited(msgspec.Struct, frozen=True):
    """The record with the change in it, and what is odd about it."""

    saved: Saved
    remarks: tuple[Diagnostic, ...] = ()


def edit(saved: Saved, key: str, content: str, locale: str) -> Edited:
    """Set a key as the user.

    Raises Invalid when the account cannot hold it or would not work with it, Refused when a lock or licence forbids it,
    or when the key is the provider's alone.
    """
    if reason := why_not_the_users(key):
        raise Refused(f"{key} cannot be changed here: {reason}.")
    value = Value(content, mergeable.USER, USER_SOURCE)
    Invalid.unless_empty(accountxml.faults({key: value}))
    if len(content) > MAX_CONTENT:
        raise Invalid.at(key, f"has more than {MAX_CONTENT:,} characters")
    features, _ = Features.received(saved.features)
    account = mergeable.merge(saved.account, {key: value}, gate(features))
    if account.get(key) != value:
        raise Refused(f"{key} cannot be changed here: {account.kept_out[key][0].reason}.")
    Invalid.unless_empty(assembly.missing(account, locale))
    known = KEYS.find(key)
    odd = known.fault(content) if known else _unknown(key)
    return Edited(msgspec.structs.replace(saved, account=account), (Diagnostic(key, odd),) if odd else ())


def _unknown(key: str) -> str:
    near = KEYS.near(key)
    return "is not a known key and is kept as it is" + (f"; did you mean {near[0]}?" if near else "")


def prefer(saved: Saved, key: str, content: str) -> Edited:
    """Set a preference of the app as the user; raises Invalid or Refused as `edit` does."""
    value = Value(content, mergeable.USER, USER_SOURCE)
    Invalid.unless_empty(accountxml.faults({key: value}))
    if len(content) > MAX_CONTENT:
        raise Invalid.at(key, f"has more than {MAX_CONTENT:,} characters")
    preferences = mergeable.merge(saved.preferences, {key: value})
    if preferences.get(key) != value:
        raise Refused(f"{key} cannot be changed here: {preferences.kept_out[key][0].reason}.")
    return Edited(msgspec.structs.replace(saved, preferences=preferences))


def add_dial(saved: Saved, identity: str, display_name: str, uri: str) -> Edited:
    """Set a quick dial as the user; raises Invalid or Refused as `edit` does."""
    item = QuickDial(identity, display_name, uri, rank=mergeable.USER, source=USER_SOURCE)
    Invalid.unless_empty(dialplan.faults(GlobalPart(QuickDials((item,)))))
    if len(saved.quick_dials) >= dialplan.MAX_ITEMS:
        raise Invalid.at("quick dials", f"are {dialplan.MAX_ITEMS:,} already")
    merged = dialplan.merge_quick_dials(saved.quick_dials, QuickDials((item,)))
    if merged.diagnostics:
        raise Refused(f"The quick dial {identity} cannot be changed here: {merged.diagnostics[0].text}.")
    return Edited(msgspec.structs.replace(saved, quick_dials=merged.items))
