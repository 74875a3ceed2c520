"""One SQLite file, opened for its three uses: administration, the reads of the device plane, and its writes."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from offhook.core.errors import Conflict, Unavailable

BUSY_MS: Final = 5000
# Who waits longer for the disk has given up; who comes when so many wait is told at once.
QUEUED_FOR_S: Final = 5.0
MOST_QUEUED: Final = 1000
_DAMAGED: Final = "The database {path} is damaged ({reason}). Restore it from the backup, together with its keys."
_LOCKED: Final = "The database does not take this now ({reason}): another process has it for too long. Try again."
_UNWRITABLE: Final = (
    "The database {path} cannot be used ({reason}). It must be a file on a disk that can be written, in a folder that "
    "this user may write to."
)
_ANY_TROUBLE: Final = "The database does not take this now ({reason}). Try again."
_TROUBLES: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: _UNWRITABLE,
    sqlite3.SQLITE_PERM: _UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: _UNWRITABLE,
    sqlite3.SQLITE_FULL: "The disk of the database {path} is full. Make room, then try again.",
    sqlite3.SQLITE_IOERR: (
        "The disk of the database {path} does not do its work ({reason}). It may be full, or damaged."
    ),
}
T = TypeVar("T")


class Database:
    """The store of one data folder.

    Administration goes through `begin`, and through `read` where it only looks (SQLAlchemy). The device plane reads on
    `reader`, in the event loop, since such a read is shorter than a change of threads; it writes through `write`, one
    transaction after another on one thread. Neither `reader` nor `read` ever waits for somebody who writes.

    `inline`, it writes in the caller's thread, at once: then all that happens is in the caller's hands, as in a
    simulation. Unless `flushed`, what was written lately does not survive a power loss.
    """

    def __init__(
        self,
        path: Path,
        *,
        inline: bool = False,
        flushed: bool = True,
        queued_for_s: float = QUEUED_FOR_S,
        busy_ms: int = BUSY_MS,
    ) -> None:
        self.path = path
        self._inline, self._queued_for_s = inline, queued_for_s
        self.engine = sa.create_engine(
            f"sqlite:///{path}", connect_args={"timeout": busy_ms / 1000}, hide_parameters=True
        )
        sa.event.listen(self.engine, "connect", lambda connection, _: _prepare(connection, busy_ms))
        sa.event.listen(self.engine, "begin", _begin)
        self._looking = self.engine.execution_options(offhook_reads=True)
        with ExitStack() as unless_opened, _troubles(path):
            unless_opened.callback(self.engine.dispose)
            _migrate(self.engine)
            _keep_private(path)
            self.reader = _connect(path, busy_ms)
            unless_opened.callback(self.reader.close)
            self.reader.execute("PRAGMA query_only=ON")
            self._writer = _connect(path, busy_ms)
            unless_opened.pop_all()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._places = threading.BoundedSemaphore(MOST_QUEUED)
        if not flushed:
            self._writer.execute("PRAGMA synchronous=OFF")
            sa.event.listen(self.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
            self.engine.dispose()

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """One transaction of administration; a lock that lasts is reported as Unavailable."""
        return _transaction(self.engine, self.path)

    def read(self) -> AbstractContextManager[sa.Connection]:
        """One transaction of administration that cannot write, and so neither takes nor awaits the lock of writers."""
        return _transaction(self._looking, self.path)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Queue one durable transaction of the device plane; its result, or Unavailable, is in the future."""
        if self._inline:
            return _at_once(lambda: self._transact(work))
        if not self._places.acquire(blocking=False):
            return _at_once(_too_many)
        future = self._thread.submit(self._in_time, work, time.monotonic() + self._queued_for_s)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def _in_time(self, work: Callable[[sqlite3.Connection], T], until_s: float) -> T:
        """Without a deadline, each of a long queue would wait out a lock in its turn."""
        if time.monotonic() > until_s:
            raise Unavailable("The database does not take this now (others waited for it too long). Try again.")
        return self._transact(work)

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _troubles(self.path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled back by itself, as it does when the disk is full.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        return result

    def close(self) -> None:
        """Finish the queued writes and let go of the file."""
        self._thread.shutdown()
        self.reader.close()
        self._writer.close()
        self.engine.dispose()


def _at_once(work: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    try:
        future.set_result(work())
    except (Unavailable, sqlite3.Error) as error:
        future.set_exception(error)
    return future


def _too_many() -> NoReturn:
    raise Unavailable(f"The database does not take this now ({MOST_QUEUED:,} others wait for it). Try again.")


@contextmanager
def _transaction(engine: sa.Engine, path: Path) -> Iterator[sa.Connection]:
    with _troubles(path), engine.begin() as connection:
        yield connection


@contextmanager
def _troubles(path: Path) -> Iterator[None]:
    """Whatever keeps the database from its work is Unavailable, with what to do about it; our own mistakes are not."""
    try:
        yield
    except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except (sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
        reason = error.orig if isinstance(error, sa.exc.DatabaseError) else error
        # The lower byte is the kind of a trouble (https://sqlite.org/rescode.html), if the driver tells it at all.
        said = _TROUBLES.get(getattr(reason, "sqlite_errorcode", 0) & 0xFF, _ANY_TROUBLE)
        raise Unavailable(said.format(path=path, reason=reason)) from error


def _begin(connection: sa.Connection) -> None:
    """Who means to write takes the lock at once: whoever looked first could not have it any more (SQLITE_BUSY)."""
    reads = connection.get_execution_options().get("offhook_reads", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reads else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


async def done(future: Future[T]) -> T:
    """What comes of a write; when it is there already, nothing is waited for, and no event loop is needed."""
    return future.result() if future.done() else await asyncio.wrap_future(future)


def compiled(statement: sa.ClauseElement) -> str:
    """The text of a statement for the driver itself, its parameters by name: one definition, two speeds."""
    dialect = sqlalchemy.dialects.sqlite.dialect(paramstyle="named")
    return str(statement.compile(dialect=dialect))


def _keep_private(path: Path) -> None:
    try:
        if path.stat().st_mode & 0o777 != 0o600:
            path.chmod(0o600)
    except OSError as error:
        raise Unavailable(f"The database {path} cannot be kept to this user alone ({error.strerror}).") from error


def _connect(path: Path, busy_ms: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False)
    _prepare(connection, busy_ms)
    return connection


def _prepare(connection: Any, busy_ms: int) -> None:  # noqa: ANN401 - a driver connection, also of SQLAlchemy's
    connection.isolation_level = None  # we begin transactions ourselves
    try:
        connection.execute(f"PRAGMA busy_timeout={busy_ms}")
        connection.execute("PRAGMA journal_mode=WAL")
        # What we told a phone must survive a power loss, so every commit is flushed.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error:
        connection.close()
        raise


def _migrate(engine: sa.Engine) -> None:
    """Bring the tables to the newest version; refuse a database that a newer Offhook made."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise Conflict(f"The database was made by a newer Offhook (its version is {current}). Use that one, or newer.")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
