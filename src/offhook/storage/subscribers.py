"""The subscribers in the database, as administration sees them: one, a page, or very many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import Conflict, NotFound
from offhook.policy.fleetguard import Stage
from offhook.provider.ports import Ending
from offhook.provider.subscriber import Subscriber
from offhook.storage import decisions, invitations, numbers, revisions, sagas, sipwishes
from offhook.storage.database import Database
from offhook.storage.decisions import Deciding
from offhook.storage.rows import read_subscriber, write_subscriber
from offhook.storage.standing import Standings, keep_password
from offhook.storage.tables import decision, install, vouched
from offhook.storage.tables import subscriber as table

PAGE: Final = 500
# A phone that was switched off for as long as this is refused then (403), not logged out (decision 0008).
KEPT_S: Final = 400 * 86400

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
_REMOVE: Final = sa.delete(table).where(_NAMED).returning(*table.c)
_OF_THE_REMOVED: Final = (install.c.cloud_id == sa.bindparam("of")) & (install.c.subscriber_id == sa.bindparam("known"))
# Whoever removes one user has looked at them: their phones do not wait for what was decided on many.
_WAITING: Final = install.c.ended_by.in_(
    sa.select(decision.c.no).where(
        decision.c.cloud_id == sa.bindparam("of"), decision.c.stage.in_([Stage.HELD.value, Stage.COUNTED.value])
    )
)
_IN_USE: Final = (
    sa.select(sa.func.count()).select_from(install).where(_OF_THE_REMOVED, (install.c.state == "active") | _WAITING)
)
# The install stays as a tombstone, so that the phone is told: without anything that names the user but a number.
_BURY: Final = (
    sa.update(install)
    .where(_OF_THE_REMOVED)
    .values(
        user_agent="",
        device="",
        push_token="",
        state="ended",
        ended=sa.case((install.c.state == "ended", install.c.ended), else_="deleted"),
        ended_s=sa.case((install.c.state == "ended", install.c.ended_s), else_=sa.bindparam("now_s")),
        ended_by=sa.case(((install.c.state == "ended") & ~_WAITING, install.c.ended_by), else_=sa.bindparam("by")),
    )
)
_HELD: Final = sa.select(decision.c.no).where(
    decision.c.cloud_id == sa.bindparam("of"), decision.c.stage == Stage.HELD.value
)
_FORGET: Final = sa.delete(install).where(
    install.c.cloud_id == sa.bindparam("of"),
    install.c.state == "ended",
    sa.func.max(install.c.ended_s, install.c.seen_s) < sa.bindparam("before_s"),
    install.c.subscriber_id.not_in(sa.select(table.c.id).where(table.c.cloud_id == sa.bindparam("of"))),
    install.c.ended_by.not_in(_HELD),
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

    def __init__(self, database: Database, author: str = "") -> None:
        self._database, self._author = database, author

    def add(self, subscriber: Subscriber) -> Subscriber:
        """Keep a new one and return it with its id; raises Conflict when the name is taken."""
        with self._database.begin() as connection:
            modified_s = revisions.of_a_subscriber(connection, subscriber.cloud_id, subscriber.changed_s)
            result = connection.execute(_ADD, {**write_subscriber(subscriber), "modified_s": modified_s})
            if not result.rowcount:
                raise Conflict(f"There is already a user {subscriber.name}; upper and lower case make no difference.")
        return msgspec.structs.replace(subscriber, id=result.lastrowid, revision=subscriber.revision + 1)

    def get(self, cloud_id: str, username_key: str) -> Subscriber:
        """Find one; raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"of": cloud_id, "named": username_key}).mappings().first()
        if row is None:
            raise NotFound(f"There is no user {username_key}@{cloud_id}.")
        return read_subscriber(row)

    def known(self, cloud_id: str, keys: Sequence[str]) -> dict[str, Subscriber]:
        """Those of the named who exist, by name without regard to case: one query, for at most some hundred names."""
        with self._database.read() as connection:
            rows = connection.execute(_KNOWN, {"of": cloud_id, "keys": list(keys)}).mappings()
            return {row["username_key"]: read_subscriber(row) for row in rows}

    def replace(self, subscriber: Subscriber) -> None:
        """Keep a changed one under its id; raises Conflict when its `revision` is no more the stored one, NotFound."""
        row = write_subscriber(subscriber)
        where = {"of": row.pop("cloud_id"), "known": subscriber.id, "read": subscriber.revision}
        with self._database.begin() as connection:
            row["modified_s"] = revisions.of_a_subscriber(connection, subscriber.cloud_id, subscriber.changed_s)
            deciding = Deciding(decisions.by(connection), self._author, subscriber.changed_s)
            standings = Standings(connection, subscriber.cloud_id, [row["username_key"]])
            row.update(standings.after(row["username_key"], subscriber, deciding))
            new = {f"new_{name}": value for name, value in row.items()}
            if connection.execute(_REPLACE, {**where, **new}).rowcount:
                deciding.keep()
                standings.settle_sip([row], subscriber.cloud_id, subscriber.changed_s)
                return
            exists = connection.execute(_FIND, {"of": subscriber.cloud_id, "named": row["username_key"]}).first()
        if exists is None:
            raise NotFound(f"There is no user {subscriber.name} any more.")
        raise Conflict(f"{subscriber.name} was changed by somebody else meanwhile. Look at it and try again.")

    def decided(self, cloud_id: str, subscriber_id: int) -> None:
        """Whether they may use the service is what the operator says: an upstream that has them again lifts nothing."""
        theirs = (vouched.c.cloud_id == cloud_id) & (vouched.c.subscriber_id == subscriber_id)
        with self._database.begin() as connection:
            connection.execute(sa.update(vouched).where(theirs, vouched.c.gone_s != 0).values(gone_s=0))

    def remove(self, cloud_id: str, username_key: str, now_s: int) -> None:
        """Forget one and end its installs, and forget the installs of those removed long ago; raises NotFound."""
        with self._database.begin() as connection:
            removed = connection.execute(_REMOVE, {"of": cloud_id, "named": username_key}).mappings().first()
            if removed is None:
                raise NotFound(f"There is no user {username_key}@{cloud_id}.")
            gone = read_subscriber(removed)
            known = gone.id
            theirs = {"of": cloud_id, "known": known}
            deciding, by = Deciding(decisions.by(connection), self._author, now_s), 0
            if connection.scalar(_IN_USE, theirs):
                by = deciding.number(cloud_id, Ending.DELETED)
            keep_password(connection, cloud_id, known, gone.password)
            numbers.give_back(connection, cloud_id, known, now_s)
            sagas.take_back(connection, gone, now_s)
            invitations.end(connection, cloud_id, username_key, known)
            connection.execute(_BURY, {**theirs, "now_s": now_s, "by": by})
            connection.execute(_FORGET, {"of": cloud_id, "before_s": now_s - KEPT_S})
            deciding.keep()
            sipwishes.of_user(decisions.by(connection), cloud_id, known, now_s)

    def all_of(self, cloud_id: str, after: str = "") -> Iterator[Subscriber]:
        """All of a Cloud ID by username, read in pages so that memory stays bounded."""
        while True:
            with self._database.read() as connection:
                rows = connection.execute(_PAGE, {"of": cloud_id, "after": after}).mappings().all()
            yield from map(read_subscriber, rows)
            if len(rows) < PAGE:
                return
            after = rows[-1]["username_key"]

    def count(self, cloud_id: str) -> int:
        """How many there are."""
        with self._database.read() as connection:
            return connection.scalar(_COUNT, {"of": cloud_id}) or 0

    def put_all(self, subscribers: Iterable[Subscriber]) -> int:
        """Add those of revision 0, replace those read before, in one transaction and bounded memory; returns how many.

        Raises Conflict, and keeps nothing, when one was added or changed meanwhile.
        """
        with self._database.begin() as connection:
            return put_all(connection, subscribers, self._author)


def put_all(connection: sa.Connection, subscribers: Iterable[Subscriber], author: str = "") -> int:
    """Keep many, as the store's `put_all` does, within a transaction."""
    count = 0
    remaining = iter(subscribers)
    deciding: Deciding | None = None
    while chunk := list(islice(remaining, PAGE)):
        dates = {
            key: revisions.of_a_subscriber(connection, *key) for key in {(one.cloud_id, one.changed_s) for one in chunk}
        }
        rows = [{**write_subscriber(one), "modified_s": dates[one.cloud_id, one.changed_s]} for one in chunk]
        deciding = deciding or Deciding(decisions.by(connection), author, chunk[0].changed_s)
        standings = {
            cloud_id: Standings(connection, cloud_id, [row["username_key"] for row in rows])
            for cloud_id in {one.cloud_id for one in chunk}
        }
        for row, one in zip(rows, chunk, strict=True):
            row.update(standings[one.cloud_id].after(row["username_key"], one, deciding))
        if connection.execute(_PUT, rows).rowcount < len(rows):
            raise Conflict("Some of these users were changed by somebody else meanwhile. Try again.")
        for cloud_id, standing in standings.items():
            standing.settle_sip([row for row in rows if row["cloud_id"] == cloud_id], cloud_id, chunk[0].changed_s)
        count += len(rows)
    if deciding is not None:
        deciding.keep()
    return count
