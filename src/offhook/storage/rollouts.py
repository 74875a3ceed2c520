"""What the guards of rollouts found, and who was turned away, in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.provider.evidence import TurnedAway
from offhook.provider.rollouts import Report, Round
from offhook.storage.database import Database
from offhook.storage.rows import read_circumstances
from offhook.storage.tables import rollout_round as table
from offhook.storage.tables import turned_away

_REPORTS: Final = msgspec.json.Decoder(tuple[Report, ...])
_LATEST: Final = sa.select(table.c.at_s, table.c.reports).where(table.c.cloud_id == sa.bindparam("of"))
_NEW: Final = insert(table)
_PUT: Final = _NEW.on_conflict_do_update(
    index_elements=[table.c.cloud_id], set_={name: _NEW.excluded[name] for name in ("at_s", "reports")}
)
_TURNED_AWAY: Final = sa.select(turned_away).where(
    turned_away.c.cloud_id == sa.bindparam("of"),
    turned_away.c.subscriber_id.in_(sa.bindparam("known", expanding=True)),
    turned_away.c.at_s >= sa.bindparam("since_s"),
)


class RoundStore:
    """As the port says; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, cloud_id: str, now_s: int, every_s: int) -> Round | None:
        """As the port says."""
        known = self.latest(cloud_id)
        if known is not None and _is_recent(known, now_s, every_s):
            return None
        with self._database.begin() as connection:
            known = _latest(connection, cloud_id)
            if known is not None and _is_recent(known, now_s, every_s):
                return None
            known = known or Round(now_s)
            _put(connection, cloud_id, Round(now_s, known.reports))
        return known

    def keep(self, cloud_id: str, found: Round) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            _put(connection, cloud_id, found)

    def latest(self, cloud_id: str) -> Round | None:
        """As the port says."""
        with self._database.read() as connection:
            return _latest(connection, cloud_id)

    def turned_away(self, cloud_id: str, users: Sequence[int], since_s: int) -> Mapping[int, TurnedAway]:
        """As the port says."""
        wanted = {"of": cloud_id, "known": list(users), "since_s": since_s}
        with self._database.read() as connection:
            rows = connection.execute(_TURNED_AWAY, wanted).mappings().all()
        return {
            row["subscriber_id"]: TurnedAway(**{**row, "circumstances": read_circumstances(row["circumstances"])})
            for row in rows
        }


def _is_recent(known: Round, now_s: int, every_s: int) -> bool:
    """A round in the future was begun by a clock that ran ahead; it holds nobody up for longer than any other."""
    return abs(now_s - known.at_s) < every_s


def _latest(connection: sa.Connection, cloud_id: str) -> Round | None:
    row = connection.execute(_LATEST, {"of": cloud_id}).first()
    return None if row is None else Round(row.at_s, _REPORTS.decode(row.reports))


def _put(connection: sa.Connection, cloud_id: str, found: Round) -> None:
    reports = msgspec.json.encode(found.reports).decode()
    connection.execute(_PUT, {"cloud_id": cloud_id, "at_s": found.at_s, "reports": reports})
