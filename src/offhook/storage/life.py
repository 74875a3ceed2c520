"""The device plane's view of installs after their sign-in: one query for each request, few writes, notes in batches."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import Unavailable
from offhook.provider.ports import Ending, Held, Sighting, Standing
from offhook.provider.subscriber import State
from offhook.storage import revisions
from offhook.storage.database import Database, compiled, done
from offhook.storage.rows import read_subscriber, read_tenant
from offhook.storage.tables import fleet_guard, held_logout, install, subscriber, tenant

older: Final = install.alias("older")
_ACTIVE: Final = install.c.state == sa.literal_column("'active'")


def _look_up() -> sa.Select[Any]:
    wanted = ("token_hash", "state", "ended", "ended_s", "confirmed_s", "subscriber_id")
    its_user = (subscriber.c.cloud_id == install.c.cloud_id) & (subscriber.c.id == install.c.subscriber_id)
    return (
        sa.select(
            subscriber,
            install.c.id.label("install"),
            *(install.c[name].label(f"install_{name}") for name in wanted),
            tenant.c.settings,
            tenant.c.modified_s.label("tenant_modified_s"),
            *(column.label(f"guard_{column.name}") for column in fleet_guard.c),
        )
        .select_from(install.join(tenant, tenant.c.cloud_id == install.c.cloud_id))
        .outerjoin(subscriber, its_user)
        .outerjoin(fleet_guard, fleet_guard.c.cloud_id == install.c.cloud_id)
        .where(install.c.id == sa.bindparam("install_id"), install.c.cloud_id == sa.bindparam("of"))
    )


def _replaced() -> sa.Select[Any]:
    """The active installs that were issued before this one on the same device, if this one was never seen."""
    of_the_device = [older.c[name] == install.c[name] for name in ("cloud_id", "subscriber_id", "device")]
    return (
        sa.select(older.c.id)
        .select_from(install.join(older, sa.and_(*of_the_device)))
        .where(
            install.c.id == sa.bindparam("install_id"),
            install.c.seen_s == sa.literal_column("0"),
            install.c.device != sa.literal_column("''"),
            older.c.state == sa.literal_column("'active'"),
            older.c.created_s < install.c.created_s,
        )
    )


def _note_held() -> sa.Insert:
    """Only while the guard holds, so that a note that comes late does not outlive the release."""
    names = ("install_id", "cloud_id", "reason", "first_s", "last_s")
    values: list[sa.BindParameter[Any]] = [sa.bindparam(name) for name in names]
    holds = sa.exists().where(fleet_guard.c.cloud_id == sa.bindparam("cloud_id"), fleet_guard.c.holding)
    new = insert(held_logout).from_select(list(names), sa.select(*values).where(holds))
    return new.on_conflict_do_update(
        index_elements=[held_logout.c.install_id],
        set_={"last_s": new.excluded.last_s, "reason": new.excluded.reason},
    )


def _trip() -> sa.Insert:
    new = insert(fleet_guard).values(
        cloud_id=sa.bindparam("of"),
        holding=sa.literal_column("1"),
        since_s=sa.bindparam("now_s"),
        released_s=sa.literal_column("0"),
        turns=sa.literal_column("0"),
    )
    return new.on_conflict_do_update(
        index_elements=[fleet_guard.c.cloud_id],
        set_={"holding": sa.literal_column("1"), "since_s": new.excluded.since_s},
        where=~fleet_guard.c.holding,
    )


LOOK_UP: Final = compiled(_look_up())
_REMEMBER: Final = compiled(
    sa.update(install).where(install.c.id == sa.bindparam("known"), _ACTIVE).values(token_hash=sa.bindparam("hashes"))
)
_END: Final = compiled(
    sa.update(install)
    .where(install.c.id == sa.bindparam("known"), _ACTIVE)
    .values(
        state=sa.literal_column("'ended'"),
        ended=sa.bindparam("reason"),
        ended_s=sa.bindparam("now_s"),
        push_token=sa.literal_column("''"),
    )
)
_UNHOLD: Final = compiled(sa.delete(held_logout).where(held_logout.c.install_id == sa.bindparam("known")))
_PUSH: Final = compiled(
    sa.update(install).where(install.c.id == sa.bindparam("known"), _ACTIVE).values(push_token=sa.bindparam("sealed"))
)
REPLACED: Final = compiled(_replaced())
_SEEN: Final = compiled(
    sa.update(install)
    .where(install.c.id == sa.bindparam("install_id"))
    .values(seen_s=sa.bindparam("at_s"), held_s=sa.bindparam("has_s"), user_agent=sa.bindparam("agent"))
)
_HELD: Final = compiled(_note_held())
_TRIP: Final = compiled(_trip())


class LifeStore:
    """Reads in the event loop and writes through the queue, as the sign-in does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cursor = database.reader.cursor()
        self._cursor.row_factory = sqlite3.Row

    async def standing(self, cloud_id: str, install_id: str) -> Standing | None:
        """As the port says."""
        try:
            row = self._cursor.execute(LOOK_UP, {"install_id": install_id, "of": cloud_id}).fetchone()
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The database cannot be read ({error}).") from error
        return None if row is None else _standing(row)

    async def remember(self, install_id: str, hashes: bytes) -> None:
        """As the port says."""
        await self._write(_REMEMBER, {"known": install_id, "hashes": hashes})

    async def end(self, install_id: str, reason: Ending, now_s: int) -> None:
        """As the port says; a logout of it that is being held back has nobody to reach any more."""

        def work(connection: sqlite3.Connection) -> None:
            _replace_older(connection, install_id, now_s)
            _end(connection, install_id, reason, now_s)

        await done(self._database.write(work))

    async def push_token(self, install_id: str, sealed: str) -> None:
        """As the port says."""
        await self._write(_PUSH, {"known": install_id, "sealed": sealed})

    async def trip(self, cloud_id: str, now_s: int) -> None:
        """As the port says."""
        await self._write(_TRIP, {"of": cloud_id, "now_s": now_s})

    async def _write(self, statement: str, parameters: dict[str, Any]) -> None:
        await done(self._database.write(lambda connection: connection.execute(statement, parameters)))


class SightingStore:
    """Keeps what was noted beside requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, sightings: Sequence[Sighting], held: Sequence[Held]) -> None:
        """As the port says."""
        seen = [
            {"install_id": one.install_id, "at_s": one.seen_s, "has_s": one.held_s, "agent": one.user_agent}
            for one in sightings
        ]
        waiting = [
            {
                "install_id": one.install_id,
                "cloud_id": one.cloud_id,
                "reason": one.reason.value,
                "first_s": one.at_s,
                "last_s": one.at_s,
            }
            for one in held
        ]

        def work(connection: sqlite3.Connection) -> None:
            for one in sightings:
                _replace_older(connection, one.install_id, one.seen_s)
            connection.executemany(_SEEN, seen)
            connection.executemany(_HELD, waiting)

        self._database.write(work).result()


def _end(connection: sqlite3.Connection, install_id: str, reason: Ending, now_s: int) -> None:
    connection.execute(_END, {"known": install_id, "reason": reason.value, "now_s": now_s})
    connection.execute(_UNHOLD, {"known": install_id})


def _replace_older(connection: sqlite3.Connection, install_id: str, now_s: int) -> None:
    """An install that comes back for the first time is the one that its device has kept, and no older one is.

    Before, nobody knows: the answer may have been lost, or the device could not save it and goes on with the older one.
    """
    for (known,) in connection.execute(REPLACED, {"install_id": install_id}).fetchall():
        _end(connection, known, Ending.REPLACED, now_s)


def _standing(row: sqlite3.Row) -> Standing:
    """What is known of an install. That a subscriber is missing is no decision of anybody, unless it was noted."""
    state = None if row["id"] is None else State(row["state"])
    suspended = state is State.SUSPENDED
    has_ended = row["install_state"] == "ended"
    return Standing(
        tenant=read_tenant(row["settings"]),
        install_id=row["install"],
        hashes=row["install_token_hash"],
        subscriber_id=row["install_subscriber_id"],
        modified_s=revisions.of_an_answer(row["tenant_modified_s"], row["modified_s"]),
        state=state,
        ended=Ending(row["install_ended"]) if has_ended else Ending.SUSPENDED if suspended else None,
        decided_s=row["install_ended_s"] if has_ended else row["changed_s"] or 0,
        expires_s=row["expires_s"],
        holding=bool(row["guard_holding"]),
        confirmed_s=max(row["guard_released_s"] or 0, row["install_confirmed_s"]) or -1,
        turns=row["guard_turns"] or 0,
        subscriber=lambda: read_subscriber(row),
    )
