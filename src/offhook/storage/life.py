"""The device plane's view of installs after their sign-in: one query for each request, few writes, notes in batches."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from offhook.core.errors import Unavailable
from offhook.provider.ports import Ending, Sighting, Standing
from offhook.provider.sealing import DIGEST_BYTES
from offhook.provider.subscriber import State, read_password
from offhook.storage import decisions, revisions, sipwishes
from offhook.storage import standing as standings
from offhook.storage.database import Database, compiled, done
from offhook.storage.rows import (
    its_line,
    line_columns,
    read_circumstances,
    read_line,
    read_served,
    read_subscriber,
    read_tenant,
    write_circumstances,
)
from offhook.storage.tables import install, sip_account, subscriber, tenant

older: Final = install.alias("older")
_ACTIVE: Final = install.c.state == sa.literal_column("'active'")


def _look_up() -> sa.Select[Any]:
    state = ("token_hash", "state", "ended", "ended_by", "password", "subscriber_id")
    wanted = (*state, "circumstances", "variant", "digest", "dated_s")
    its_user = (subscriber.c.cloud_id == install.c.cloud_id) & (subscriber.c.id == install.c.subscriber_id)
    return (
        sa.select(
            subscriber,
            install.c.id.label("install"),
            *(install.c[name].label(f"install_{name}") for name in wanted),
            tenant.c.settings,
            tenant.c.modified_s.label("tenant_modified_s"),
            *line_columns(),
        )
        .select_from(install.join(tenant, tenant.c.cloud_id == install.c.cloud_id))
        .outerjoin(subscriber, its_user)
        .outerjoin(sip_account, its_line(install.c.id))
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


LOOK_UP: Final = compiled(_look_up())
_REMEMBER: Final = compiled(
    sa.update(install).where(install.c.id == sa.bindparam("known"), _ACTIVE).values(token_hash=sa.bindparam("hashes"))
)
_ENDS: Final = install.c.state == sa.literal_column("'ended'")
_END: Final = compiled(
    sa.update(install)
    .where(install.c.id == sa.bindparam("known"), _ACTIVE | (install.c.ended == sa.literal_column("'revoked'")))
    .values(
        state=sa.literal_column("'ended'"),
        ended=sa.case((_ENDS, install.c.ended), else_=sa.bindparam("reason")),
        ended_s=sa.case((_ENDS, install.c.ended_s), else_=sa.bindparam("now_s")),
        # Whoever withdraws the decision does not bring back a phone that has left.
        ended_by=sa.literal_column("0"),
        push_token=sa.literal_column("''"),
    )
)
_PUSH: Final = compiled(
    sa.update(install).where(install.c.id == sa.bindparam("known"), _ACTIVE).values(push_token=sa.bindparam("sealed"))
)
REPLACED: Final = compiled(_replaced())
_NEWEST_HASH: Final = sa.func.substr(
    install.c.token_hash, sa.literal_column("1"), sa.literal_column(str(DIGEST_BYTES)), type_=sa.LargeBinary()
)
_SEEN: Final = compiled(
    sa.update(install)
    .where(install.c.id == sa.bindparam("install_id"))
    .values(
        seen_s=sa.bindparam("at_s"),
        held_s=sa.bindparam("has_s"),
        user_agent=sa.bindparam("agent"),
        token_hash=sa.case((sa.bindparam("proved") == _NEWEST_HASH, _NEWEST_HASH), else_=install.c.token_hash),
        push_token=sa.case((sa.bindparam("told"), sa.literal_column("''")), else_=install.c.push_token),
        circumstances=sa.bindparam("told_of_itself"),
    )
)
_SERVED: Final = compiled(
    sa.update(install)
    .where(install.c.id == sa.bindparam("known"))
    .values(variant=sa.bindparam("of"), digest=sa.bindparam("bytes"), dated_s=sa.bindparam("at_s"))
)
_EXPIRED_BY: Final = compiled(
    sa.select(subscriber.c.expired_by, subscriber.c.expires_s).where(
        subscriber.c.cloud_id == sa.bindparam("of"), subscriber.c.id == sa.bindparam("known")
    )
)


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
        """As the port says."""

        def work(connection: sqlite3.Connection) -> None:
            _replace_older(connection, install_id, now_s)
            _end(connection, install_id, reason, now_s)

        await done(self._database.write(work))

    async def push_token(self, install_id: str, sealed: str) -> None:
        """As the port says."""
        await self._write(_PUSH, {"known": install_id, "sealed": sealed})

    async def come_due(self, cloud_id: str, subscriber_id: int, now_s: int) -> int:
        """As the port says."""
        user = {"of": cloud_id, "known": subscriber_id}

        def work(connection: sqlite3.Connection) -> int:
            by, expires_s = connection.execute(_EXPIRED_BY, user).fetchone() or (0, None)
            if expires_s is None or expires_s > now_s:
                raise Unavailable("The account that was over was changed meanwhile. Ask again.")
            return int(by or standings.come_due(decisions.by_driver(connection), cloud_id, now_s))

        return await done(self._database.write(work))

    async def not_due(self, cloud_id: str, now_s: int) -> None:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> None:
            standings.forget_early(decisions.by_driver(connection), cloud_id, now_s)

        await done(self._database.write(work))

    async def ruled(self, cloud_id: str, rule: str, author: str, now_s: int) -> int | None:
        """As the port says."""
        try:
            known = self._cursor.execute(decisions.RULED, {"of": cloud_id, "ruled": rule}).fetchone()
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The database cannot be read ({error}).") from error
        if known is not None:
            return decisions.standing(known)

        def work(connection: sqlite3.Connection) -> int | None:
            return decisions.ruled(decisions.by_driver(connection), cloud_id, rule, author, now_s)

        return await done(self._database.write(work))

    async def may_go(self, cloud_id: str, decision: int, subscriber_id: int) -> bool | None:
        """As the port says."""
        wanted = {"of": cloud_id, "no": decision, "user": subscriber_id}
        try:
            row = self._cursor.execute(decisions.STAGE, wanted).fetchone()
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The database cannot be read ({error}).") from error
        return decisions.may_go(row)

    async def count(self, cloud_id: str, decision: int, subscriber_id: int, most: float) -> bool:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> bool:
            execute = decisions.by_driver(connection)
            return decisions.count(execute, cloud_id, decision, subscriber_id, most)

        return await done(self._database.write(work))

    async def _write(self, statement: str, parameters: dict[str, Any]) -> None:
        await done(self._database.write(lambda connection: connection.execute(statement, parameters)))


class SightingStore:
    """Keeps what was noted beside requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, sightings: Sequence[Sighting]) -> None:
        """As the port says."""
        seen = [
            {
                "install_id": one.install_id,
                "at_s": one.seen_s,
                "has_s": one.held_s,
                "agent": one.user_agent,
                "proved": one.proved,
                "told": one.told,
                "told_of_itself": write_circumstances(one.circumstances),
            }
            for one in sightings
        ]
        served = [
            {"known": one.install_id, "of": new.variant, "bytes": new.digest, "at_s": new.dated_s}
            for one in sightings
            if (new := one.served) is not None
        ]

        def work(connection: sqlite3.Connection) -> None:
            for one in sightings:
                _replace_older(connection, one.install_id, one.seen_s)
            connection.executemany(_SEEN, seen)
            connection.executemany(_SERVED, served)

        self._database.write(work).result()


def _end(connection: sqlite3.Connection, install_id: str, reason: Ending, now_s: int) -> None:
    connection.execute(_END, {"known": install_id, "reason": reason.value, "now_s": now_s})
    sipwishes.of_phone(decisions.by_driver(connection), install_id, now_s)


def _replace_older(connection: sqlite3.Connection, install_id: str, now_s: int) -> None:
    """An install that comes back for the first time is the one that its device has kept, and no older one is.

    Before, nobody knows: the answer may have been lost, or the device could not save it and goes on with the older one.
    """
    for (known,) in connection.execute(REPLACED, {"install_id": install_id}).fetchall():
        _end(connection, known, Ending.REPLACED, now_s)


def _standing(row: sqlite3.Row) -> Standing:
    """What is known of an install. That a subscriber is missing is no decision of anybody, unless it was noted."""
    state = None if row["id"] is None else State(row["state"])
    decided = {Ending(row["install_ended"]): row["install_ended_by"]} if row["install_state"] == "ended" else {}
    if state is State.SUSPENDED:
        decided[Ending.SUSPENDED] = row["suspended_by"]
    return Standing(
        tenant=read_tenant(row["settings"]),
        install_id=row["install"],
        hashes=row["install_token_hash"],
        subscriber_id=row["install_subscriber_id"],
        modified_s=revisions.of_an_answer(row["tenant_modified_s"], row["modified_s"]),
        state=state,
        decided=decided,
        expires_s=row["expires_s"],
        expired_by=row["expired_by"] or 0,
        password=read_password(row["install_password"]) if row["install_password"] else None,
        subscriber=lambda: read_subscriber(row),
        circumstances=read_circumstances(row["install_circumstances"]),
        served=read_served(row),
        line=read_line(row),
    )
