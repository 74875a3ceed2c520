"""The apps in the database: their versions for administration, and what the portal's answers are made from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import Unavailable
from offhook.portal.app import App
from offhook.portal.versions import Stamp, State, Version
from offhook.storage.database import Database, compiled, done
from offhook.storage.tables import app_version as table
from offhook.storage.tables import policy_version
from offhook.storage.tables import served_part as served

_APP: Final = msgspec.json.Decoder(App)

# Parameters must not be called like columns that a statement sets.
_OF: Final = table.c.cloud_id == sa.bindparam("of")
_STANDING: Final = sa.select(table).where(_OF, table.c.state == sa.bindparam("standing"))
_NUMBERED: Final = sa.select(table).where(_OF, table.c.number == sa.bindparam("numbered"))
_NEWEST: Final = sa.select(table).where(_OF).order_by(table.c.number.desc()).limit(sa.bindparam("most"))
# Of the policy as well, so that of one Cloud ID only what was published together has the same moment.
_OTHERS_S: Final = sa.select(sa.func.coalesce(sa.func.max(policy_version.c.changed_s), 0)).where(
    policy_version.c.cloud_id == sa.bindparam("of")
)
_LATEST: Final = sa.select(
    sa.func.max(table.c.number), sa.func.max(sa.func.max(table.c.changed_s), _OTHERS_S.scalar_subquery())
).where(_OF)
_EVERYWHERE: Final = (
    sa.select(table).where(table.c.state != State.PAST.value).order_by(table.c.cloud_id, table.c.number)
)
_STAMP: Final = sa.select(table.c.number, table.c.changed_s).where(_OF, table.c.state == sa.bindparam("standing"))
_SERVED_AS: Final = (
    (served.c.cloud_id == sa.bindparam("of"))
    & (served.c.state == sa.bindparam("standing"))
    & (served.c.part == sa.bindparam("asked"))
)
_MOMENT: Final = sa.select(served.c.digest, served.c.moment_s).where(_SERVED_AS)
_STAMPED: Final = _STAMP.add_columns(sa.select(served.c.moment_s).where(_SERVED_AS).scalar_subquery())
_REDATE: Final = sa.update(served).values(moment_s=sa.func.max(sa.bindparam("now_s"), served.c.moment_s + 1))


def _upsert(into: sa.Table) -> sa.Insert:
    new = insert(into)
    keys = [column for column in into.c if column.primary_key]
    return new.on_conflict_do_update(
        index_elements=keys, set_={column.name: new.excluded[column.name] for column in into.c if column not in keys}
    )


_PUT: Final = _upsert(table)
_SERVE: Final = _upsert(served)


class AppTransaction:
    """The versions of all apps within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def standing(self, cloud_id: str, state: State) -> Version | None:
        """The Live or the Editable of an app, or None."""
        return self._one(_STANDING, {"of": cloud_id, "standing": state.value})

    def numbered(self, cloud_id: str, number: int) -> Version | None:
        """A version by its number, or None."""
        return self._one(_NUMBERED, {"of": cloud_id, "numbered": number})

    def latest(self, cloud_id: str) -> Stamp | None:
        """The highest number of an app and the latest moment of any change of it or its policy; None without an app."""
        number, changed_s = self._connection.execute(_LATEST, {"of": cloud_id}).one()
        return None if number is None else Stamp(number, changed_s)

    def newest(self, cloud_id: str, limit: int) -> list[Version]:
        """The newest versions of an app, the newest first; none for an app that does not exist."""
        return self._all(_NEWEST, {"of": cloud_id, "most": limit})

    def everywhere(self) -> list[Version]:
        """The Live and the Editable of every app, by Cloud ID."""
        return self._all(_EVERYWHERE, {})

    def put(self, version: Version) -> None:
        """Keep a version, new or changed, under its Cloud ID and number."""
        self._connection.execute(_PUT, _write(version))

    def redate(self, now_s: int) -> int:
        """Give every part that phones were ever served a later moment than it had; returns how many there are."""
        return self._connection.execute(_REDATE, {"now_s": now_s}).rowcount

    def _one(self, statement: sa.Select[Any], parameters: Mapping[str, Any]) -> Version | None:
        row = self._connection.execute(statement, parameters).mappings().first()
        return _read(row) if row else None

    def _all(self, statement: sa.Select[Any], parameters: Mapping[str, Any]) -> list[Version]:
        return [_read(row) for row in self._connection.execute(statement, parameters).mappings()]


class AppStore:
    """Administration's view of the apps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def begin(self) -> Iterator[AppTransaction]:
        """One transaction: all of it happens, or nothing. Raises Unavailable."""
        with self._database.begin() as connection:
            yield AppTransaction(connection)

    @contextmanager
    def read(self) -> Iterator[AppTransaction]:
        """One transaction that only looks, and waits for nobody who writes. Raises Unavailable."""
        with self._database.read() as connection:
            yield AppTransaction(connection)


class PublishedStore:
    """The device plane's view of the versions: reads in the event loop, a write only when an answer has changed."""

    _STAMP_TEXT: Final = compiled(_STAMP)
    _STAMPED_TEXT: Final = compiled(_STAMPED)
    _READ_TEXT: Final = compiled(_STANDING)
    _MOMENT_TEXT: Final = compiled(_MOMENT)
    _SERVE_TEXT: Final = compiled(_SERVE)

    def __init__(self, database: Database) -> None:
        self._database = database

    def pulse(self) -> int:
        """Another number than last time whenever another connection, of any process, has written."""
        (number,) = self._fetch("PRAGMA data_version", {}) or (0,)
        return int(number)

    def stamp(self, cloud_id: str, state: State) -> Stamp | None:
        """The stamp of the Live or Editable of an app, or None when there is none."""
        row = self._fetch(self._STAMP_TEXT, {"of": cloud_id, "standing": state.value})
        return Stamp(*row) if row else None

    def served(self, cloud_id: str, state: State, part: str) -> tuple[Stamp, int] | None:
        """The stamp and the moment of a part, 0 before it was served; None when there is no such version."""
        row = self._fetch(self._STAMPED_TEXT, {"of": cloud_id, "standing": state.value, "asked": part})
        return (Stamp(*row[:2]), int(row[2] or 0)) if row else None

    def read(self, cloud_id: str, state: State) -> Version | None:
        """The Live or Editable itself, or None when there is none."""
        row = self._fetch(self._READ_TEXT, {"of": cloud_id, "standing": state.value})
        return _read(dict(zip(table.c.keys(), row, strict=True))) if row else None

    async def moment(self, cloud_id: str, state: State, part: str, digest: str, now_s: int) -> int:
        """When the content of this digest was first served as this part, later than any content before; durable."""
        address = {"of": cloud_id, "standing": state.value, "asked": part}
        known = self._fetch(self._MOMENT_TEXT, address)
        if known and known[0] == digest:
            return int(known[1])

        def settle(connection: sqlite3.Connection) -> int:
            # Another process may have been quicker, with the same content or with other.
            former, moment_s = connection.execute(self._MOMENT_TEXT, address).fetchone() or ("", 0)
            if former == digest:
                return int(moment_s)
            later_s = max(now_s, moment_s + 1)
            row = {"cloud_id": cloud_id, "state": state.value, "part": part, "digest": digest, "moment_s": later_s}
            connection.execute(self._SERVE_TEXT, row)
            return later_s

        return await done(self._database.write(settle))

    def _fetch(self, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._database.reader.execute(statement, parameters).fetchone()
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The database cannot be read ({error}).") from error
        return row


def _write(version: Version) -> dict[str, Any]:
    return {
        "cloud_id": version.cloud_id,
        "number": version.number,
        "state": version.state.value,
        "app": msgspec.json.encode(version.app).decode(),
        "theme": version.theme,
        "author": version.author,
        "note": version.note,
        "created_s": version.created_s,
        "changed_s": version.changed_s,
        "published_s": version.published_s,
    }


def _read(row: Mapping[Any, Any]) -> Version:
    return Version(
        cloud_id=row["cloud_id"],
        number=row["number"],
        state=State(row["state"]),
        app=_APP.decode(row["app"]),
        theme=row["theme"],
        author=row["author"],
        note=row["note"],
        created_s=row["created_s"],
        changed_s=row["changed_s"],
        published_s=row["published_s"],
    )
