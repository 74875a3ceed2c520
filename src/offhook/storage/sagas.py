"""Sagas in the database, and the users whom they let in or forget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import Conflict, NotFound
from offhook.provider import saga as moves
from offhook.provider.saga import CallHook, Saga, Stage
from offhook.provider.sagas import FARTHEST_S, LEASE_S, Entered
from offhook.provider.subscriber import State, Subscriber, username_key
from offhook.storage import decisions, numbers, revisions, sipwishes, tenants
from offhook.storage.database import Database
from offhook.storage.rows import read_subscriber, write_subscriber
from offhook.storage.tables import saga as table
from offhook.storage.tables import subscriber

KEPT_S: Final = 7 * 86400
# How many that are over are forgotten when the next one begins.
_AT_ONCE: Final = 20
_ADD: Final = insert(table).on_conflict_do_nothing()
_LIVE: Final = ~table.c.is_over
_NOW: Final[sa.BindParameter[int]] = sa.bindparam("now_s", type_=sa.Integer)
# What is further ahead than anybody sets it was set by a clock that has been put right since then.
_FREE: Final = (table.c.runner == "") | (table.c.leased_s <= _NOW) | (table.c.leased_s > _NOW + 2 * LEASE_S)
# A lease on one whose time has not come would only keep others from it when it has.
_DUE: Final = _FREE & ((table.c.next_s <= _NOW) | (table.c.next_s > _NOW + FARTHEST_S))
_OF: Final = (
    (table.c.cloud_id == sa.bindparam("of"))
    & (table.c.subscriber_id == sa.bindparam("user"))
    & (table.c.install_id == sa.bindparam("install"))
)
_CLAIM: Final = (
    sa.update(table)
    .where(table.c.id == sa.bindparam("known"), _LIVE, _DUE)
    .values(runner=sa.bindparam("by"), leased_s=sa.bindparam("until_s"))
    .returning(table.c.content)
)
_KEEP: Final = (
    sa.update(table)
    .where(table.c.id == sa.bindparam("known"), table.c.runner == sa.bindparam("by"))
    .values(
        content=sa.bindparam("new"),
        is_over=sa.bindparam("over"),
        next_s=sa.bindparam("at_s"),
        ended_s=sa.bindparam("end_s"),
        runner=sa.case((sa.bindparam("until_s") == 0, ""), else_=table.c.runner),
        leased_s=sa.bindparam("until_s"),
    )
)
_OLD: Final = sa.select(table.c.id).where(table.c.is_over, table.c.ended_s < sa.bindparam("before_s")).limit(_AT_ONCE)
_FORGET: Final = sa.delete(table).where(table.c.id.in_(_OLD))
_NAMED: Final = (subscriber.c.cloud_id == sa.bindparam("of")) & (subscriber.c.username_key == sa.bindparam("named"))
_ADD_USER: Final = insert(subscriber).on_conflict_do_nothing(
    index_elements=[subscriber.c.cloud_id, subscriber.c.username_key]
)
_KNOWN: Final = (subscriber.c.cloud_id == sa.bindparam("of")) & (subscriber.c.id == sa.bindparam("known"))
_PENDING: Final = subscriber.c.state == State.PENDING.value


class SagaStore:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, saga: Saga) -> Saga:
        """As the port says."""
        with self._database.begin() as connection:
            return begin(connection, saga)

    def enter(self, pending: Subscriber, saga: Saga) -> Entered:
        """As the port says."""
        with self._database.begin() as connection:
            row = write_subscriber(pending)
            row["modified_s"] = revisions.of_a_subscriber(connection, pending.cloud_id, pending.changed_s)
            is_new = connection.execute(_ADD_USER, row).rowcount > 0
            wanted = {"of": row["cloud_id"], "named": row["username_key"]}
            found = read_subscriber(connection.execute(sa.select(subscriber).where(_NAMED), wanted).mappings().one())
            if is_new:
                begun = begin(connection, msgspec.structs.replace(saga, subscriber_id=found.id))
                return Entered(found, begun, is_new=True)
            return Entered(found, of_user(connection, found.cloud_id, found.id), is_new=False)

    def get(self, saga_id: str) -> Saga:
        """As the port says."""
        with self._database.read() as connection:
            content = connection.scalar(sa.select(table.c.content).where(table.c.id == saga_id))
        if content is None:
            raise NotFound(f"There is no saga {saga_id[:80]}; it may have been over for long.")
        return _read(content)

    def of_user(self, cloud_id: str, subscriber_id: int, install_id: str = "") -> Saga | None:
        """As the port says."""
        with self._database.read() as connection:
            return of_user(connection, cloud_id, subscriber_id, install_id)

    def due(self, now_s: int, most: int) -> list[str]:
        """As the port says."""
        wanted = sa.select(table.c.id).where(_LIVE, _DUE).order_by(table.c.next_s).limit(most)
        with self._database.read() as connection:
            return list(connection.scalars(wanted, {"now_s": now_s}))

    def claim(self, saga_id: str, runner: str, now_s: int, until_s: int) -> Saga | None:
        """As the port says; whoever would not get it does not wait for the lock of writers."""
        wanted = {"known": saga_id, "by": runner, "now_s": now_s, "until_s": until_s}
        with self._database.read() as connection:
            free = sa.select(table.c.id).where(table.c.id == saga_id, _LIVE, _DUE)
            if connection.scalar(free, {"now_s": now_s}) is None:
                return None
        with self._database.begin() as connection:
            content = connection.scalar(_CLAIM, wanted)
        return None if content is None else _read(content)

    def keep(self, saga: Saga, runner: str, until_s: int) -> None:
        """As the port says."""
        row = _row(saga)
        new = {"new": row["content"], "over": saga.is_over, "at_s": saga.next_s, "end_s": saga.ended_s}
        with self._database.begin() as connection:
            if not connection.execute(_KEEP, {"known": saga.id, "by": runner, "until_s": until_s, **new}).rowcount:
                raise Conflict(f"Somebody else performs the saga {saga.id} now.")

    def hurry(self, saga_id: str, now_s: int) -> None:
        """As the port says."""
        known = {"known": saga_id, "now_s": now_s}
        with self._database.begin() as connection:
            which = (table.c.id == sa.bindparam("known")) & _LIVE & _FREE
            content = connection.scalar(sa.select(table.c.content).where(which), known)
            if content is not None:
                row = _row(msgspec.structs.replace(_read(content), next_s=now_s))
                connection.execute(sa.update(table).where(which).values(row), known)

    def late(self, saga: Saga, again: Saga) -> None:
        """As the port says."""
        named = {"of": saga.cloud_id, "named": username_key(saga.username)}
        with self._database.begin() as connection:
            content = connection.scalar(sa.select(table.c.content).where(table.c.id == saga.id))
            user_id = connection.scalar(sa.select(subscriber.c.id).where(_NAMED), named)
            goes_back = content is None or _read(content).stage in {Stage.BACKWARD, Stage.UNDONE}
            if user_id is None or (user_id == saga.subscriber_id and goes_back):
                connection.execute(_ADD, {**_row(again), "runner": "", "leased_s": 0})

    def stuck(self, before_s: int) -> list[Saga]:
        """As the port says."""
        wanted = sa.select(table.c.content).where(_LIVE, table.c.began_s < before_s).order_by(table.c.began_s)
        with self._database.read() as connection:
            return [_read(content) for content in connection.scalars(wanted)]


class PendingUsers:
    """What a saga does to its user; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, cloud_id: str, subscriber_id: int, now_s: int) -> None:
        """Forget a user who was never let in; of anybody else nothing changes."""
        with self._database.begin() as connection:
            who = {"of": cloud_id, "known": subscriber_id}
            if connection.execute(sa.delete(subscriber).where(_KNOWN, _PENDING), who).rowcount:
                sipwishes.of_user(decisions.by(connection), cloud_id, subscriber_id, now_s)

    def activate(self, cloud_id: str, subscriber_id: int, given: Mapping[str, str], now_s: int) -> None:
        """Let a pending user in, with further attributes; of anybody else nothing changes. Raises NotFound."""
        who = {"of": cloud_id, "known": subscriber_id}
        with self._database.begin() as connection:
            row = connection.execute(sa.select(subscriber).where(_KNOWN), who).mappings().first()
            if row is None:
                raise NotFound("The user who was to be let in is not there any more.")
            attributes = {**read_subscriber(row).attributes, **given}
            new = {
                "state": State.ACTIVE.value,
                "attributes": msgspec.json.encode(attributes).decode(),
                "revision": row["revision"] + 1,
                "changed_s": now_s,
                "modified_s": max(revisions.of_a_subscriber(connection, cloud_id, now_s), row["modified_s"] + 1),
            }
            if connection.execute(sa.update(subscriber).where(_KNOWN, _PENDING).values(new), who).rowcount:
                execute = decisions.by(connection)
                sipwishes.of_name(execute, cloud_id, row["username_key"], now_s, revised=bool(given))
                numbers.confirm(connection, cloud_id, subscriber_id, now_s)


def begin(connection: sa.Connection, saga: Saga) -> Saga:
    """Keep a new one within a transaction; returns the one that is not over of this user and install."""
    if connection.execute(_ADD, {**_row(saga), "runner": "", "leased_s": 0}).rowcount:
        connection.execute(_FORGET, {"before_s": saga.began_s - KEPT_S})
        return saga
    known = of_user(connection, saga.cloud_id, saga.subscriber_id, saga.install_id)
    assert known is not None, "an id is never used twice"
    return known


def take_back(connection: sa.Connection, gone: Subscriber, now_s: int) -> None:
    """Have the hooks of a user who is removed take back what they did, within the transaction that removes them.

    Where a saga of theirs is under way, that one finds them gone, and turns back.
    """
    tenant = tenants.find(connection, gone.cloud_id)
    if tenant is None or not tenant.hooks:
        return
    steps = tuple(map(CallHook, tenant.hooks))
    # No other user ever has this number, and the time tells those of a database that was restored apart.
    saga_id = f"gone-{gone.id}-{now_s}"
    made = Saga(saga_id, gone.cloud_id, gone.id, gone.username, steps, began_s=now_s, given=gone.attributes)
    begin(connection, moves.to_remove(made, saga_id, now_s))


def of_user(connection: sa.Connection, cloud_id: str, subscriber_id: int, install_id: str = "") -> Saga | None:
    """The one that is not over, within a transaction."""
    wanted = {"of": cloud_id, "user": subscriber_id, "install": install_id}
    content = connection.scalar(sa.select(table.c.content).where(_OF, _LIVE), wanted)
    return None if content is None else _read(content)


def _row(saga: Saga) -> dict[str, object]:
    return {
        "id": saga.id,
        "cloud_id": saga.cloud_id,
        "subscriber_id": saga.subscriber_id,
        "install_id": saga.install_id,
        "content": msgspec.json.encode(saga).decode(),
        "is_over": saga.is_over,
        "began_s": saga.began_s,
        "next_s": saga.next_s,
        "ended_s": saga.ended_s,
    }


def _read(content: str) -> Saga:
    return msgspec.json.decode(content, type=Saga)
