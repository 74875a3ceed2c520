"""Releases in the database: who published and approved, and both halves within one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.provider.ports import Clock
from offhook.release.records import Approval, Publication, Published, Signature
from offhook.storage.apps import AppTransaction
from offhook.storage.database import Database
from offhook.storage.policies import PolicyTransaction
from offhook.storage.tables import app_version, approval, policy_version, publication


def _published(table: sa.Table) -> sa.Select[Any]:
    columns = table.c.number, table.c.published_s, table.c.author, table.c.note
    return sa.select(*columns).where(table.c.cloud_id == sa.bindparam("of"), table.c.published_s.is_not(None))


_APPS: Final = _published(app_version)
_POLICIES: Final = _published(policy_version)
_PUBLICATIONS: Final = sa.select(publication).where(publication.c.cloud_id == sa.bindparam("of"))
_NOTE: Final = sa.insert(publication)
_APPROVALS: Final = (
    sa.select(approval).where(approval.c.cloud_id == sa.bindparam("of")).order_by(approval.c.given_s, approval.c.author)
)
_GIVEN: Final = insert(approval)
_APPROVE: Final = _GIVEN.on_conflict_do_update(
    index_elements=[approval.c.cloud_id, approval.c.digest, approval.c.author],
    set_={name: _GIVEN.excluded[name] for name in ("account", "given_s")},
)
_FORGET: Final = sa.delete(approval).where(
    approval.c.cloud_id == sa.bindparam("of"), approval.c.given_s < sa.bindparam("before_s")
)


class ReleaseTransaction:
    """Apps, policies and what is remembered of their releases, within one transaction."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self.apps, self.policies = AppTransaction(connection), PolicyTransaction(connection, clock)

    def approvals(self, cloud_id: str) -> list[Approval]:
        """As the port says."""
        rows = self._connection.execute(_APPROVALS, {"of": cloud_id})
        return [Approval(cloud_id, row.digest, Signature(row.author, row.account), row.given_s) for row in rows]

    def approve(self, approval: Approval) -> None:
        """As the port says."""
        whose = {"author": approval.by.author, "account": approval.by.account}
        what = {"cloud_id": approval.cloud_id, "digest": approval.digest, "given_s": approval.given_s}
        self._connection.execute(_APPROVE, what | whose)

    def forget_approvals(self, cloud_id: str, before_s: int) -> None:
        """As the port says."""
        self._connection.execute(_FORGET, {"of": cloud_id, "before_s": before_s})

    def note(self, cloud_id: str, publication: Publication) -> None:
        """As the port says."""
        by, approved_by = publication.by, publication.approved_by
        row = {
            "cloud_id": cloud_id,
            "published_s": publication.published_s,
            "author": by.author,
            "account": by.account,
            "note": publication.note,
            "approved_by": approved_by.author,
            "approved_account": approved_by.account,
            "approved_s": publication.approved_s,
        }
        self._connection.execute(_NOTE, row)

    def publications(self, cloud_id: str) -> Mapping[int, Publication]:
        """As the port says."""
        rows = self._connection.execute(_PUBLICATIONS, {"of": cloud_id})
        return {
            row.published_s: Publication(
                row.published_s,
                Signature(row.author, row.account),
                row.note,
                Signature(row.approved_by, row.approved_account),
                row.approved_s,
            )
            for row in rows
        }

    def apps_published(self, cloud_id: str) -> list[Published]:
        """As the port says."""
        return [Published(*row) for row in self._connection.execute(_APPS, {"of": cloud_id})]

    def policies_published(self, cloud_id: str) -> list[Published]:
        """As the port says."""
        return [Published(*row) for row in self._connection.execute(_POLICIES, {"of": cloud_id})]


class ReleaseStore:
    """Administration's view of releases."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    @contextmanager
    def begin(self) -> Iterator[ReleaseTransaction]:
        """As the port says."""
        with self._database.begin() as connection:
            yield ReleaseTransaction(connection, self._clock)

    @contextmanager
    def read(self) -> Iterator[ReleaseTransaction]:
        """As the port says."""
        with self._database.read() as connection:
            yield ReleaseTransaction(connection, self._clock)
