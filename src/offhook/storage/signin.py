"""The device plane's view of the database: one query that finds all a sign-in needs, one transaction that keeps it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from offhook.core.errors import Conflict, Refused, Unavailable
from offhook.provider.ports import Ending, Found, KnownInstall, NewInstall, Room
from offhook.provider.subscriber import Argon2, StoredPassword, write_password
from offhook.provider.validators import Served
from offhook.storage import decisions, revisions, sipaccounts, sipwishes
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

# More phones than anybody signs in with. Without a limit, signing in again and again would fill the database.
MAX_INSTALLS: Final = 100
# A phone that was seen since then is in use, even if it is switched off for some weeks.
IN_USE_S: Final = 90 * 86400
# None of them is ended instead: a phone would lose its account, and nobody decided that (decision 0008).
TOO_MANY: Final = (
    f"This account is in use on {MAX_INSTALLS} devices. Please sign out on one of them, or ask your provider to do so."
)


def _look_up() -> sa.Select[Any]:
    wanted: sa.BindParameter[str] = sa.bindparam("install_id")
    token_hash: sa.BindParameter[bytes] = sa.bindparam("token_hash")
    of_the_name = (subscriber.c.cloud_id == tenant.c.cloud_id) & (
        subscriber.c.username_key == sa.bindparam("username_key")
    )
    of_the_install = (
        (install.c.cloud_id == subscriber.c.cloud_id)
        & (install.c.subscriber_id == subscriber.c.id)
        & (install.c.state == sa.literal_column("'active'"))
        & ((install.c.id == wanted) | ((wanted == sa.literal_column("''")) & (install.c.token_hash == token_hash)))
    )
    return (
        sa.select(
            tenant.c.settings,
            tenant.c.modified_s.label("tenant_modified_s"),
            subscriber,
            install.c.id.label("install"),
            install.c.token_hash.label("hash"),
            *(install.c[name].label(f"install_{name}") for name in ("circumstances", "variant", "digest", "dated_s")),
            *line_columns(),
        )
        .select_from(
            tenant.outerjoin(subscriber, of_the_name)
            .outerjoin(install, of_the_install)
            .outerjoin(sip_account, its_line(install.c.id))
        )
        .where(tenant.c.cloud_id == sa.bindparam("cloud_id"))
    )


_OWN: Final = (install.c.cloud_id == sa.bindparam("cloud_id")) & (
    install.c.subscriber_id == sa.bindparam("subscriber_id")
)


def _forget_surplus() -> sa.Delete:
    """Ended ones go first, then those that gave no sign of life for longest; never one that is in use."""
    in_use = sa.and_(
        install.c.state == sa.literal_column("'active'"), install.c.seen_s >= sa.bindparam("since_s", type_=sa.Integer)
    )
    # "active" stands before "ended".
    order = (install.c.state, in_use.desc(), sa.func.max(install.c.seen_s, install.c.created_s).desc(), install.c.id)
    best_first = sa.select(install.c.id).where(_OWN).order_by(*order)
    kept = best_first.limit(sa.literal_column(str(MAX_INSTALLS - 1))).offset(sa.literal_column("0"))
    return sa.delete(install).where(_OWN, ~in_use, install.c.id.not_in(kept))


def _new_row(new: NewInstall) -> dict[str, Any]:
    """The row of an install that is issued."""
    row = msgspec.structs.asdict(new)
    served: Served = row.pop("served")
    del row["room"], row["line"], row["has_own_line"]
    # A sign-in is the first question for the account.
    row["asked_s"] = new.created_s
    return row | msgspec.structs.asdict(served) | {"circumstances": write_circumstances(new.circumstances)}


def _others() -> sa.Select[Any]:
    """The phones of a user but for one device, the one that was seen last first."""
    seen = sa.func.max(sa.func.max(install.c.seen_s, install.c.created_s))
    phone = sa.case((install.c.device == sa.literal_column("''"), install.c.id), else_=install.c.device)
    device: sa.BindParameter[str] = sa.bindparam("device")
    empty: sa.ColumnClause[str] = sa.literal_column("''")
    return (
        sa.select(phone.label("phone"))
        .where(
            _OWN,
            install.c.state == sa.literal_column("'active'"),
            (install.c.device == empty) | (install.c.device != device),
        )
        .group_by(sa.literal_column("phone"))
        .order_by(seen.desc(), sa.literal_column("phone"))
    )


def _add() -> sa.Insert:
    """Only while the subscriber is there with the password that was checked, since that takes a while.

    It is later than the subscriber's others, whatever the clock does: which one is newer must be known for sure.
    """
    names = list(_new_row(NewInstall("", "", 0, b"", "", "", 0)))
    values: list[sa.ColumnElement[Any]] = [sa.bindparam(name) for name in names]
    newest = sa.select(sa.func.max(install.c.created_s)).where(_OWN).scalar_subquery()
    after_it = sa.func.coalesce(newest, sa.literal_column("0")) + sa.literal_column("1")
    values[names.index("created_s")] = sa.func.max(sa.bindparam("created_s"), after_it)
    exists = sa.exists().where(
        subscriber.c.cloud_id == sa.bindparam("cloud_id"),
        subscriber.c.id == sa.bindparam("subscriber_id"),
        subscriber.c.password == sa.bindparam("stored"),
    )
    return sa.insert(install).from_select(names, sa.select(*values).where(exists))


# Statements of the device plane are compiled once, and the driver runs them.
LOOK_UP: Final = compiled(_look_up())
_FORGET_SURPLUS: Final = compiled(_forget_surplus())
_COUNT: Final = compiled(sa.select(sa.func.count()).select_from(install).where(_OWN))
_IN_USE: Final = compiled(
    sa.select(sa.func.count())
    .select_from(install)
    .where(
        _OWN,
        install.c.state == sa.literal_column("'active'"),
        install.c.seen_s >= sa.bindparam("since_s", type_=sa.Integer),
    )
)
_ADD: Final = compiled(_add())
OTHERS: Final = compiled(_others())
_END_PHONE: Final = compiled(
    sa.update(install)
    .where(
        _OWN,
        install.c.state == sa.literal_column("'active'"),
        (install.c.id == sa.bindparam("phone")) | (install.c.device == sa.bindparam("phone")),
    )
    .values(
        state=sa.literal_column("'ended'"),
        ended=sa.literal_column(f"'{Ending.LIMIT}'"),
        ended_s=sa.bindparam("now_s"),
        # No decision of many: the user who signs in makes it, for one phone of their own.
        ended_by=sa.literal_column("0"),
    )
)
_UPGRADE: Final = compiled(
    sa.update(subscriber)
    .where(
        subscriber.c.cloud_id == sa.bindparam("of"),
        subscriber.c.id == sa.bindparam("known"),
        subscriber.c.password == sa.bindparam("stored"),
    )
    .values(password=sa.bindparam("better"), revision=subscriber.c.revision + sa.literal_column("1"))
)


class SignInStore:
    """Reads in the event loop, which takes less time than changing threads, and writes through the queue."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cursor = database.reader.cursor()
        self._cursor.row_factory = sqlite3.Row

    async def look_up(self, cloud_id: str, username_key: str, install_id: str, token_hash: bytes) -> Found:
        """As the port says."""
        wanted = {
            "cloud_id": cloud_id,
            "username_key": username_key,
            "install_id": install_id,
            "token_hash": token_hash,
        }
        try:
            row = self._cursor.execute(LOOK_UP, wanted).fetchone()
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The database cannot be read ({error}).") from error
        if row is None:
            return Found(None)
        found = read_subscriber(row) if row["id"] is not None else None
        known = _known(row) if row["install"] is not None else None
        modified_s = revisions.of_an_answer(row["tenant_modified_s"], row["modified_s"])
        return Found(read_tenant(row["settings"]), found, known, modified_s, read_line(row))

    async def look_for_room(self, install: NewInstall) -> None:
        """As the port says."""
        row = {**_new_row(install), "since_s": max(install.created_s - IN_USE_S, 1)}
        try:
            if self._cursor.execute(_IN_USE, row).fetchone()[0] >= MAX_INSTALLS:
                raise Refused(TOO_MANY)
            room = install.room
            if room and room.refusal and len(self._cursor.execute(OTHERS, row).fetchall()) >= room.count:
                raise Refused(room.refusal)
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The database cannot be read ({error}).") from error

    async def issue(self, install: NewInstall, upgraded: Argon2 | None, known: StoredPassword) -> None:
        """As the port says."""
        row = _new_row(install)
        better = {"of": install.cloud_id, "known": install.subscriber_id, "stored": write_password(known)}

        def work(connection: sqlite3.Connection) -> None:
            since_s = max(install.created_s - IN_USE_S, 1)
            connection.execute(_FORGET_SURPLUS, {**row, "since_s": since_s})
            if connection.execute(_COUNT, row).fetchone()[0] >= MAX_INSTALLS:
                raise Refused(TOO_MANY)
            if install.room is not None:
                _make_room(connection, row, install.room)
            if not connection.execute(_ADD, {**row, "stored": better["stored"]}).rowcount:
                raise Conflict("This user was changed meanwhile.")
            execute = decisions.by_driver(connection)
            if install.line is not None and not sipaccounts.confirm(execute, install.line):
                raise Conflict("The SIP account of this phone is not wanted any more, or not with this password.")
            if install.room is not None:
                sipwishes.of_user(execute, install.cloud_id, install.subscriber_id, install.created_s)
            if upgraded is not None:
                connection.execute(_UPGRADE, {**better, "better": write_password(upgraded)})

        await done(self._database.write(work))


def _known(row: sqlite3.Row) -> KnownInstall:
    told = read_circumstances(row["install_circumstances"])
    return KnownInstall(row["install"], row["hash"], told, read_served(row))


def _make_room(connection: sqlite3.Connection, row: Mapping[str, Any], room: Room) -> None:
    """End the phones of a user that are too many for one more, those that gave no sign of life for longest first."""
    surplus = connection.execute(OTHERS, row).fetchall()[room.count - 1 :]
    if surplus and room.refusal:
        raise Refused(room.refusal)
    for (phone,) in surplus:
        connection.execute(_END_PHONE, {**row, "phone": phone, "now_s": row["created_s"]})
