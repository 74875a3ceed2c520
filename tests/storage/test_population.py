"""Users with their phones, read page by page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from offhook.provider.circumstances import Circumstances
from offhook.provider.population import Phone
from offhook.provider.subscriber import Argon2, Subscriber
from offhook.storage.database import Database
from offhook.storage.population import PAGE, PopulationStore
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tables import install


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "db", flushed=False)) as database:
        yield database


def has_users(database: Database, count: int, cloud_id: str = "EXAMPLE") -> dict[str, int]:
    store = SubscriberStore(database)
    store.put_all(Subscriber(cloud_id, f"user{number:04}", Argon2("x")) for number in range(count))
    return {one.username: one.id for one in store.all_of(cloud_id)}


def has_install(database: Database, subscriber_id: int, identity: str, **more: str | int) -> None:
    row = {"id": identity, "cloud_id": "EXAMPLE", "subscriber_id": subscriber_id, "token_hash": b"", "device": ""}
    with database.begin() as connection:
        connection.execute(sa.insert(install), row | {"user_agent": "", "created_s": 1} | more)


def test_everybody_with_their_active_phones(database: Database) -> None:
    """By username and the first phone first; what ended, and who is of another Cloud ID, is not there."""
    ids = has_users(database, 3)
    has_users(database, 2, "OTHER")
    has_install(database, ids["user0000"], "B", created_s=2, device="D", circumstances='{"platform":"ios"}')
    has_install(database, ids["user0000"], "A")
    has_install(database, ids["user0002"], "C")
    has_install(database, ids["user0001"], "E", state="ended")
    has_install(database, ids["user0001"], "O", cloud_id="OTHER")
    store = PopulationStore(database)

    members = [(subscriber.username, [*phones]) for subscriber, phones in store.all_of("EXAMPLE")]

    assert members == [
        ("user0000", [Phone("A"), Phone("B", "D", Circumstances("ios"))]),
        ("user0001", []),
        ("user0002", [Phone("C")]),
    ]
    assert (store.count("EXAMPLE"), store.count("OTHER"), store.count("NONE")) == (3, 2, 0)
    assert not [*store.all_of("NONE")]


def test_no_more_than_a_page_is_read_ahead(database: Database) -> None:
    """Two statements for each page, when its first user is asked for; nobody is left out between pages."""
    has_users(database, 2 * PAGE + 1)
    statements = list[str]()
    sa.event.listen(database.engine, "before_cursor_execute", lambda *asked: statements.append(asked[2]))
    reads = list[int]()

    members = PopulationStore(database).all_of("EXAMPLE")
    for number, (subscriber, _) in enumerate(members):
        assert subscriber.username == f"user{number:04}"
        reads.append(sum("FROM" in one for one in statements))

    assert [reads[0], reads[PAGE - 1], reads[PAGE], reads[2 * PAGE], len(reads)] == [2, 2, 4, 6, 2 * PAGE + 1]


def test_somebody_who_changes_users_meanwhile_keeps_nobody_waiting(database: Database) -> None:
    """Between two users, no transaction is open; who goes meanwhile on a later page is not told of."""
    has_users(database, PAGE + 1)
    members = PopulationStore(database).all_of("EXAMPLE")
    next(members)

    SubscriberStore(database).remove("EXAMPLE", f"user{PAGE:04}", 5)

    assert sum(1 for _ in members) == PAGE - 1
