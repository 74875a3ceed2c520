"""The pools of numbers in the database: one row for each range, and one for each number of which something is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import Conflict, Invalid, NotFound, Unavailable
from offhook.provider.numbers import MAX_RANGES, Kept, Kind, Pool, Range, Stock, Use, Wanted
from offhook.storage.database import Database
from offhook.storage.rows import ReadRow
from offhook.storage.tables import number as table
from offhook.storage.tables import number_pool, number_range, subscriber

_KEPT: Final = sa.select(table, subscriber.c.username).select_from(
    table.outerjoin(
        subscriber, (subscriber.c.cloud_id == table.c.cloud_id) & (subscriber.c.id == table.c.subscriber_id)
    )
)
# What a number is when nobody has it.
NOBODY: Final = {"subscriber_id": 0, "username_key": "", "attribute": "", "key": ""}


class NumberStore:
    """Every method is one transaction. That nobody has a number twice, and no number two owners, its indexes say."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, pool: Pool, now_s: int) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            _put_pool(connection, pool)
            known = _ranges(connection, pool.cloud_id, pool.name)
            if len(known) + len(pool.ranges) > MAX_RANGES:
                raise Invalid.at("ranges", f"a pool has at most {MAX_RANGES:,} of them")
            for one in pool.ranges:
                _add_range(connection, pool, one)

    def stocks(self, cloud_id: str, now_s: int) -> list[Stock]:
        """As the port says."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(number_pool).where(number_pool.c.cloud_id == cloud_id)).mappings().all()
            return sorted(
                (_stock(connection, _pool(connection, row), now_s) for row in rows), key=lambda one: one.pool.name
            )

    def kept(self, cloud_id: str, pool: str = "", *, number: str = "") -> list[Kept]:
        """As the port says."""
        wanted = _KEPT.where(table.c.cloud_id == cloud_id).order_by(table.c.pool, table.c.number)
        if pool:
            wanted = wanted.where(table.c.pool == pool)
        if number:
            wanted = wanted.where(table.c.number == number)
        with self._database.read() as connection:
            return [_read(row) for row in connection.execute(wanted).mappings()]

    def pool_of(self, cloud_id: str, number: str) -> Pool:
        """As the port says."""
        with self._database.read() as connection:
            return _pool_of(connection, cloud_id, number)

    def take(self, wanted: Wanted, key: str, now_s: int) -> str:
        """As the port says."""
        with self._database.begin() as connection:
            pool = _find_pool(connection, wanted.cloud_id, wanted.pool)
            return _theirs(connection, wanted, key) or _taken(connection, pool, wanted, key, now_s)

    def confirm(self, cloud_id: str, subscriber_id: int, now_s: int) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            confirm(connection, cloud_id, subscriber_id, now_s)

    def give_back(self, cloud_id: str, subscriber_id: int, attribute: str, now_s: int) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            give_back(connection, cloud_id, subscriber_id, now_s, attribute)

    def assign(self, wanted: Wanted, number: str, now_s: int) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            pool = _pool_of(connection, wanted.cloud_id, number)
            used = Use.ASSIGNED if wanted.subscriber_id else Use.PINNED
            known = _row(connection, pool, number)
            if known is not None and not _may_have(known, wanted):
                raise Conflict(f"{number} is {known['used']} already. `offhook numbers release` takes it back first.")
            if wanted.subscriber_id and (other := _theirs(connection, wanted, "")) and other != number:
                raise Conflict(f"This user has {other} as their {wanted.attribute} already: release that one first.")
            _set(connection, pool, number, used, wanted=wanted, now_s=now_s)

    def release(self, cloud_id: str, number: str, now_s: int, *, at_once: bool = False) -> Kept:
        """As the port says."""
        with self._database.begin() as connection:
            pool = _pool_of(connection, cloud_id, number)
            of_number = _number(pool, number)
            row = connection.execute(_KEPT.where(of_number)).mappings().first()
            if row is None:
                raise NotFound(f"{number} is free: there is nobody to release it from.")
            was = _read(row)
            rests = was.use in {Use.ASSIGNED, Use.RESERVED} and not at_once
            until_s = now_s + pool.quarantine_s if rests else max(was.until_s if not at_once else 0, now_s)
            values = {**NOBODY, "used": Use.RELEASED.value, "since_s": now_s, "until_s": until_s}
            connection.execute(sa.update(table).where(of_number).values(values))
            return was

    def exclude(self, cloud_id: str, number: str, now_s: int) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            pool = _pool_of(connection, cloud_id, number)
            known = _row(connection, pool, number)
            if known is not None and Use(known["used"]) not in {Use.RELEASED, Use.EXCLUDED}:
                raise Conflict(f"{number} is {known['used']}. `offhook numbers release` takes it back first.")
            nobody = Wanted(cloud_id, pool.name, 0, "", "")
            _set(connection, pool, number, Use.EXCLUDED, wanted=nobody, now_s=now_s)

    def astray(self, cloud_id: str) -> list[Kept]:
        """Those whose user is not there any more: a change behind our back, since whoever removes one gives it back."""
        wanted = _KEPT.where(table.c.cloud_id == cloud_id, table.c.subscriber_id != 0, subscriber.c.id.is_(None))
        with self._database.read() as connection:
            return [_read(row) for row in connection.execute(wanted).mappings()]


def confirm(connection: sa.Connection, cloud_id: str, subscriber_id: int, now_s: int) -> None:
    """What is reserved for a user is theirs, within a transaction."""
    theirs = (table.c.cloud_id == cloud_id) & (table.c.subscriber_id == subscriber_id)
    connection.execute(
        sa.update(table)
        .where(theirs, table.c.used == Use.RESERVED.value)
        .values(used=Use.ASSIGNED.value, since_s=now_s)
    )


def give_back(
    connection: sa.Connection, cloud_id: str, subscriber_id: int, now_s: int, attribute: str | None = None
) -> None:
    """The numbers of a user, or the one of that attribute, rest or are free, within a transaction."""
    theirs = (table.c.cloud_id == cloud_id) & (table.c.subscriber_id == subscriber_id)
    if attribute is not None:
        theirs &= table.c.attribute == attribute
    quarantine = (
        sa.select(number_pool.c.quarantine_s)
        .where(number_pool.c.cloud_id == table.c.cloud_id, number_pool.c.name == table.c.pool)
        .scalar_subquery()
    )
    # Nobody was told of one that was only reserved.
    until_s = sa.case((table.c.used == Use.RESERVED.value, now_s), else_=now_s + sa.func.coalesce(quarantine, 0))
    released = {**NOBODY, "used": Use.RELEASED.value, "since_s": now_s, "until_s": until_s}
    connection.execute(sa.update(table).where(theirs).values(released))


def _theirs(connection: sa.Connection, wanted: Wanted, key: str) -> str | None:
    """The number that this user, or this operation, has already."""
    theirs = (
        (table.c.cloud_id == wanted.cloud_id)
        & (table.c.subscriber_id == wanted.subscriber_id)
        & (table.c.attribute == wanted.attribute)
        & (table.c.subscriber_id != 0)
    )
    same_key = (table.c.key == key) & (table.c.key != "")
    return connection.scalar(sa.select(table.c.number).where(theirs | same_key))


def _taken(connection: sa.Connection, pool: Pool, wanted: Wanted, key: str, now_s: int) -> str:
    """The number pinned for them, else one that was never given, else the one that has rested longest."""
    pinned = connection.scalar(
        sa.select(table.c.number).where(
            *_in(pool), table.c.used == Use.PINNED.value, table.c.username_key == wanted.username_key
        )
    )
    found = pinned or _never_given(connection, pool) or _rested(connection, pool, now_s)
    if found is None:
        raise Unavailable(f"No number of the pool {pool.name} of {pool.cloud_id} is free: add a range to it.", 300)
    _set(connection, pool, found, Use.RESERVED, wanted=wanted, now_s=now_s, key=key)
    return found


def _never_given(connection: sa.Connection, pool: Pool) -> str | None:
    ranges = (
        sa.select(number_range)
        .where(number_range.c.cloud_id == pool.cloud_id, number_range.c.pool == pool.name)
        .where(number_range.c.coming <= number_range.c.last)
        .order_by(number_range.c.id)
    )
    for row in connection.execute(ranges).mappings().all():
        one = _range(row, pool.kind)
        for value in range(row["coming"], row["last"] + 1):
            if connection.scalar(sa.select(table.c.used).where(_number(pool, one.number(value)))) is None:
                _go_on(connection, row["id"], value + 1)
                return one.number(value)
        _go_on(connection, row["id"], row["last"] + 1)
    return None


def _go_on(connection: sa.Connection, range_id: int, coming: int) -> None:
    connection.execute(sa.update(number_range).where(number_range.c.id == range_id).values(coming=coming))


def _rested(connection: sa.Connection, pool: Pool, now_s: int) -> str | None:
    rested = (
        sa.select(table.c.number)
        .where(*_in(pool), table.c.used == Use.RELEASED.value, table.c.until_s <= now_s)
        .order_by(table.c.until_s, table.c.number)
        .limit(1)
    )
    return connection.scalar(rested)


def _set(
    connection: sa.Connection, pool: Pool, number: str, used: Use, *, wanted: Wanted, now_s: int, key: str = ""
) -> None:
    row = {
        "cloud_id": pool.cloud_id,
        "pool": pool.name,
        "used": used.value,
        "subscriber_id": wanted.subscriber_id,
        "username_key": wanted.username_key if used is Use.PINNED else "",
        "attribute": wanted.attribute,
        "key": key,
        "since_s": now_s,
        "until_s": 0,
    }
    new = insert(table).values(scope=_scope(pool.kind, pool.cloud_id), number=number, **row)
    connection.execute(new.on_conflict_do_update(index_elements=[table.c.scope, table.c.number], set_=row))


def _may_have(known: ReadRow, wanted: Wanted) -> bool:
    """Whoever says which number it is may take one that rests, too: they know whose it was."""
    if known["used"] == Use.RELEASED.value:
        return True
    if known["used"] == Use.PINNED.value:
        return bool(known["username_key"] == wanted.username_key)
    return wanted.subscriber_id != 0 and bool(known["subscriber_id"] == wanted.subscriber_id)


def _put_pool(connection: sa.Connection, pool: Pool) -> None:
    kind = connection.scalar(
        sa.select(number_pool.c.kind).where(number_pool.c.cloud_id == pool.cloud_id, number_pool.c.name == pool.name)
    )
    if kind is not None and kind != pool.kind.value:
        raise Conflict(f"The pool {pool.name} has numbers of the kind {kind}; give the others a pool of their own.")
    new = insert(number_pool).values(
        cloud_id=pool.cloud_id, name=pool.name, kind=pool.kind.value, quarantine_s=pool.quarantine_s
    )
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[number_pool.c.cloud_id, number_pool.c.name], set_={"quarantine_s": pool.quarantine_s}
        )
    )


def _add_range(connection: sa.Connection, pool: Pool, one: Range) -> None:
    scope = _scope(one.kind, pool.cloud_id)
    other = connection.execute(
        sa.select(number_range.c.cloud_id, number_range.c.pool).where(
            number_range.c.scope == scope,
            number_range.c.digits == one.digits,
            number_range.c.first <= one.last,
            number_range.c.last >= one.first,
        )
    ).first()
    if other is not None:
        raise Conflict(f"Numbers of {one} are in the pool {other[1]} of {other[0]} already; nobody may get one twice.")
    row = {"scope": scope, "cloud_id": pool.cloud_id, "pool": pool.name, "digits": one.digits}
    connection.execute(sa.insert(number_range).values(first=one.first, last=one.last, coming=one.first, **row))


def _pool_of(connection: sa.Connection, cloud_id: str, number: str) -> Pool:
    one = Range.parse(number)
    name = connection.scalar(
        sa.select(number_range.c.pool).where(
            number_range.c.scope == _scope(one.kind, cloud_id),
            number_range.c.cloud_id == cloud_id,
            number_range.c.digits == one.digits,
            number_range.c.first <= one.first,
            number_range.c.last >= one.first,
        )
    )
    if name is None:
        raise NotFound(f"{number} is in no pool of {cloud_id}.")
    return _find_pool(connection, cloud_id, name)


def _find_pool(connection: sa.Connection, cloud_id: str, name: str) -> Pool:
    of_name = (number_pool.c.cloud_id == cloud_id) & (number_pool.c.name == name)
    row = connection.execute(sa.select(number_pool).where(of_name)).mappings().first()
    if row is None:
        raise NotFound(f"{cloud_id} has no pool {name}; `offhook numbers add` makes it.")
    return _pool(connection, row)


def _pool(connection: sa.Connection, row: ReadRow) -> Pool:
    kind = Kind(row["kind"])
    ranges = tuple(_range(one, kind) for one in _ranges(connection, row["cloud_id"], row["name"]))
    return Pool(row["cloud_id"], row["name"], kind, row["quarantine_s"], ranges)


def _ranges(connection: sa.Connection, cloud_id: str, pool: str) -> Sequence[ReadRow]:
    wanted = sa.select(number_range).where(number_range.c.cloud_id == cloud_id, number_range.c.pool == pool)
    return connection.execute(wanted.order_by(number_range.c.id)).mappings().all()


def _range(row: ReadRow, kind: Kind) -> Range:
    return Range(kind, row["first"], row["last"], row["digits"])


def _stock(connection: sa.Connection, pool: Pool, now_s: int) -> Stock:
    rests = (table.c.used == Use.RELEASED.value) & (table.c.until_s > now_s)
    used = sa.case((rests, "quarantined"), else_=table.c.used)
    counted = sa.select(used, sa.func.count()).where(*_in(pool)).group_by(used)
    counts: dict[str, int] = {name: count for name, count in connection.execute(counted).all()}  # noqa: C416 - a row is no pair to a type checker
    rested = counts.pop(Use.RELEASED.value, 0)
    known = sum(counts.values()) + rested
    return Stock(pool, len(pool) - known + rested, **counts)


def _row(connection: sa.Connection, pool: Pool, number: str) -> ReadRow | None:
    return connection.execute(sa.select(table).where(_number(pool, number))).mappings().first()


def _number(pool: Pool, number: str) -> sa.ColumnElement[bool]:
    return (table.c.scope == _scope(pool.kind, pool.cloud_id)) & (table.c.number == number)


def _in(pool: Pool) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.cloud_id == pool.cloud_id, table.c.pool == pool.name)


def _scope(kind: Kind, cloud_id: str) -> str:
    return "" if kind is Kind.E164 else cloud_id


def _read(row: ReadRow) -> Kept:
    return Kept(
        cloud_id=row["cloud_id"],
        pool=row["pool"],
        number=row["number"],
        use=Use(row["used"]),
        subscriber_id=row["subscriber_id"],
        username=row["username"] or row["username_key"],
        attribute=row["attribute"],
        since_s=row["since_s"],
        until_s=row["until_s"],
    )
