"""The database file: made by migrations, kept private, refused when a newer Offhook made it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from offhook.core.errors import Conflict, Unavailable
from offhook.storage import database as opened
from offhook.storage import tables
from offhook.storage.database import Database, compiled, done

A_TENANT = sa.insert(tables.tenant).values(cloud_id="A", settings="{}", created_s=1, changed_s=1)


def test_the_migrations_make_the_declared_tables(tmp_path: Path) -> None:
    """Declaration and migrations say the same, and a second opening changes nothing."""
    Database(tmp_path / "db").close()
    database = Database(tmp_path / "db")

    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), tables.metadata)

    assert differences == []
    assert (tmp_path / "db").stat().st_mode & 0o077 == 0
    database.close()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """An older program does not touch what a newer one made."""
    Database(tmp_path / "db").close()
    with sqlite3.connect(tmp_path / "db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(Conflict, match="newer Offhook"):
        Database(tmp_path / "db")


def test_both_ways_see_the_same(tmp_path: Path) -> None:
    """What administration wrote, the device plane reads with the same statement, and the other way round."""
    database = Database(tmp_path / "db")
    read = compiled(sa.select(tables.tenant.c.changed_s).where(tables.tenant.c.cloud_id == sa.bindparam("cloud_id")))
    with database.begin() as connection:
        connection.execute(A_TENANT)

    before = database.reader.execute(read, {"cloud_id": "A"}).fetchone()
    database.write(lambda writer: writer.execute("UPDATE tenant SET changed_s = 2")).result()

    assert before == (1,)
    assert database.reader.execute(read, {"cloud_id": "A"}).fetchone() == (2,)
    database.close()


def test_a_transaction_is_whole_or_nothing(tmp_path: Path) -> None:
    """A write that fails in the middle leaves nothing behind, and the next one goes through."""
    database = Database(tmp_path / "db")

    def half(writer: sqlite3.Connection) -> None:
        writer.execute("INSERT INTO tenant VALUES ('B', '{}', 1, 1, 1)")
        raise KeyError("in the middle")

    with pytest.raises(KeyError):
        database.write(half).result()
    database.write(lambda writer: writer.execute("INSERT INTO tenant VALUES ('C', '{}', 1, 1, 1)")).result()

    assert database.reader.execute("SELECT cloud_id FROM tenant").fetchall() == [("C",)]
    database.close()


def test_the_reads_of_the_device_plane_cannot_write(tmp_path: Path) -> None:
    """A read that writes by mistake is stopped by the database itself."""
    database = Database(tmp_path / "db")

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.reader.execute("DELETE FROM tenant")
    database.close()


def test_a_database_that_cannot_write_is_unavailable(tmp_path: Path) -> None:
    """A full or locked file is a passing fault with a time to come back, in both ways."""
    database = Database(tmp_path / "db")

    with pytest.raises(Unavailable):
        database.write(lambda writer: writer.execute("INSERT INTO nowhere VALUES (1)")).result()
    with pytest.raises(Unavailable), database.begin() as connection:
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")
    database.close()


@contextmanager
def somebody_writes(path: Path) -> Iterator[None]:
    """Another process that holds the lock of writers."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_who_only_looks_waits_for_nobody(tmp_path: Path) -> None:
    """While another process writes, a read of administration is answered at once."""
    with (
        closing(Database(tmp_path / "db")) as database,
        somebody_writes(tmp_path / "db"),
        database.read() as connection,
    ):
        count = connection.scalar(sa.select(sa.func.count()).select_from(tables.tenant))

    assert count == 0


def test_who_only_looks_cannot_write(tmp_path: Path) -> None:
    """A read that writes by mistake is stopped, and the next write on the same connection goes through."""
    with closing(Database(tmp_path / "db")) as database:
        with pytest.raises(Unavailable, match="readonly"), database.read() as connection:
            connection.execute(A_TENANT)
        with database.begin() as connection:
            connection.execute(A_TENANT)

        with database.read() as connection:
            assert connection.scalar(sa.select(tables.tenant.c.cloud_id)) == "A"


def test_only_so_many_writes_wait(tmp_path: Path) -> None:
    """Behind a write that takes long, a bounded number waits; who comes then is told at once."""
    with closing(Database(tmp_path / "db")) as database:
        goes_on = threading.Event()
        first = database.write(lambda _: goes_on.wait(10))
        waiting = [database.write(lambda _: None) for _ in range(opened.MOST_QUEUED - 1)]

        one_more = database.write(lambda _: None)

        with pytest.raises(Unavailable, match="1,000 others wait"):
            one_more.result(0)
        goes_on.set()
        assert first.result(10)
        assert {future.result(10) for future in waiting} == {None}
        assert database.write(lambda _: "again").result(10) == "again"


def test_a_locked_database_costs_its_time_once(tmp_path: Path) -> None:
    """Whoever waited behind the first write is told together with it, and not after the same time once more."""
    with closing(Database(tmp_path / "db", queued_for_s=0.2)) as database, somebody_writes(tmp_path / "db"):
        database._writer.execute("PRAGMA busy_timeout=300")

        async def story() -> list[BaseException | None]:
            writes = [done(database.write(lambda _: None)) for _ in range(20)]
            return await asyncio.gather(*writes, return_exceptions=True)

        started_s = time.monotonic()
        ends = asyncio.run(story())
        lasted_s = time.monotonic() - started_s

    assert {type(end) for end in ends} == {Unavailable}
    assert lasted_s < 2


@pytest.mark.parametrize(("flushed", "synchronous"), [(True, 2), (False, 0)])
def test_every_commit_is_flushed(tmp_path: Path, flushed: bool, synchronous: int) -> None:
    """Both ways of writing flush each commit to the disk (2 is FULL), unless a simulation has no disk to fear for."""
    with closing(Database(tmp_path / "db", flushed=flushed)) as database:
        by_phones = database.write(lambda writer: writer.execute("PRAGMA synchronous").fetchone()[0]).result()
        with database.begin() as connection:
            by_people = connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert (by_phones, by_people) == (synchronous, synchronous)
