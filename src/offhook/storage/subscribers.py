"""The subscribers in the database, as administration sees them: one, a page, or very many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.dialplan import QuickDials
from offhook.core.errors import Conflict, NotFound
from offhook.provider.subscriber import Override, State, Subscriber, read_password, username_key, write_password
from offhook.storage import revisions
from offhook.storage.database import Database
from offhook.storage.tables import install
from offhook.storage.tables import subscriber as table

PAGE: Final = 500

Row: TypeAlias = dict[str, Any]

_TEXTS: Final = msgspec.json.Decoder(dict[str, str])
_OVERRIDES: Final = msgspec.json.Decoder(dict[str, Override])
_QUICK_DIALS: Final = msgspec.json.Decoder(QuickDials)

# Parameters must not be called like columns that a statement sets.
_NAMED: Final = (table.c.cloud_id == sa.bindparam("of")) & (table.c.username_key == sa.bindparam("named"))
_FIND: Final = sa.select(table).where(_NAMED)
_KNOWN: Final = sa.select(table).where(
    table.c.cloud_id == sa.bindparam("of"), table.c.username_key.in_(sa.bindparam("keys", expanding=True))
)
_PAGE: Final = (
    sa.select(table)
    .where(table.c.cloud_id == sa.bindparam("of"), table.c.username_key > sa.bindparam("after"))
    .order_by(table.c.username_key)
    .limit(PAGE)
)
_COUNT: Final = sa.select(sa.func.count()).select_from(table).where(table.c.cloud_id == sa.bindparam("of"))
_ADD: Final = insert(table).on_conflict_do_nothing(index_elements=[table.c.cloud_id, table.c.username_key])
_REMOVE: Final = sa.delete(table).where(_NAMED).returning(table.c.id)
# The install stays as a tombstone, so that the phone is told. The number may be given to another subscriber.
_BURY: Final = (
    sa.update(install)
    .where(install.c.cloud_id == sa.bindparam("of"), install.c.subscriber_id == sa.bindparam("known"))
    .values(
        subscriber_id=0,
        user_agent="",
        device="",
        push_token="",
        state="ended",
        ended=sa.case((install.c.state == "ended", install.c.ended), else_="deleted"),
        ended_s=sa.case((install.c.state == "ended", install.c.ended_s), else_=sa.bindparam("now_s")),
    )
)


def _put() -> sa.Insert:
    """Insert, or replace the row of that name if it is still as it was read."""
    new = insert(table)
    kept = {"id", "cloud_id", "username_key", "created_s"}
    replaced = {column.name: new.excluded[column.name] for column in table.c if column.name not in kept}
    return new.on_conflict_do_update(
        index_elements=[table.c.cloud_id, table.c.username_key],
        set_={**replaced, "modified_s": revisions.moved(new.excluded.modified_s, new.excluded)},
        where=table.c.revision == new.excluded.revision - 1,
    )


def _replace() -> sa.Update:
    """The row of that id, if it is still as it was read."""
    kept = {"id", "cloud_id", "modified_s"}
    new = {column.name: sa.bindparam(f"new_{column.name}", type_=column.type) for column in table.c}
    replaced = {name: value for name, value in new.items() if name not in kept}
    return (
        sa.update(table)
        .where(
            table.c.cloud_id == sa.bindparam("of"),
            table.c.id == sa.bindparam("known"),
            table.c.revision == sa.bindparam("read"),
        )
        .values({**replaced, "modified_s": revisions.moved(new["modified_s"], new)})
    )


_PUT: Final = _put()
_REPLACE: Final = _replace()


class SubscriberStore:
    """Administration's view of the subscribers of all Cloud IDs; every method is one transaction.

    A record that was never kept has revision 0; every change of a row makes its revision one more.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, subscriber: Subscriber) -> Subscriber:
        """Keep a new one and return it with its id; raises Conflict when the name is taken."""
        with self._database.begin() as connection:
            modified_s = revisions.of_a_subscriber(connection, subscriber.cloud_id, subscriber.changed_s)
            result = connection.execute(_ADD, {**_write(subscriber), "modified_s": modified_s})
            if not result.rowcount:
                raise Conflict(f"There is already a user {subscriber.name}; upper and lower case make no difference.")
        return msgspec.structs.replace(subscriber, id=result.lastrowid, revision=subscriber.revision + 1)

    def get(self, cloud_id: str, username_key: str) -> Subscriber:
        """Find one; raises NotFound."""
        with self._database.begin() as connection:
            row = connection.execute(_FIND, {"of": cloud_id, "named": username_key}).mappings().first()
        if row is None:
            raise NotFound(f"There is no user {username_key}@{cloud_id}.")
        return _read(row)

    def known(self, cloud_id: str, keys: Sequence[str]) -> dict[str, Subscriber]:
        """Those of the named who exist, by name without regard to case: one query, for at most some hundred names."""
        with self._database.begin() as connection:
            rows = connection.execute(_KNOWN, {"of": cloud_id, "keys": list(keys)}).mappings()
            return {row["username_key"]: _read(row) for row in rows}

    def replace(self, subscriber: Subscriber) -> None:
        """Keep a changed one under its id; raises Conflict when its `revision` is no more the stored one, NotFound."""
        row = _write(subscriber)
        where = {"of": row.pop("cloud_id"), "known": subscriber.id, "read": subscriber.revision}
        with self._database.begin() as connection:
            row["modified_s"] = revisions.of_a_subscriber(connection, subscriber.cloud_id, subscriber.changed_s)
            new = {f"new_{name}": value for name, value in row.items()}
            if connection.execute(_REPLACE, {**where, **new}).rowcount:
                return
            exists = connection.execute(_FIND, {"of": subscriber.cloud_id, "named": row["username_key"]}).first()
        if exists is None:
            raise NotFound(f"There is no user {subscriber.name} any more.")
        raise Conflict(f"{subscriber.name} was changed by somebody else meanwhile. Look at it and try again.")

    def remove(self, cloud_id: str, username_key: str, now_s: int) -> None:
        """Forget one and end its installs; raises NotFound."""
        with self._database.begin() as connection:
            known = connection.scalar(_REMOVE, {"of": cloud_id, "named": username_key})
            if known is None:
                raise NotFound(f"There is no user {username_key}@{cloud_id}.")
            connection.execute(_BURY, {"of": cloud_id, "known": known, "now_s": now_s})

    def all_of(self, cloud_id: str, after: str = "") -> Iterator[Subscriber]:
        """All of a Cloud ID by username, read in pages so that memory stays bounded."""
        while True:
            with self._database.begin() as connection:
                rows = connection.execute(_PAGE, {"of": cloud_id, "after": after}).mappings().all()
            yield from map(_read, rows)
            if len(rows) < PAGE:
                return
            after = rows[-1]["username_key"]

    def count(self, cloud_id: str) -> int:
        """How many there are."""
        with self._database.begin() as connection:
            return connection.scalar(_COUNT, {"of": cloud_id}) or 0

    def put_all(self, subscribers: Iterable[Subscriber]) -> int:
        """Add those of revision 0, replace those read before, in one transaction and bounded memory; returns how many.

        Raises Conflict, and keeps nothing, when one was added or changed meanwhile.
        """
        with self._database.begin() as connection:
            return put_all(connection, subscribers)


def put_all(connection: sa.Connection, subscribers: Iterable[Subscriber]) -> int:
    """Keep many, as the store's `put_all` does, within a transaction."""
    count = 0
    remaining = iter(subscribers)
    while chunk := list(islice(remaining, PAGE)):
        dates = {
            key: revisions.of_a_subscriber(connection, *key) for key in {(one.cloud_id, one.changed_s) for one in chunk}
        }
        rows = [{**_write(one), "modified_s": dates[one.cloud_id, one.changed_s]} for one in chunk]
        if connection.execute(_PUT, rows).rowcount < len(rows):
            raise Conflict("Some of these users were changed by somebody else meanwhile. Try again.")
        count += len(rows)
    return count


def _write(one: Subscriber) -> Row:
    return {
        "cloud_id": one.cloud_id,
        "username": one.username,
        "username_key": username_key(one.username),
        "password": write_password(one.password),
        "state": one.state.value,
        "attributes": _text(one.attributes),
        "secrets": _text(one.secrets),
        "overrides": _text(one.overrides),
        "quick_dials": _text(one.quick_dials),
        "sip_generated": one.sip_generated,
        "revision": one.revision + 1,
        "created_s": one.created_s,
        "changed_s": one.changed_s,
        "expires_s": one.expires_s,
    }


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _read(row: sa.RowMapping) -> Subscriber:
    return Subscriber(
        cloud_id=row["cloud_id"],
        username=row["username"],
        password=read_password(row["password"]),
        state=State(row["state"]),
        attributes=_TEXTS.decode(row["attributes"]),
        secrets=_TEXTS.decode(row["secrets"]),
        overrides=_OVERRIDES.decode(row["overrides"]),
        quick_dials=_QUICK_DIALS.decode(row["quick_dials"]),
        sip_generated=row["sip_generated"],
        id=row["id"],
        revision=row["revision"],
        created_s=row["created_s"],
        changed_s=row["changed_s"],
        expires_s=row["expires_s"],
    )
