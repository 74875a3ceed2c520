"""The joined server: what it serves while another process writes to the same data folder."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from offhook import wiring
from offhook.config import DataFolder
from offhook.core.secret import Secret
from offhook.provider.subscriber import Argon2, StoredPassword
from offhook.provider.tenant import Tenant
from offhook.storage.database import Database
from offhook.web.events import Field
from offhook.web.http import Call


class NoPassword:
    """Knows nobody."""

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        return False

    async def hash(self, password: Secret) -> Argon2:
        return Argon2("")

    def is_outdated(self, stored: StoredPassword) -> bool:
        return False


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def ignore(event: str, **fields: Field) -> None:
    """Take an event and forget it."""


@pytest.mark.anyio
async def test_the_portal_answers_while_somebody_writes(tmp_path: Path) -> None:
    """A lock that another process holds for minutes delays no answer of the portal, and no other one behind it."""
    folder = DataFolder(tmp_path).make()
    with closing(Database(folder.database)) as database:
        parts = wiring.Parts(folder, database)
        wiring.Desk(parts).make_app("EXAMPLE")
        base = wiring.handlers_of(parts, NoPassword(), "https://a.example", ignore)["/portal/{cloud_id}/base"]
        call = Call("GET", "/portal/EXAMPLE/base", parameters={"cloud_id": "EXAMPLE"})
        first = await base(call)
        # Something was written, so it has to look again whether that concerns this app.
        parts.tenants.put(Tenant("OTHER"))

        with closing(sqlite3.connect(folder.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            started_s = time.monotonic()
            again = await base(call)
            lasted_s = time.monotonic() - started_s

    assert (first.status, again) == (200, first)
    assert lasted_s < 2
