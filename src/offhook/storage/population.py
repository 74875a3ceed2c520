"""The users in the database with their phones, page by page, for whoever counts them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from offhook.provider.evidence import Met
from offhook.provider.population import Member, Phone
from offhook.storage.database import Database
from offhook.storage.rows import read_circumstances, read_subscriber
from offhook.storage.tables import install
from offhook.storage.tables import subscriber as table

PAGE: Final = 500
_PAGE: Final = (
    sa.select(table)
    .where(table.c.cloud_id == sa.bindparam("of"), table.c.username_key > sa.bindparam("after"))
    .order_by(table.c.username_key)
    .limit(PAGE)
)
_PHONES: Final = (
    sa.select(*(install.c[name] for name in ("subscriber_id", "id", "device", "circumstances", *Met.__struct_fields__)))
    .where(
        install.c.cloud_id == sa.bindparam("of"),
        install.c.subscriber_id.in_(sa.bindparam("known", expanding=True)),
        install.c.state == "active",
    )
    .order_by(install.c.created_s, install.c.id)
)
_COUNT: Final = sa.select(sa.func.count()).select_from(table).where(table.c.cloud_id == sa.bindparam("of"))


class PopulationStore:
    """Administration's view of users together with their phones; a page is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all_of(self, cloud_id: str) -> Iterator[Member]:
        """As the port says."""
        after = ""
        while True:
            with self._database.read() as connection:
                rows = connection.execute(_PAGE, {"of": cloud_id, "after": after}).mappings().all()
                phones = _phones(connection, cloud_id, [row["id"] for row in rows])
            for row in rows:
                yield read_subscriber(row), phones.get(row["id"], ())
            if len(rows) < PAGE:
                return
            after = rows[-1]["username_key"]

    def count(self, cloud_id: str) -> int:
        """As the port says."""
        with self._database.read() as connection:
            return connection.scalar(_COUNT, {"of": cloud_id}) or 0


def _phones(connection: sa.Connection, cloud_id: str, known: list[int]) -> dict[int, list[Phone]]:
    """The active installs of some users, the first one first."""
    found: dict[int, list[Phone]] = {}
    for user, identity, device, told, *met in connection.execute(_PHONES, {"of": cloud_id, "known": known}):
        found.setdefault(user, []).append(Phone(identity, device, read_circumstances(told), Met(*met)))
    return found
