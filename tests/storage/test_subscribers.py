"""Subscribers in the database: kept whole, found without regard to case, and never changed behind anybody's back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from offhook.core.dialplan import QuickDial, QuickDials, Removal
from offhook.core.errors import Conflict, NotFound
from offhook.provider.subscriber import Argon2, Bcrypt, Override, Sealed, State, Subscriber
from offhook.storage import subscribers as module
from offhook.storage.database import Database
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tables import decision, install

ANN = Subscriber(
    "EXAMPLE",
    "Ann Ä.",
    Argon2("$argon2id$..."),
    State.SUSPENDED,
    {"tier": "gold", "empty": "", "a": "🗝"},
    {"password": "sealed"},
    {"z": Override("0"), "a": Override("<x/>", markup=True, rank=50, author="op", changed_s=7)},
    QuickDials((QuickDial("d", "Desk", "200"),), (Removal("x", 20, "provider"),), 3),
    sip_generated=True,
    created_s=1,
    changed_s=2,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "db")) as database:
        yield database


@pytest.fixture
def store(database: Database) -> SubscriberStore:
    return SubscriberStore(database)


def users(count: int, cloud_id: str = "EXAMPLE") -> list[Subscriber]:
    return [Subscriber(cloud_id, f"user{number:05}", Bcrypt("h")) for number in range(count)]


def test_all_of_a_subscriber_is_kept(store: SubscriberStore) -> None:
    """What was added comes back as it was, in its order, with an id."""

    added = store.add(ANN)

    assert added == msgspec.structs.replace(ANN, id=added.id, revision=1)
    assert store.get("EXAMPLE", "ann ä.") == added
    assert list(store.get("EXAMPLE", "ann ä.").overrides) == ["z", "a"]


def test_a_name_is_taken_without_regard_to_case(store: SubscriberStore) -> None:
    """The same name in other letters is a conflict, in another Cloud ID it is free."""
    store.add(ANN)

    with pytest.raises(Conflict, match="already a user ANN"):
        store.add(Subscriber("EXAMPLE", "ANN Ä.", Sealed("x")))

    assert store.add(Subscriber("OTHER", "ANN Ä.", Sealed("x"))).revision == 1


def test_a_change_counts_up_and_an_older_one_is_refused(store: SubscriberStore) -> None:
    """Whoever read before somebody else's change does not undo it unknowingly."""
    read = store.add(ANN)
    store.replace(msgspec.structs.replace(read, attributes={"tier": "basic"}))

    with pytest.raises(Conflict, match="somebody else"):
        store.replace(msgspec.structs.replace(read, attributes={"tier": "silver"}))

    kept = store.get("EXAMPLE", "ann ä.")
    assert (kept.attributes, kept.revision, kept.id) == ({"tier": "basic"}, 2, read.id)


def test_who_is_gone_is_not_found(store: SubscriberStore) -> None:
    """Removed subscribers are neither found, nor changed, nor removed again."""
    read = store.add(ANN)
    store.remove("EXAMPLE", "ann ä.", 7)

    with pytest.raises(NotFound):
        store.get("EXAMPLE", "ann ä.")
    with pytest.raises(NotFound):
        store.replace(read)
    with pytest.raises(NotFound):
        store.remove("EXAMPLE", "ann ä.", 7)


def test_who_is_removed_takes_the_installs_along(store: SubscriberStore, database: Database) -> None:
    """The installs of a removed subscriber end, and nobody is given the number; those of others stay."""
    ann, bob = store.add(ANN), store.add(Subscriber("EXAMPLE", "bob", Sealed("x")))
    row = {"cloud_id": "EXAMPLE", "token_hash": b"h", "device": "", "user_agent": "", "created_s": 1}
    with database.begin() as connection:
        connection.execute(
            sa.insert(install), [row | {"id": str(one.id), "subscriber_id": one.id} for one in (ann, bob)]
        )

    store.remove("EXAMPLE", "ann ä.", 7)

    with database.begin() as connection:
        rows = connection.execute(sa.select(install.c.subscriber_id, install.c.ended, install.c.ended_s)).all()
    assert sorted(map(tuple, rows)) == [(ann.id, "deleted", 7), (bob.id, "", 0)]
    store.remove("EXAMPLE", "bob", 8)
    assert store.add(ANN).id == bob.id + 1


def test_what_is_left_of_the_removed_is_forgotten_at_last(store: SubscriberStore, database: Database) -> None:
    """Long after a user was removed the installs go as well, but for one whose logout is still held back."""
    row = {"cloud_id": "EXAMPLE", "token_hash": b"h", "device": "", "user_agent": "", "created_s": 1}
    for number, name in enumerate(("ann", "bob", "eve", "joe")):
        one = store.add(Subscriber("EXAMPLE", name, Sealed("x")))
        with database.begin() as connection:
            connection.execute(sa.insert(install), row | {"id": name, "subscriber_id": one.id})
        if name != "joe":
            store.remove("EXAMPLE", name, 100 if name in {"ann", "eve"} else 101 + number)
        if name == "eve":
            with database.begin() as connection:
                newest = sa.select(sa.func.max(decision.c.no)).scalar_subquery()
                connection.execute(sa.update(decision).where(decision.c.no == newest).values(stage="held"))

    store.remove("EXAMPLE", "joe", 101 + module.KEPT_S)

    with database.read() as connection:
        left = connection.execute(sa.select(install.c.id).order_by(install.c.id)).scalars().all()
    assert left == ["bob", "eve", "joe"]


def test_very_many_are_listed_by_name_in_pages(store: SubscriberStore) -> None:
    """Pages join without a gap, whatever their number, and other Cloud IDs do not show."""
    store.put_all(users(module.PAGE * 2))
    store.put_all(users(3, "OTHER"))

    names = [user.username for user in store.all_of("EXAMPLE")]

    assert names == [user.username for user in users(module.PAGE * 2)]
    assert [user.username for user in store.all_of("EXAMPLE", after="user00997")] == ["user00998", "user00999"]
    assert (store.count("EXAMPLE"), store.count("OTHER"), store.count("NONE")) == (module.PAGE * 2, 3, 0)


def test_those_of_a_name_are_known_by_it(store: SubscriberStore) -> None:
    """Of the names asked for, those come back that exist in this Cloud ID."""
    store.put_all([*users(3), *users(5, "OTHER")])

    known = store.known("EXAMPLE", ["user00001", "user00004", "nobody"])

    assert list(known) == ["user00001"]


def test_many_are_added_and_changed_together(store: SubscriberStore) -> None:
    """New ones get an id, known ones keep theirs, and each revision counts up."""
    store.put_all(users(2))
    known = list(store.all_of("EXAMPLE"))

    count = store.put_all([*(msgspec.structs.replace(one, state=State.SUSPENDED) for one in known), ANN])

    assert count == 3
    kept = {one.username: (one.id, one.revision, one.state) for one in store.all_of("EXAMPLE")}
    assert kept["user00001"] == (known[1].id, 2, State.SUSPENDED)
    assert kept["Ann Ä."][1] == 1


@pytest.mark.parametrize("late", [Subscriber("EXAMPLE", "USER00001", Bcrypt("h")), None])
def test_many_are_kept_only_when_nobody_came_before(store: SubscriberStore, late: Subscriber | None) -> None:
    """One that was added or changed meanwhile undoes all."""
    store.put_all(users(2))
    stale = late or next(store.all_of("EXAMPLE"))
    if late is None:
        store.replace(stale)
    before = list(store.all_of("EXAMPLE"))

    with pytest.raises(Conflict):
        store.put_all([Subscriber("EXAMPLE", f"new{number}", Bcrypt("h")) for number in range(module.PAGE)] + [stale])

    assert list(store.all_of("EXAMPLE")) == before


def test_what_fails_halfway_leaves_nothing(store: SubscriberStore) -> None:
    """An error in the middle of very many undoes those before it."""

    def broken() -> Iterator[Subscriber]:
        yield from users(module.PAGE + 1)
        raise Conflict("stop")

    with pytest.raises(Conflict, match="stop"):
        store.put_all(broken())

    assert store.count("EXAMPLE") == 0
