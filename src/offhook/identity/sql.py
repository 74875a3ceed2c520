"""A database as an upstream: a query of the operator's finds the user, and the hash or the database says yes or no."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa

from offhook.core.errors import OffhookError, Unavailable
from offhook.core.secret import Secret
from offhook.identity import hashes
from offhook.identity.asking import MAX_GROUPS, Told, Untold, kept, may_be, named, silent
from offhook.identity.settings import Sql as Settings
from offhook.provider.upstream import Vouched

DOWN: Final = "Your provider's user database does not answer. Please try again later."
NOBODY: Final = "offhook-asks-for-nobody"
# How many steps of its machine SQLite takes before it looks at the clock.
_STEPS: Final = 10_000
Row = Mapping[str, Any]


class Sql:
    """The port over a database, which is only read. Values are parameters: nothing that was typed becomes SQL."""

    def __init__(self, settings: Settings, told: Told = silent) -> None:
        self._settings, self._told = settings, told
        self._engine = _engine(settings)
        self._query = sa.text(settings.query)
        self._look_up = sa.text(settings.look_up or settings.query)
        self._groups = sa.text(settings.groups) if settings.groups else None
        # Checked for whoever is not there, so that it takes as long as for somebody: the last one that was.
        self._nobodys = hashes.NOBODYS

    def vouch(self, username: str, password: Secret) -> Vouched | None:
        """One query, and one for the groups."""
        typed = password.reveal()
        if not may_be(username, typed):
            return None
        itself = self._settings.checks_itself
        given = {"username": username, "password": typed} if itself else {"username": username}
        with self._reading() as connection:
            row = self._row(connection, self._query, given)
            found = None if row is None else self._vouched(connection, row)
        if itself:
            # A query may also give one row with yes or no in its first column.
            return None if row is None or next(iter(row.values()), None) in {False, None} else found
        fits = self._fits(row, typed)
        return found if fits else None

    def look_up(self, username: str) -> Vouched | None:
        """The same query, or that of `look_up`."""
        if self._settings.checks_itself and not self._settings.look_up:
            raise Untold("This database tells nothing without the password: there is no look_up.")
        if not may_be(username):
            return None
        with self._reading() as connection:
            row = self._row(connection, self._look_up, {"username": username})
            return None if row is None else self._vouched(connection, row)

    def faults(self) -> tuple[str, ...]:
        """Whether the queries can be asked, for somebody whom nobody can be, and have the columns that are named."""
        given = {"username": NOBODY} | ({"password": NOBODY} if self._settings.checks_itself else {})
        try:
            with self._reading() as connection:
                return tuple(self._missing(connection, given))
        except OffhookError as error:
            return (error.text,)

    def close(self) -> None:
        """Let go of its connections."""
        self._engine.dispose()

    def _missing(self, connection: sa.Connection, given: Mapping[str, str]) -> Iterator[str]:
        settings = self._settings
        wanted = {settings.username, *settings.attributes.values()}
        needed = {"query": wanted if settings.checks_itself else {*wanted, settings.password}}
        if settings.look_up:
            needed["look_up"] = wanted
        for name, columns in needed.items():
            asked = self._look_up if name == "look_up" else self._query
            found = connection.execute(asked, given if name == "query" else {"username": NOBODY})
            for column in sorted(columns - set(found.keys())):
                yield f"{name} gives no column {column!r}: it gives {', '.join(found.keys())}."
        if self._groups is not None:
            connection.execute(self._groups, {"username": NOBODY})

    def _row(self, connection: sa.Connection, query: sa.TextClause, given: Mapping[str, str]) -> Row | None:
        rows = connection.execute(query, given).mappings().fetchmany(2)
        self._told(f"  the query for {given['username']!r} gives {len(rows) if len(rows) < 2 else 'several'} row(s)")
        if len(rows) > 1:
            raise Untold("Several users of your provider's database go by this name.")
        return dict(rows[0]) if rows else None

    def _fits(self, row: Row | None, typed: str) -> bool:
        if row is not None and self._settings.password not in row:
            self._told(f"  the query gives no column {self._settings.password}")
            raise Unavailable(DOWN)
        stored = None if row is None else row[self._settings.password]
        if isinstance(stored, memoryview | bytes):
            stored = bytes(stored).decode(errors="replace")
        if not isinstance(stored, str) or not stored:
            if row is not None:
                self._told(f"  there is no hash in the column {self._settings.password}")
            hashes.fits(typed, self._nobodys)
            return False
        try:
            fits = hashes.fits(typed, stored)
        except hashes.Unknown:
            self._told(f"  what is in the column {self._settings.password} is no hash that is checked here")
            raise Untold(
                "Your password is kept in a way that cannot be checked. Please contact your provider."
            ) from None
        self._told(f"  the password {'fits' if fits else 'does not fit'} the hash")
        self._nobodys = stored
        return fits

    def _vouched(self, connection: sa.Connection, row: Row) -> Vouched:
        settings = self._settings
        username = _text(row.get(settings.username))
        if not username:
            self._told(f"  there is nothing in the column {settings.username}, which is to be the name")
            raise Untold("The database tells no name of this user.")
        found = {column: _text(row.get(column)) for column in settings.attributes.values()}
        groups: Sequence[Any] = ()
        if self._groups is not None:
            rows = connection.execute(self._groups, {"username": username})
            groups = rows.scalars().fetchmany(MAX_GROUPS + 1)
            self._told(f"  the query for groups gives {len(groups)}")
        names = [text for text in map(_text, groups) if text]
        return Vouched(username, named(found, settings.attributes), kept(names, settings.groups_like))

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection, _ending(connection, self._settings.timeout_s):
                yield connection
        except sa.exc.DataError:
            # What was typed is nothing that this database can compare: then it has nobody of that name either.
            self._told("  the database does not take these values")
            raise Untold("Nobody can be found by this name.") from None
        except (sa.exc.SQLAlchemyError, UnicodeError) as error:
            self._told(f"{self._settings}: {_reason(error)}")
            raise Unavailable(DOWN) from None


def _engine(settings: Settings) -> sa.Engine:
    url, timeout_s = sa.engine.make_url(settings.database.reveal()), settings.timeout_s
    if url.get_backend_name() == "sqlite":
        path = url.database or ""
        return sa.create_engine(
            "sqlite://", creator=lambda: _connect(path, timeout_s), hide_parameters=True, poolclass=sa.pool.NullPool
        )
    options = f"-c statement_timeout={int(timeout_s * 1000)} -c default_transaction_read_only=on"
    # A connection for each question: one that was kept could be dead, and to find that out has no end in time.
    return sa.create_engine(
        url,
        # The library itself cannot wait for less than two seconds.
        connect_args={"connect_timeout": max(int(timeout_s), 2), "options": options},
        hide_parameters=True,
        poolclass=sa.pool.NullPool,
    )


@contextmanager
def _ending(connection: sa.Connection, timeout_s: float) -> Iterator[None]:
    """Hang up when the time is over: PostgreSQL's library would wait for a server that hangs for as long as that does.

    What hangs up is a second handle of the same socket, so that it can never be somebody else's.
    """
    link = getattr(connection.connection.dbapi_connection, "pgconn", None)
    if link is None:
        yield
        return
    with socket.socket(fileno=os.dup(link.socket)) as handle:
        timer = threading.Timer(timeout_s, _hang_up, (handle,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _hang_up(handle: socket.socket) -> None:
    # The other side may have done so already.
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


def _connect(path: str, timeout_s: float) -> sqlite3.Connection:
    """For reading only; a query that takes too long is interrupted."""
    uri = f"file:{quote(str(Path(path).absolute()))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout_s)
    until = time.monotonic() + timeout_s
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    return connection


def _text(value: object) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case None | bytes() | memoryview():
            return None
        case _:
            return str(value).strip()


def _reason(error: Exception) -> str:
    """The kind of the fault: its text may show an address, a name, a value."""
    cause = getattr(error, "orig", None) or error
    return str(getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or type(cause).__name__)
