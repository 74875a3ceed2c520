"""The policies in the database: their versions, and which one phones are answered by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import NotFound
from offhook.provider.policyversion import PolicyVersion, State
from offhook.provider.ports import Clock
from offhook.storage import tenants
from offhook.storage.database import Database
from offhook.storage.tables import app_version
from offhook.storage.tables import policy_version as table

_OF: Final = table.c.cloud_id == sa.bindparam("of")
_STANDING: Final = sa.select(table).where(_OF, table.c.state == sa.bindparam("standing"))
_NUMBERED: Final = sa.select(table).where(_OF, table.c.number == sa.bindparam("numbered"))
_ALL: Final = sa.select(table).where(_OF).order_by(table.c.number.desc())
# Of the app as well, so that of one Cloud ID only what was published together has the same moment.
_OTHERS_S: Final = sa.select(sa.func.coalesce(sa.func.max(app_version.c.changed_s), 0)).where(
    app_version.c.cloud_id == sa.bindparam("of")
)
_LATEST: Final = sa.select(
    sa.func.coalesce(sa.func.max(table.c.number), 0),
    sa.func.max(sa.func.coalesce(sa.func.max(table.c.changed_s), 0), _OTHERS_S.scalar_subquery()),
).where(_OF)
_NEW: Final = insert(table)
_PUT: Final = _NEW.on_conflict_do_update(
    index_elements=[table.c.cloud_id, table.c.number],
    set_={column.name: _NEW.excluded[column.name] for column in table.c if not column.primary_key},
)


class PolicyTransaction:
    """The policies of all Cloud IDs within one transaction."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection, self._clock = connection, clock

    def standing(self, cloud_id: str, state: State) -> PolicyVersion | None:
        """As the port says."""
        return self._one(_STANDING, {"of": cloud_id, "standing": state.value})

    def numbered(self, cloud_id: str, number: int) -> PolicyVersion | None:
        """As the port says."""
        return self._one(_NUMBERED, {"of": cloud_id, "numbered": number})

    def latest(self, cloud_id: str) -> tuple[int, int]:
        """As the port says."""
        number, changed_s = self._connection.execute(_LATEST, {"of": cloud_id}).one()
        return int(number), int(changed_s)

    def newest_first(self, cloud_id: str) -> Iterator[PolicyVersion]:
        """As the port says."""
        return map(_read, self._connection.execute(_ALL, {"of": cloud_id}).mappings())

    def put(self, version: PolicyVersion) -> None:
        """As the port says."""
        self._connection.execute(_PUT, msgspec.structs.asdict(version) | {"state": version.state.value})

    def serve(self, cloud_id: str, number: int) -> None:
        """As the port says."""
        tenant = tenants.find(self._connection, cloud_id)
        if tenant is None:
            raise NotFound(f"There is no Cloud ID {cloud_id} here any more.")
        tenants.put(self._connection, tenant, self._clock.now_s(), number)

    def _one(self, statement: sa.Select[Any], parameters: Mapping[str, Any]) -> PolicyVersion | None:
        row = self._connection.execute(statement, parameters).mappings().first()
        return None if row is None else _read(row)


class PolicyStore:
    """Administration's view of policies."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    @contextmanager
    def begin(self) -> Iterator[PolicyTransaction]:
        """As the port says."""
        with self._database.begin() as connection:
            yield PolicyTransaction(connection, self._clock)

    @contextmanager
    def read(self) -> Iterator[PolicyTransaction]:
        """As the port says."""
        with self._database.read() as connection:
            yield PolicyTransaction(connection, self._clock)


def _read(row: sa.RowMapping) -> PolicyVersion:
    return PolicyVersion(**{**row, "state": State(row["state"])})
