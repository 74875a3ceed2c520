"""What of a user outlives a logout: the user's settings, the call history and the user's quick dials (D15)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from offhook.core import mergeable
from offhook.core.dialplan import QuickDial
from offhook.core.features import Features, gate
from offhook.core.keys import is_secret
from offhook.core.mergeable import Document, Value
from offhook.phone.ownership import why_not_the_users
from offhook.phone.saved import MAX_CALLS, Call, Saved, is_users, users_own


class Backup(msgspec.Struct, frozen=True):
    """What the user made, and nothing that is secret. `account` are the settings of it that the user changed."""

    account: dict[str, Value] = {}
    preferences: dict[str, Value] = {}
    quick_dials: tuple[QuickDial, ...] = ()
    history: tuple[Call, ...] = ()

    def __repr__(self) -> str:
        return f"Backup({len(self.account) + len(self.preferences)} settings, {len(self.history)} calls)"


class Found(msgspec.Struct, frozen=True):
    """A backup as it lay there; `digest` tells it from every other one."""

    backup: Backup
    digest: str


def back_up(saved: Saved) -> Backup:
    """The part of a record that is the user's."""
    return Backup(
        account=_open(users_own(saved.account)),
        preferences=_open(users_own(saved.preferences)),
        quick_dials=tuple(item for item in saved.quick_dials if is_users(item.rank, item.source)),
        history=saved.history,
    )


def restore(saved: Saved, found: Found) -> Saved:
    """The record with the backup in it, at the user's rank: locks and licences count, and what the user did since."""
    backup = found.backup
    features, _ = Features.received(saved.features)
    changes = {key: value for key, value in backup.account.items() if not why_not_the_users(key)}
    account = mergeable.merge(saved.account, _unless_known(changes, saved.account), gate(features))
    preferences = mergeable.merge(saved.preferences, _unless_known(backup.preferences, saved.preferences))
    return msgspec.structs.replace(
        saved,
        account=account,
        preferences=preferences,
        quick_dials=_with(saved.quick_dials, backup.quick_dials),
        history=_together(saved.history, backup.history),
        restored=found.digest,
    )


def join(older: Backup, newer: Backup) -> Backup:
    """One backup that has all of both; where they differ, what the newer one says counts."""
    dials = {item.id: item for item in (*older.quick_dials, *newer.quick_dials)}
    return Backup(
        account=older.account | newer.account,
        preferences=older.preferences | newer.preferences,
        quick_dials=tuple(dials.values()),
        history=_together(newer.history, older.history),
    )


def _open(values: dict[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in values.items() if not is_secret(key)}


def _unless_known(values: dict[str, Value], document: Document) -> dict[str, Value]:
    newer = users_own(document)
    return {key: value for key, value in values.items() if key not in newer}


def _with(stored: tuple[QuickDial, ...], own: Iterable[QuickDial]) -> tuple[QuickDial, ...]:
    items = {item.id: item for item in stored}
    for item in own:
        known = items.get(item.id)
        if known is None or (item.rank >= known.rank and not is_users(known.rank, known.source)):
            items[item.id] = item
    return tuple(items.values())


def _together(newer: tuple[Call, ...], older: tuple[Call, ...]) -> tuple[Call, ...]:
    known = set(newer)
    return (*newer, *(call for call in older if call not in known))[:MAX_CALLS]
