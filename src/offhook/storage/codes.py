"""The codes of those who sign up in the database, each as its keyed hash."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.provider.signup import Sent, same
from offhook.storage.database import Database
from offhook.storage.tables import sign_up_code as table


class Codes:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, sent: Sent, now_s: int) -> None:
        """As the port says."""
        row = {**msgspec.structs.asdict(sent), "used_by": "", "used_s": 0}
        new = insert(table).values(row)
        with self._database.begin() as connection:
            connection.execute(sa.delete(table).where(table.c.expires_s <= now_s))
            connection.execute(
                new.on_conflict_do_update(index_elements=[table.c.cloud_id, table.c.username_key], set_=row)
            )

    def spend(self, cloud_id: str, username_key: str, code_hash: bytes, device: str, now_s: int) -> bool:
        """As the port says."""
        theirs = (table.c.cloud_id == cloud_id) & (table.c.username_key == username_key)
        good = (table.c.expires_s > now_s) & (table.c.tries > 0)
        with self._database.begin() as connection:
            row = connection.execute(sa.select(table).where(theirs, good)).mappings().first()
            if row is None:
                return False
            fits = same(row["code_hash"], code_hash) and row["used_by"] in {"", device}
            if not fits:
                connection.execute(sa.update(table).where(theirs).values(tries=table.c.tries - 1))
            elif not row["used_by"]:
                connection.execute(sa.update(table).where(theirs).values(used_by=device, used_s=now_s))
            return fits
