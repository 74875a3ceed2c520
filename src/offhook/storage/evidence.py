"""What guards of rollouts know of phones, kept in the batches that keep who was seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.policy.clock import DAY_S
from offhook.provider.evidence import TurnedAway
from offhook.provider.ports import Sighting
from offhook.storage.database import compiled
from offhook.storage.rows import write_circumstances
from offhook.storage.tables import install
from offhook.storage.tables import turned_away as table

# No guard looks further back than its window, and none is longer.
KEPT_FOR_S: Final = 30 * DAY_S
_THIS: Final = install.c.id == sa.bindparam("known")
_ASKED: Final = compiled(
    sa.update(install)
    .where(_THIS)
    .values(
        # Of one question there may be two notes, in two batches.
        before_s=sa.case((install.c.asked_s < sa.bindparam("at_s"), install.c.asked_s), else_=install.c.before_s),
        asked_s=sa.bindparam("at_s"),
        interval_s=sa.func.coalesce(sa.bindparam("told_s"), install.c.interval_s),
    )
)
_LOGGED_OUT: Final = compiled(
    sa.update(install)
    .where(_THIS)
    .values({name: sa.literal_column("0") for name in ("asked_s", "before_s", "refused_s")})
)
_REFUSED: Final = compiled(sa.update(install).where(_THIS).values(refused_s=sa.bindparam("at_s")))
_NEW: Final = insert(table).values({column.name: sa.bindparam(column.name) for column in table.c})
_TURNED_AWAY: Final = compiled(
    _NEW.on_conflict_do_update(
        index_elements=[table.c.cloud_id, table.c.subscriber_id],
        set_={column.name: _NEW.excluded[column.name] for column in table.c if not column.primary_key},
    )
)
_FORGET: Final = compiled(sa.delete(table).where(table.c.at_s < sa.bindparam("before_s", type_=sa.Integer)))


def keep(connection: sqlite3.Connection, sightings: Sequence[Sighting]) -> None:
    """Who asked for the account and has it; of who was told to leave nobody expects to come back."""
    asked = [
        {"known": one.install_id, "at_s": one.seen_s, "told_s": one.interval_s}
        for one in sightings
        if one.asked and not one.told
    ]
    connection.executemany(_ASKED, asked)
    connection.executemany(_LOGGED_OUT, [{"known": one.install_id} for one in sightings if one.told])


def keep_refusals(
    connection: sqlite3.Connection, refused: Mapping[str, int], turned_away: Sequence[TurnedAway]
) -> None:
    """Who was refused; what is older than any guard looks back goes."""
    connection.executemany(_REFUSED, [{"known": known, "at_s": at_s} for known, at_s in refused.items()])
    rows = [
        {
            "cloud_id": one.cloud_id,
            "subscriber_id": one.subscriber_id,
            "at_s": one.at_s,
            "install_id": one.install_id,
            "circumstances": write_circumstances(one.circumstances),
        }
        for one in turned_away
    ]
    connection.executemany(_TURNED_AWAY, rows)
    if rows:
        connection.execute(_FORGET, {"before_s": max(one.at_s for one in turned_away) - KEPT_FOR_S})
