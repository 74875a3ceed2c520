"""The database file: made by migrations, kept private, refused when a newer Offhook made it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from offhook.core.errors import Conflict, Unavailable
from offhook.storage import tables
from offhook.storage.database import Database, compiled

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
