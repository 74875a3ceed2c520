"""Whose records lie on the disk of a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from offhook.phone.saved import Left, Saved

INSTALL_KEY: Final = "X-install-id"


def records_of(kept: Saved | Left | None) -> tuple[Saved, ...]:
    """The records on a disk: of those who wait for the end of their logout, and of who is signed in."""
    return (*kept.predecessors, kept) if isinstance(kept, Saved) else ()


def gone(before: Saved | Left | None, after: Saved) -> Iterator[Saved]:
    """Whose records are not there any more; who signs in anew is nobody who has gone."""
    there = {one.account.text(INSTALL_KEY) for one in records_of(after)}
    for one in records_of(before):
        stays = one.leaving is None and one.owner == after.owner
        if one.account.text(INSTALL_KEY) not in there and not stays:
            yield one
