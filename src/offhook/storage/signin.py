"""The device plane's view of the database: one query that finds all a sign-in needs, one transaction that keeps it."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from offhook.core.dialplan import QuickDials
from offhook.core.errors import Unavailable
from offhook.provider.ports import Found, KnownInstall, NewInstall
from offhook.provider.subscriber import (
    Argon2,
    Override,
    State,
    StoredPassword,
    Subscriber,
    read_password,
    write_password,
)
from offhook.provider.tenant import Tenant
from offhook.storage.database import Database, compiled, done
from offhook.storage.tables import install, subscriber, tenant

# More phones than anybody signs in with. Without a limit, signing in again and again would fill the database.
MAX_INSTALLS: Final = 100

_TEXTS: Final = msgspec.json.Decoder(dict[str, str])
_OVERRIDES: Final = msgspec.json.Decoder(dict[str, Override])
_QUICK_DIALS: Final = msgspec.json.Decoder(QuickDials)


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
        sa.select(tenant.c.settings, subscriber, install.c.id.label("install"), install.c.token_hash.label("hash"))
        .select_from(tenant.outerjoin(subscriber, of_the_name).outerjoin(install, of_the_install))
        .where(tenant.c.cloud_id == sa.bindparam("cloud_id"))
    )


def _forget_surplus() -> sa.Delete:
    own = (install.c.cloud_id == sa.bindparam("cloud_id")) & (install.c.subscriber_id == sa.bindparam("subscriber_id"))
    # "active" stands before "ended".
    newest_first = (
        sa.select(install.c.id).where(own).order_by(install.c.state, install.c.created_s.desc(), install.c.id)
    )
    kept = newest_first.limit(sa.literal_column(str(MAX_INSTALLS - 1))).offset(sa.literal_column("0"))
    return sa.delete(install).where(own, install.c.id.not_in(kept))


def _add() -> sa.Insert:
    """Only while there is such a subscriber: its number may be given to another one when it is gone."""
    names = NewInstall.__struct_fields__
    values: list[sa.BindParameter[Any]] = [sa.bindparam(name) for name in names]
    exists = sa.exists().where(
        subscriber.c.cloud_id == sa.bindparam("cloud_id"), subscriber.c.id == sa.bindparam("subscriber_id")
    )
    return sa.insert(install).from_select(list(names), sa.select(*values).where(exists))


# Statements of the device plane are compiled once, and the driver runs them.
LOOK_UP: Final = compiled(_look_up())
# It stays for a while, since the report that it was removed may still be on its way.
_REPLACE: Final = compiled(
    sa.update(install)
    .where(
        install.c.cloud_id == sa.bindparam("cloud_id"),
        install.c.subscriber_id == sa.bindparam("subscriber_id"),
        install.c.device == sa.bindparam("gadget"),
        install.c.device != sa.literal_column("''"),
        install.c.state == sa.literal_column("'active'"),
    )
    .values(
        state=sa.literal_column("'ended'"),
        ended=sa.literal_column("'replaced'"),
        ended_s=sa.bindparam("now_s"),
        push_token=sa.literal_column("''"),
    )
)
_FORGET_SURPLUS: Final = compiled(_forget_surplus())
_ADD: Final = compiled(_add())
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
        known = KnownInstall(row["install"], row["hash"]) if row["install"] is not None else None
        return Found(read_tenant(row["settings"]), found, known)

    async def issue(self, install: NewInstall, upgraded: Argon2 | None, known: StoredPassword) -> None:
        """As the port says."""
        row = msgspec.structs.asdict(install)
        better = {"of": install.cloud_id, "known": install.subscriber_id, "stored": write_password(known)}

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_REPLACE, {**row, "gadget": install.device, "now_s": install.created_s})
            connection.execute(_FORGET_SURPLUS, row)
            connection.execute(_ADD, row)
            if upgraded is not None:
                connection.execute(_UPGRADE, {**better, "better": write_password(upgraded)})

        await done(self._database.write(work))


@lru_cache(maxsize=1024)
def read_tenant(settings: str) -> Tenant:
    """The settings of a tenant from their column."""
    return msgspec.json.decode(settings, type=Tenant)


def read_subscriber(row: sqlite3.Row) -> Subscriber:
    """A subscriber from a row that has all columns of their table."""
    return Subscriber(
        cloud_id=row["cloud_id"],
        username=row["username"],
        password=read_password(row["password"]),
        state=State(row["state"]),
        attributes=_TEXTS.decode(row["attributes"]),
        secrets=_TEXTS.decode(row["secrets"]),
        overrides=_OVERRIDES.decode(row["overrides"]),
        quick_dials=_QUICK_DIALS.decode(row["quick_dials"]),
        sip_generated=bool(row["sip_generated"]),
        id=row["id"],
        revision=row["revision"],
        created_s=row["created_s"],
        changed_s=row["changed_s"],
        expires_s=row["expires_s"],
    )
