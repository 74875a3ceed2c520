"""The versions of a policy: at most one Editable and one Live, and every Live that was, each a full copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

import msgspec


class State(StrEnum):
    """Where a version stands."""

    EDITABLE = "editable"
    LIVE = "live"
    PAST = "past"


class PolicyVersion(msgspec.Struct, frozen=True):
    """One version; its text is as `policy.document` writes it. `approved_by` is the second person, if any.

    `base` is the number of the version that was Live when this one was written, 0 when none was.
    """

    cloud_id: str
    number: int
    state: State
    text: str
    author: str = ""
    note: str = ""
    approved_by: str = ""
    base: int = 0
    created_s: int = 0
    changed_s: int = 0
    published_s: int | None = None

    def __str__(self) -> str:
        return f"policy {self.number} of {self.cloud_id} ({self.state})"


class PolicyTransaction(Protocol):
    """The policies of all Cloud IDs within one transaction."""

    def standing(self, cloud_id: str, state: State) -> PolicyVersion | None:
        """The Live or the Editable, or None."""

    def numbered(self, cloud_id: str, number: int) -> PolicyVersion | None:
        """A version by its number, or None."""

    def latest(self, cloud_id: str) -> tuple[int, int]:
        """The highest number there is and the latest moment of any change, also of its app; zeros without any."""

    def newest_first(self, cloud_id: str) -> Iterator[PolicyVersion]:
        """All versions."""

    def put(self, version: PolicyVersion) -> None:
        """Keep a version, new or changed, under its Cloud ID and number."""

    def serve(self, cloud_id: str, number: int) -> None:
        """Let phones be answered by this version from now on, in the same transaction; raises NotFound."""


class PolicyStore(Protocol):
    """Administration's view of policies."""

    def begin(self) -> AbstractContextManager[PolicyTransaction]:
        """One transaction: all of it happens, or nothing. Raises Unavailable."""

    def read(self) -> AbstractContextManager[PolicyTransaction]:
        """One transaction that only looks, and waits for nobody who writes. Raises Unavailable."""
