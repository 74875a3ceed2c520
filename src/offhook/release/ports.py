"""What releases need from outside."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from offhook.portal.ports import AppTransaction
from offhook.provider.policyversion import PolicyTransaction
from offhook.release.records import Approval, Publication, Published


class ReleaseTransaction(Protocol):
    """Apps, policies and what is remembered of their releases, within one transaction."""

    @property
    def apps(self) -> AppTransaction:
        """The versions of all apps."""

    @property
    def policies(self) -> PolicyTransaction:
        """The versions of all policies."""

    def approvals(self, cloud_id: str) -> list[Approval]:
        """All that are given for what is not published yet, the oldest first."""

    def approve(self, approval: Approval) -> None:
        """Keep one, in place of the same person's for the same change."""

    def forget_approvals(self, cloud_id: str, before_s: int) -> None:
        """Let go of those that were given before a moment."""

    def note(self, cloud_id: str, publication: Publication) -> None:
        """Keep who published."""

    def publications(self, cloud_id: str) -> Mapping[int, Publication]:
        """Who published, by moment."""

    def apps_published(self, cloud_id: str) -> list[Published]:
        """All versions of the app that were ever Live."""

    def policies_published(self, cloud_id: str) -> list[Published]:
        """All versions of the policy that were ever Live."""


class ReleaseStore(Protocol):
    """Administration's view of releases."""

    def begin(self) -> AbstractContextManager[ReleaseTransaction]:
        """One transaction: all of it happens, or nothing. Raises Unavailable."""

    def read(self) -> AbstractContextManager[ReleaseTransaction]:
        """One transaction that only looks, and waits for nobody who writes. Raises Unavailable."""
