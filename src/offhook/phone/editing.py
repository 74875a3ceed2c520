"""A change that the user makes in the app: rank 40, so that a provider's ordinary value does not undo it (D5)."""

from __future__ import annotations

from typing import Final

import msgspec

from offhook.core import accountxml, mergeable
from offhook.core.catalogue import KEYS
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid, Refused
from offhook.core.features import Features, gate
from offhook.core.mergeable import Value
from offhook.phone import assembly
from offhook.phone.saved import USER_SOURCE, Saved

MAX_CONTENT: Final = 65536


class Edited(msgspec.Struct, frozen=True):
    """The record with the change in it, and what is odd about it."""

    saved: Saved
    remarks: tuple[Diagnostic, ...] = ()


def edit(saved: Saved, key: str, content: str, locale: str) -> Edited:
    """Set a key as the user.

    Raises Invalid when the account cannot hold it or would not work with it, Refused when a lock or licence forbids it.
    """
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
