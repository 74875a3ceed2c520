"""What the database says when something is wrong with it: enough to mend it, and nothing of what it holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from offhook.core.errors import Unavailable
from offhook.storage import tables
from offhook.storage.database import Database


def test_an_error_does_not_repeat_what_was_to_be_stored(tmp_path: Path) -> None:
    """A traceback that somebody sends around holds no row of ours."""
    twice = [{"cloud_id": "A", "settings": "canary", "created_s": 1, "changed_s": 1}] * 2

    with (
        closing(Database(tmp_path / "db")) as database,
        pytest.raises(sa.exc.IntegrityError) as caught,
        database.begin() as connection,
    ):
        connection.execute(sa.insert(tables.tenant), twice)

    assert "canary" not in str(caught.value)


def test_a_damaged_file_is_unavailable(tmp_path: Path) -> None:
    """Whoever meets it is told in a sentence, as when the disk is full."""
    path = tmp_path / "db"
    with closing(Database(path)) as database, database.begin() as connection:
        connection.exec_driver_sql("PRAGMA user_version=1")
    content = path.read_bytes()

    with closing(Database(path)) as database:
        database.engine.dispose()
        path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
        with pytest.raises(Unavailable, match="malformed"), database.begin() as connection:
            connection.execute(sa.select(tables.tenant)).all()


def _noise(path: Path) -> None:
    path.write_bytes(b"no database at all, " * 500)


def _damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_noise, "is damaged (file is not a database). Restore it from the backup, together with its keys."),
        (_damage, "is damaged (database disk image is malformed)"),
        (_cut, "is damaged (database disk image is malformed)"),
        (_folder, "cannot be used (unable to open database file). It must be a file on a disk that can be written"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_at_once(tmp_path: Path, harm: Callable[[Path], None], said: str) -> None:
    """Whoever starts on it reads which file it is and what to do, and nothing of it stays open."""
    path = tmp_path / "db"
    Database(path).close()
    harm(path)

    with pytest.raises(Unavailable) as caught:
        Database(path)

    assert str(path) in caught.value.text
    assert said in caught.value.text


def test_a_lock_that_lasts_is_told(tmp_path: Path) -> None:
    """Another process that keeps the file to itself is named as the reason, as soon as the waiting is over."""
    path = tmp_path / "db"
    Database(path).close()

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("PRAGMA user_version=1")
        with pytest.raises(Unavailable, match="another process has it for too long"):
            Database(path, busy_ms=10)


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """Both ways of writing say so, and go on when there is room again."""
    big = {"cloud_id": "A", "settings": "x" * 1_000_000, "created_s": 1, "changed_s": 1}

    with closing(Database(tmp_path / "db")) as database:
        with pytest.raises(Unavailable, match="is full"), database.begin() as connection:
            _insert(connection, big)
        with pytest.raises(Unavailable, match="is full"):
            database.write(_fill).result()
        database.write(lambda connection: connection.execute("DELETE FROM tenant")).result()

        with database.read() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(tables.tenant)) == 0


def _insert(connection: sa.Connection, row: dict[str, object]) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count=40")
    connection.execute(sa.insert(tables.tenant), row)


def _fill(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count=40")
    statement = "INSERT INTO tenant (cloud_id, settings, created_s, changed_s) VALUES ('A', ?, 1, 1)"
    connection.execute(statement, ("x" * 1_000_000,))
