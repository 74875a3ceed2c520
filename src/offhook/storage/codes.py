"""The codes of those who sign up in the database, each as its keyed hash."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.provider.signup import DAY_S, TRIES, TRIES_IN_ALL, Sent, same
from offhook.storage.database import Database
from offhook.storage.tables import sign_up_code as table


class Codes:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, sent: Sent, now_s: int, a_day: int) -> int:
        """As the port says."""
        theirs = (table.c.cloud_id == sent.cloud_id) & (table.c.username_key == sent.username_key)
        over = (table.c.expires_s <= now_s) & ((table.c.day_s <= now_s - DAY_S) | (table.c.day_s > now_s))
        with self._database.begin() as connection:
            connection.execute(sa.delete(table).where(over))
            before = connection.execute(sa.select(table.c.day_s, table.c.in_day).where(theirs)).first()
            day_s, in_day = now_s, 0
            # A clock that was set back begins a day anew.
            if before is not None and 0 <= now_s - before.day_s < DAY_S:
                day_s, in_day = before.day_s, before.in_day
            if in_day >= a_day:
                return day_s + DAY_S - now_s
            row = {**msgspec.structs.asdict(sent), "tried": "{}", "used_by": "", "used_s": 0}
            row |= {"day_s": day_s, "in_day": in_day + 1}
            new = insert(table).values(row)
            connection.execute(
                new.on_conflict_do_update(index_elements=[table.c.cloud_id, table.c.username_key], set_=row)
            )
            return 0

    def spend(self, given: Sent, device: str, network: str, now_s: int) -> bool:
        """As the port says."""
        theirs = (table.c.cloud_id == given.cloud_id) & (table.c.username_key == given.username_key)
        with self._database.begin() as connection:
            row = connection.execute(sa.select(table).where(theirs, table.c.expires_s > now_s)).mappings().first()
            if row is None:
                return False
            tried = msgspec.json.decode(row["tried"], type=dict[str, int])
            if tried.get(network, 0) >= TRIES or sum(tried.values()) >= TRIES_IN_ALL:
                return False
            fits = same(row["code_hash"], given.code_hash) and row["used_by"] in {"", device}
            if not fits:
                tried[network] = tried.get(network, 0) + 1
                new = msgspec.json.encode(tried).decode()
                connection.execute(sa.update(table).where(theirs).values(tried=new))
            elif not row["used_by"]:
                connection.execute(sa.update(table).where(theirs).values(used_by=device, used_s=now_s))
            return fits
