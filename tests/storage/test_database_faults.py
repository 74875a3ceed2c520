"""What the database says when something is wrong with it: enough to mend it, and nothing of what it holds."""

from __future__ import annotations

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
