"""The installs in the database, as administration sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from offhook.core.errors import NotFound
from offhook.provider.installs import Install
from offhook.provider.ports import Ending
from offhook.storage import decisions, revisions, sipwishes
from offhook.storage.database import Database
from offhook.storage.decisions import Deciding
from offhook.storage.tables import install as table
from offhook.storage.tables import subscriber, tenant

PAGE: Final = 500
_USER: Final = (subscriber.c.cloud_id == table.c.cloud_id) & (subscriber.c.id == table.c.subscriber_id)
_SHOWN: Final = sa.select(
    table,
    subscriber.c.username,
    tenant.c.modified_s.label("tenant_s"),
    subscriber.c.modified_s.label("subscriber_s"),
).select_from(table.join(tenant, tenant.c.cloud_id == table.c.cloud_id).outerjoin(subscriber, _USER))
_ACTIVE: Final = table.c.state == "active"
_REVOKE: Final = (
    sa.update(table)
    .where(_ACTIVE)
    .values(state="ended", ended=Ending.REVOKED.value, ended_s=sa.bindparam("now_s"), ended_by=sa.bindparam("by"))
)


class InstallStore:
    """Administration's view of installs; every method is one transaction."""

    def __init__(self, database: Database, author: str = "") -> None:
        self._database, self._author = database, author

    def all_of(self, cloud_id: str, username_key: str | None) -> Iterator[Install]:
        """As the port says."""
        wanted = _SHOWN.where(table.c.cloud_id == cloud_id)
        if username_key is not None:
            wanted = wanted.where(subscriber.c.username_key == username_key)
        wanted = wanted.order_by(table.c.created_s, table.c.id).limit(PAGE)
        after: tuple[int, str] = (-1, "")
        while True:
            page = wanted.where(sa.tuple_(table.c.created_s, table.c.id) > sa.tuple_(*map(sa.literal, after)))
            with self._database.read() as connection:
                rows = connection.execute(page).mappings().all()
            yield from map(_read, rows)
            if len(rows) < PAGE:
                return
            after = (rows[-1]["created_s"], rows[-1]["id"])

    def get(self, install_id: str) -> Install:
        """As the port says."""
        with self._database.read() as connection:
            row = connection.execute(_SHOWN.where(table.c.id == install_id)).mappings().first()
        if row is None:
            raise NotFound(f"There is no install {install_id[:80]}. `offhook install list CLOUDID` lists them.")
        return _read(row)

    def revoke(self, install_id: str, now_s: int) -> bool:
        """As the port says."""
        with self._database.begin() as connection:
            cloud_id = connection.scalar(sa.select(table.c.cloud_id).where(table.c.id == install_id, _ACTIVE))
            if cloud_id is None:
                return False
            self._revoke(connection, cloud_id, table.c.id == install_id, now_s)
            sipwishes.of_phone(decisions.by(connection), install_id, now_s)
            return True

    def revoke_all(self, cloud_id: str, username_key: str, now_s: int) -> int:
        """As the port says."""
        user = sa.select(subscriber.c.id).where(
            subscriber.c.cloud_id == cloud_id, subscriber.c.username_key == username_key
        )
        theirs = sa.and_(table.c.cloud_id == cloud_id, table.c.subscriber_id.in_(user))
        with self._database.begin() as connection:
            count = self._revoke(connection, cloud_id, theirs, now_s)
            sipwishes.of_name(decisions.by(connection), cloud_id, username_key, now_s)
            return count

    def _revoke(self, connection: sa.Connection, cloud_id: str, which: sa.ColumnElement[bool], now_s: int) -> int:
        """End active installs of one user by one decision; returns how many."""
        deciding = Deciding(decisions.by(connection), self._author, now_s)
        by = deciding.number(cloud_id, Ending.REVOKED)
        count = connection.execute(_REVOKE.where(which), {"now_s": now_s, "by": by}).rowcount
        if count:
            deciding.keep()
        return count


def _read(row: sa.RowMapping) -> Install:
    return Install(
        id=row["id"],
        cloud_id=row["cloud_id"],
        user=row["username"] or "",
        user_agent=row["user_agent"],
        device=row["device"],
        created_s=row["created_s"],
        seen_s=row["seen_s"],
        held_s=row["held_s"],
        modified_s=revisions.of_an_answer(row["tenant_s"], row["subscriber_s"]),
        ended=Ending(row["ended"]) if row["state"] == "ended" else None,
        ended_s=row["ended_s"],
        has_push_token=bool(row["push_token"]),
    )
