"""Databases of SIP systems, which are never ours: opened with an end in time, and without a word of what is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa

from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Secret
from offhook.outgoing.deadline import hanging_up

WAIT_S: Final = 5
# For all statements of one transaction together, when nothing is heard any more.
MOST_S: Final = 15
_DRIVERS: Final = frozenset({"sqlite", "sqlite+pysqlite", "postgresql+psycopg"})


def fault(url: Secret) -> str:
    """What is wrong with the address of a database; empty when nothing is. It never shows the address."""
    try:
        read = sa.engine.make_url(url.reveal())
    except (sa.exc.ArgumentError, ValueError):
        return 'database is no address such as "postgresql+psycopg://user:password@host/name" or "sqlite:////path"'
    if read.drivername not in _DRIVERS:
        return "database must begin with postgresql+psycopg:// or sqlite://"
    if not read.database or read.database == ":memory:":
        return "database names no database behind its last slash"
    return ""


class Store:
    """One database of a SIP system. Who writes takes the lock at once; who reads takes none, also of a SQLite file."""

    def __init__(self, url: Secret) -> None:
        read = sa.engine.make_url(url.reveal())
        # What SQLAlchemy says in errors would have values in it, and every value here is worth hiding.
        if read.get_backend_name() == "sqlite":
            path = read.database or ""
            self.engine = sa.create_engine(
                "sqlite://", creator=lambda: _connect(path), hide_parameters=True, poolclass=sa.pool.NullPool
            )
            sa.event.listen(self.engine, "begin", _begin)
        else:
            settings = {
                "connect_timeout": WAIT_S,
                "options": f"-c statement_timeout={WAIT_S}s -c lock_timeout={WAIT_S}s",
                "tcp_user_timeout": WAIT_S * 1000,
                "keepalives_idle": WAIT_S,
                "keepalives_interval": 1,
                "keepalives_count": WAIT_S,
            }
            # A connection for each transaction: one that was kept could be dead, and to find that out takes no end.
            self.engine = sa.create_engine(
                read, connect_args=settings, hide_parameters=True, poolclass=sa.pool.NullPool
            )
        self._looking = self.engine.execution_options(offhook_reads=True)

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """One transaction. Raises Unavailable when nobody knows whether it happened, Refused for what does not fit."""
        return _transaction(self.engine)

    def read(self) -> AbstractContextManager[sa.Connection]:
        """One transaction that only looks, and is in nobody's way: phones register all the time. Raises Unavailable."""
        return _transaction(self._looking)

    def tables(self) -> frozenset[str]:
        """The tables that are there. Raises Unavailable."""
        with self.read() as connection:
            return frozenset(sa.inspect(connection).get_table_names())

    def columns(self, table: str) -> frozenset[str]:
        """The columns of a table that is there. Raises Unavailable."""
        with self.read() as connection:
            return frozenset(str(column["name"]) for column in sa.inspect(connection).get_columns(table))

    def close(self) -> None:
        """Let go of its connections; the next use opens new ones."""
        self.engine.dispose()


@contextmanager
def _transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    try:
        with engine.connect() as connection, hanging_up(MOST_S) as end:
            if (link := getattr(connection.connection.dbapi_connection, "pgconn", None)) is not None:
                # Its server ends statements that take long, but only while it is there.
                end.watch(link.socket)
            with connection.begin():
                yield connection
    except sa.exc.DataError:
        raise Refused("The SIP system does not take this account: a name is too long for its tables.") from None
    except sa.exc.SQLAlchemyError as error:
        raise Unavailable(f"The database of the SIP system does not do its work ({_reason(error)}).") from None


def put(connection: sa.Connection, table: sa.Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """The row of this key has these values; its other columns, which may be the operator's, stay."""
    chosen = sa.and_(*(table.c[name] == value for name, value in key.items()))
    if not connection.execute(table.update().where(chosen).values(values)).rowcount:
        connection.execute(table.insert().values(key | values))


def _connect(path: str) -> sqlite3.Connection:
    """A file that is not there is not made: it would be an empty one, in the place of the SIP system's."""
    uri = f"file:{quote(str(Path(path).absolute()))}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=WAIT_S, isolation_level=None)


def _begin(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get("offhook_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _reason(error: sa.exc.SQLAlchemyError) -> str:
    """The kind of the fault: its text may show an address, a name, a value."""
    cause = getattr(error, "orig", None) or error
    return str(getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or type(cause).__name__)
