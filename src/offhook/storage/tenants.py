"""The tenants in the database: the settings of each Cloud ID, as one JSON text."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import Conflict, NotFound, Unavailable
from offhook.provider.ports import Clock
from offhook.provider.tenant import FormerStatus, Sip, Tenant
from offhook.storage import revisions, sipaccounts
from offhook.storage.database import Database, compiled
from offhook.storage.rows import read_tenant
from offhook.storage.tables import tenant as table

# The first one is what the portal tells. Hardly anybody changes it twice.
MOST_STATUSES: Final = 50
_FIND: Final = sa.select(table.c.settings).where(table.c.cloud_id == sa.bindparam("cloud_id"))
_ALL: Final = sa.select(table.c.settings).order_by(table.c.cloud_id)
_NEW: Final = insert(table)
_PUT: Final = _NEW.on_conflict_do_update(
    index_elements=[table.c.cloud_id],
    set_={name: _NEW.excluded[name] for name in ("settings", "changed_s", "modified_s")},
    where=table.c.settings != _NEW.excluded.settings,
)


class TenantStore:
    """Administration's view of the tenants; every method is one transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get(self, cloud_id: str) -> Tenant:
        """Find one; raises NotFound."""
        with self._database.read() as connection:
            settings = connection.scalar(_FIND, {"cloud_id": cloud_id})
        if settings is None:
            raise NotFound(f"There is no Cloud ID {cloud_id} here; `offhook tenant create {cloud_id}` makes it.")
        return read_tenant(settings)

    def put(self, tenant: Tenant, *, move: bool = False) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            known = find(connection, tenant.cloud_id)
            before = None if known is None else known.sip
            if before is not None and not move and (tenant.sip is None or tenant.sip.place != before.place):
                _refuse_to_move(tenant.cloud_id, before, sipaccounts.alive(connection, tenant.cloud_id))
            put(connection, tenant, self._clock.now_s())
            if tenant.sip != before:
                sipaccounts.change_place(connection, tenant.cloud_id, before, tenant.sip, self._clock.now_s())

    def all(self) -> list[Tenant]:
        """All of them, by Cloud ID."""
        with self._database.read() as connection:
            return [read_tenant(settings) for settings in connection.scalars(_ALL)]


class ServedTenants:
    """The device plane's view of the tenants: a read in the event loop, which waits for nobody who writes."""

    _FIND_TEXT: Final = compiled(_FIND)

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, cloud_id: str) -> Tenant | None:
        """The tenant of a Cloud ID, or None when there is none. Raises Unavailable."""
        try:
            row = self._database.reader.execute(self._FIND_TEXT, {"cloud_id": cloud_id}).fetchone()
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The database cannot be read ({error}).") from error
        return None if row is None else read_tenant(row[0])


def find(connection: sa.Connection, cloud_id: str) -> Tenant | None:
    """The tenant of a Cloud ID within a transaction, or None."""
    settings = connection.scalar(_FIND, {"cloud_id": cloud_id})
    return None if settings is None else read_tenant(settings)


def put(connection: sa.Connection, tenant: Tenant, now_s: int, policy: int | None = None) -> None:
    """Keep a tenant, new or changed, within a transaction; its policy stays, unless there is a number of another."""
    modified_s = revisions.of_a_tenant(connection, tenant.cloud_id, now_s)
    known = find(connection, tenant.cloud_id)
    if known is not None:
        former = _former_statuses(known, tenant, modified_s)
        # Whoever read the settings before a policy was published does not know of it.
        tenant = msgspec.structs.replace(tenant, former_statuses=former, policy=known.policy)
    if policy is not None:
        tenant = msgspec.structs.replace(tenant, policy=policy)
    row = {
        "cloud_id": tenant.cloud_id,
        "settings": msgspec.json.encode(tenant).decode(),
        "created_s": now_s,
        "changed_s": now_s,
        "modified_s": modified_s,
    }
    connection.execute(_PUT, row)


def _refuse_to_move(cloud_id: str, before: Sip, count: int) -> None:
    if count:
        raise Conflict(
            f"{cloud_id} has {count:,} SIP accounts at {before.system} ({before.domain}, {before.accounts}). "
            f"With --move-sip-accounts they are given up, {before.overlap_s:,} s after users got others."
        )


def _former_statuses(known: Tenant, tenant: Tenant, modified_s: int) -> tuple[FormerStatus, ...]:
    """Which statuses there were is known here alone, and the date of an answer tells which one a phone knows."""
    former = known.former_statuses
    if known.logout_status == tenant.logout_status:
        return former
    # As revisions.of_an_answer counts.
    replaced = FormerStatus(revisions.of_an_answer(modified_s, None), known.logout_status)
    return (*former[:1], *former[1:][-MOST_STATUSES:], replaced)
