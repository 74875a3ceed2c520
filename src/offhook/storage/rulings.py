"""The device plane's view of policies: a version's text, and how many phones a user has."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from offhook.core.errors import Unavailable
from offhook.storage.database import Database, compiled
from offhook.storage.signin import OTHERS
from offhook.storage.tables import policy_version as table

_TEXT: Final = compiled(
    sa.select(table.c.text).where(
        table.c.cloud_id == sa.bindparam("of"), table.c.number == sa.bindparam("numbered", type_=sa.Integer)
    )
)


class RulingStore:
    """Reads in the event loop, as the others do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def policy(self, cloud_id: str, number: int) -> str:
        """As the port says."""
        rows = self._fetch(_TEXT, {"of": cloud_id, "numbered": number})
        if not rows:
            raise Unavailable(f"Policy {number} of {cloud_id} is missing. Restore the database from a backup.")
        return str(rows[0][0])

    def installs(self, cloud_id: str, subscriber_id: int, device: str) -> int:
        """As the port says."""
        return len(self._fetch(OTHERS, {"cloud_id": cloud_id, "subscriber_id": subscriber_id, "device": device}))

    def _fetch(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        try:
            return self._database.reader.execute(statement, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The database cannot be read ({error}).") from error
