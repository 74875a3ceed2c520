"""The last good answers of upstreams in the database."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.provider.upstream import Vouched
from offhook.provider.vouchers import Voucher
from offhook.storage.database import Database
from offhook.storage.rows import ReadRow
from offhook.storage.tables import subscriber
from offhook.storage.tables import vouched as table


class VoucherStore:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, cloud_id: str, subscriber_id: int) -> Voucher | None:
        """As the port says."""
        wanted = sa.select(table).where(table.c.cloud_id == cloud_id, table.c.subscriber_id == subscriber_id)
        with self._database.read() as connection:
            row = connection.execute(wanted).mappings().first()
        return None if row is None else _read(row)

    def put(self, voucher: Voucher) -> None:
        """As the port says."""
        row = msgspec.structs.asdict(voucher)
        row["answer"] = msgspec.json.encode(voucher.answer).decode()
        new = insert(table).values(row)
        with self._database.begin() as connection:
            connection.execute(
                new.on_conflict_do_update(index_elements=[table.c.cloud_id, table.c.subscriber_id], set_=row)
            )

    def due(self, now_s: int, most: int) -> Sequence[tuple[Voucher, str]]:
        """As the port says."""
        theirs = (subscriber.c.cloud_id == table.c.cloud_id) & (subscriber.c.id == table.c.subscriber_id)
        wanted = (
            sa.select(table, subscriber.c.username)
            .select_from(table.outerjoin(subscriber, theirs))
            .where(table.c.next_s <= now_s)
            .order_by(table.c.next_s)
            .limit(most)
        )
        with self._database.read() as connection:
            rows = connection.execute(wanted).mappings().all()
        self._forget([row for row in rows if row["username"] is None])
        return [(_read(row), row["username"]) for row in rows if row["username"] is not None]

    def _forget(self, rows: Sequence[ReadRow]) -> None:
        if not rows:
            return
        with self._database.begin() as connection:
            for row in rows:
                theirs = (table.c.cloud_id == row["cloud_id"]) & (table.c.subscriber_id == row["subscriber_id"])
                connection.execute(sa.delete(table).where(theirs))


def _read(row: ReadRow) -> Voucher:
    return Voucher(
        cloud_id=row["cloud_id"],
        subscriber_id=row["subscriber_id"],
        upstream=row["upstream"],
        answer=msgspec.json.decode(row["answer"], type=Vouched),
        asked_s=row["asked_s"],
        next_s=row["next_s"],
        gone_s=row["gone_s"],
    )
