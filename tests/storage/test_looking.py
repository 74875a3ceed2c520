"""Who only looks waits for nobody who writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from offhook.core.errors import NotFound, Unavailable
from offhook.policy.fleetguard import Stage
from offhook.portal.catalogue import Portal
from offhook.portal.versions import State
from offhook.provider.ports import Clock, Ending
from offhook.provider.subscriber import Argon2, Subscriber
from offhook.provider.tenant import Tenant
from offhook.storage import decisions
from offhook.storage.apps import AppStore
from offhook.storage.database import Database
from offhook.storage.decisions import Deciding
from offhook.storage.guard import GuardStore
from offhook.storage.installs import InstallStore
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tenants import TenantStore
from offhook.storage.themes import ThemeStore
from tests.world_apps import HandSetClock, an_app

CLOCK: Clock = HandSetClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database with something in it, which another process is writing to."""
    (tmp_path / "themes").mkdir()
    with closing(Database(tmp_path / "db", busy_ms=1)) as database, closing(sqlite3.connect(tmp_path / "db")) as other:
        TenantStore(database, CLOCK).put(Tenant("EXAMPLE"))
        SubscriberStore(database).add(Subscriber("EXAMPLE", "ann", Argon2("x")))
        _portal(database).create(an_app())
        with database.begin() as connection:
            deciding = Deciding(decisions.by(connection), "me", 1)
            deciding.number("EXAMPLE", Ending.SUSPENDED)
            deciding.keep(Stage.HELD)
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        yield database


def _portal(database: Database) -> Portal:
    return Portal(AppStore(database), ThemeStore(database.path.parent / "themes"), CLOCK)


def _held(database: Database) -> tuple[int, ...]:
    return GuardStore(database).reports("EXAMPLE")[0].numbers


LOOKS: dict[str, Callable[[Database], object]] = {
    "tenant": lambda database: TenantStore(database, CLOCK).get("EXAMPLE"),
    "user": lambda database: SubscriberStore(database).get("EXAMPLE", "ann"),
    "users known": lambda database: SubscriberStore(database).known("EXAMPLE", ["ann"])["ann"],
    "users": lambda database: list(SubscriberStore(database).all_of("EXAMPLE")),
    "how many users": lambda database: SubscriberStore(database).count("EXAMPLE"),
    "installs": lambda database: not list(InstallStore(database).all_of("EXAMPLE", None)),
    "guard": lambda database: GuardStore(database).reports("EXAMPLE"),
    "cancellation": lambda database: GuardStore(database).plan("EXAMPLE", _held(database), 1),
    "apps": lambda database: _portal(database).all(),
    "history": lambda database: _portal(database).history("EXAMPLE"),
    "version": lambda database: _portal(database).show("EXAMPLE", State.EDITABLE),
    "proposal": lambda database: _portal(database).propose_publishing("EXAMPLE"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_looking_goes_on_while_somebody_writes(database: Database, look: str) -> None:
    """A long import keeps nobody from a list, nor a server from telling who is there."""

    assert LOOKS[look](database)


def test_what_is_not_there_is_known_at_once_too(database: Database) -> None:
    """Also where there is nothing to be seen."""
    with pytest.raises(NotFound):
        InstallStore(database).get("NONE")
    with pytest.raises(NotFound):
        _portal(database).propose_restoring("EXAMPLE", 1)


def test_who_writes_has_to_wait(database: Database) -> None:
    """The lock that the others do without is really held."""
    with pytest.raises(Unavailable, match="another process has it for too long"):
        TenantStore(database, CLOCK).put(Tenant("OTHER"))
