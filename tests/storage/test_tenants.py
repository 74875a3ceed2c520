"""Tenants in the database, and an import's tenant together with its users."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from offhook.core.errors import Conflict, NotFound
from offhook.provider.subscriber import Bcrypt, Subscriber
from offhook.provider.tenant import Credential, FormerStatus, Names, Tenant
from offhook.storage.database import Database
from offhook.storage.imports import ImportStore
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tables import tenant as table
from offhook.storage.tenants import ServedTenants, TenantStore
from tests.world_provider import NOON_S, SetClock

SHOP = Tenant("SHOP", "<account/>", "<x/>", Credential.SIP, Names(username="login"), 401)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "db")) as database:
        yield database


def test_a_tenant_is_kept_and_changed(database: Database) -> None:
    """All settings come back; a change keeps the time at which the tenant was made."""
    clock = SetClock()
    store = TenantStore(database, clock)
    store.put(Tenant("SHOP"))
    clock.time_s += 60
    store.put(SHOP)
    store.put(Tenant("A"))

    with database.begin() as connection:
        times = connection.execute(
            sa.select(table.c.created_s, table.c.changed_s).where(table.c.cloud_id == "SHOP")
        ).one()

    shop = msgspec.structs.replace(SHOP, former_statuses=(FormerStatus(NOON_S + 62, 410),))
    assert store.get("SHOP") == shop
    assert store.all() == [Tenant("A"), shop]
    assert tuple(times) == (NOON_S, NOON_S + 60)


def test_an_unknown_tenant_says_how_to_make_it(database: Database) -> None:
    """The error names the command that mends it."""
    with pytest.raises(NotFound, match="offhook tenant create NONE"):
        TenantStore(database, SetClock()).get("NONE")


def test_an_import_is_kept_whole_or_not_at_all(database: Database) -> None:
    """When its users cannot be kept, the tenant is not either."""
    store, tenants, subscribers = (
        ImportStore(database, SetClock()),
        TenantStore(database, SetClock()),
        SubscriberStore(database),
    )
    ann = Subscriber("SHOP", "ann", Bcrypt("h"))
    subscribers.add(ann)

    with pytest.raises(Conflict):
        store.keep(SHOP, [Subscriber("SHOP", "bob", Bcrypt("h")), ann])

    assert tenants.all() == []
    assert store.keep(SHOP, [Subscriber("SHOP", "bob", Bcrypt("h"))]) == 1
    assert tenants.all() == [SHOP]


def test_tenants_are_read_while_somebody_writes(database: Database) -> None:
    """Another process that holds the lock of writers keeps nobody from reading, least of all the event loop."""
    store = TenantStore(database, SetClock())
    store.put(SHOP)

    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        served = ServedTenants(database).find("SHOP")
        found = store.get("SHOP"), store.all()

    assert served == SHOP
    assert found == (SHOP, [SHOP])
    assert ServedTenants(database).find("NONE") is None
