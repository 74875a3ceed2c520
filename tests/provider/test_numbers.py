"""Numbers are given fairly, once, and rest when their user is gone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.core.errors import Conflict, Invalid, NotFound, Unavailable
from offhook.provider.change import NOBODY
from offhook.provider.numbers import Pool, Range, Use, Wanted, shown, written
from offhook.provider.subscriber import Subscriber
from offhook.storage.database import Database
from offhook.storage.numbers import NumberStore
from offhook.storage.subscribers import SubscriberStore
from tests.world_provider import empty_database

DAY_S = 86400


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "db")
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> NumberStore:
    return NumberStore(database)


def pool(*ranges: str, cloud_id: str = "EXAMPLE", name: str = "main", quarantine_s: int = DAY_S) -> Pool:
    parsed = tuple(map(Range.parse, ranges))
    return Pool(cloud_id, name, parsed[0].kind, quarantine_s, parsed)


def wanted(user: int, name: str = "ann", attribute: str = "number", cloud_id: str = "EXAMPLE") -> Wanted:
    return Wanted(cloud_id, "main", user, name, attribute)


@pytest.mark.parametrize(
    ("text", "meant", "size"),
    [
        ("+4930123400-99", "+4930123400-+4930123499", 100),
        ("+49 (30) 1234-00 - 1234-99".replace("-00 - 1234-99", "00-99"), "+4930123400-+4930123499", 100),
        ("201-299", "201-299", 99),
        ("0201", "0201", 1),
        ("+49 30 1234567", "+49301234567", 1),
    ],
)
def test_a_range_is_read_as_people_write_it(text: str, meant: str, size: int) -> None:
    """With or without what stands between digits; the end may leave out what is as at the beginning."""
    found = Range.parse(text)

    assert (str(found), len(found)) == (meant, size)


@pytest.mark.parametrize(
    "text", ["", "x", "299-201", "+49", "+4930-x", "1-99999999999", "01-1-2", "+49301234567890123"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    """With a text that shows how to write one."""
    with pytest.raises(Invalid):
        Range.parse(text)


def test_a_number_is_shown_as_its_country_writes_it() -> None:
    """And kept as machines do."""
    assert (written("+49 (30) 1234567"), shown("+49301234567"), shown("201")) == (
        "+49301234567",
        "+49 30 1234567",
        "201",
    )


def test_numbers_go_in_order_and_never_twice(store: NumberStore) -> None:
    """Each user gets the next one; who asks again, or with the same key, gets the same."""
    store.add(pool("201-203"), 0)

    taken = [store.take(wanted(user), f"k{user}", 5) for user in (1, 2, 1, 3)]
    by_key = store.take(wanted(9), "k2", 5)

    assert (taken, by_key) == (["201", "202", "201", "203"], "202")
    with pytest.raises(Unavailable, match="add a range"):
        store.take(wanted(4), "k4", 5)
    with pytest.raises(NotFound, match="has no pool"):
        store.take(wanted(4, cloud_id="OTHER"), "k4", 5)


def test_a_number_rests_when_its_user_is_gone(store: NumberStore) -> None:
    """For as long as its pool says, and only if it was really theirs."""
    store.add(pool("201-202"), 0)
    for user in (1, 2):
        store.take(wanted(user), f"k{user}", 5)
    store.confirm("EXAMPLE", 1, 6)

    store.give_back("EXAMPLE", 1, "number", 10)
    store.give_back("EXAMPLE", 2, "number", 10)

    assert store.stocks("EXAMPLE", 10)[0].free == 1
    assert store.stocks("EXAMPLE", 10)[0].quarantined == 1
    assert store.take(wanted(3), "k3", 11) == "202"
    with pytest.raises(Unavailable):
        store.take(wanted(4), "k4", 9 + DAY_S)
    assert store.take(wanted(4), "k4", 10 + DAY_S) == "201"


def test_the_operator_excludes_pins_and_assigns(store: NumberStore) -> None:
    """An excluded number is given to nobody, a pinned one to the user of that name, an assigned one to nobody else."""
    store.add(pool("201-205"), 0)

    store.exclude("EXAMPLE", "201", 1)
    store.assign(wanted(0, "bob"), "204", 1)
    store.assign(wanted(7, "eve"), "202", 1)

    assert [store.take(wanted(user, name), f"k{user}", 5) for user, name in ((1, "ann"), (2, "bob"), (3, "kim"))] == [
        *("203", "204", "205"),
    ]
    with pytest.raises(Conflict):
        store.exclude("EXAMPLE", "202", 2)
    for user, number in ((8, "202"), (8, "201"), (1, "202")):
        with pytest.raises(Conflict):
            store.assign(wanted(user), number, 2)
    uses = {one.number: one.use for one in store.kept("EXAMPLE")}
    assert uses["201"] is Use.EXCLUDED
    assert uses["202"] is Use.ASSIGNED
    assert store.release("EXAMPLE", "201", 3).use is Use.EXCLUDED
    assert store.take(wanted(10), "k10", 3) == "201"


def test_no_number_is_in_two_ranges(store: NumberStore) -> None:
    """Numbers of the world are unique everywhere, extensions within their Cloud ID."""
    store.add(pool("+4930123400-49"), 0)
    store.add(pool("201-299", name="short"), 0)
    store.add(pool("201-299", name="short", cloud_id="OTHER"), 0)

    for clash in (
        pool("+4930123449-60", cloud_id="OTHER"),
        pool("+4930123400", name="second"),
        pool("250", name="short"),
        pool("101", name="main"),
    ):
        with pytest.raises(Conflict):
            store.add(clash, 1)
    store.add(pool("+4930123450-60"), 1)

    assert [len(one.pool) for one in store.stocks("EXAMPLE", 1)] == [61, 99]


def test_whoever_removes_a_user_gives_their_numbers_back(database: Database, store: NumberStore) -> None:
    """In the same transaction, so that no crash loses one."""
    store.add(pool("201"), 0)
    users = SubscriberStore(database)
    added = users.add(Subscriber("EXAMPLE", "ann", NOBODY))
    store.assign(wanted(added.id), "201", 1)

    users.remove("EXAMPLE", "ann", 100)

    (row,) = store.kept("EXAMPLE")
    assert (row.use, row.until_s, row.subscriber_id) == (Use.RELEASED, 100 + DAY_S, 0)
    assert store.astray("EXAMPLE") == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["take", "confirm", "back", "exclude", "release", "pin"]), st.integers(1, 6)),
        max_size=40,
    )
)
def test_whatever_happens_no_two_users_have_one_number(moves: list[tuple[str, int]]) -> None:
    """And no number is lost: all are free, or it is known why not."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "db").write_bytes(empty_database())
        database = Database(Path(folder) / "db", flushed=False)
        store = NumberStore(database)
        store.add(pool("1-5", quarantine_s=3), 0)
        for now_s, (move, which) in enumerate(moves):
            try:
                match move:
                    case "take":
                        store.take(wanted(which, str(which)), f"{now_s}", now_s)
                    case "confirm":
                        store.confirm("EXAMPLE", which, now_s)
                    case "back":
                        store.give_back("EXAMPLE", which, "number", now_s)
                    case "exclude":
                        store.exclude("EXAMPLE", str(which), now_s)
                    case "release":
                        store.release("EXAMPLE", str(which), now_s)
                    case _:
                        store.assign(wanted(0, str(which)), str(which), now_s)
            except (Conflict, NotFound, Unavailable):
                pass
            _, *counts = msgspec.structs.astuple(store.stocks("EXAMPLE", now_s)[0])
            owners = [one.subscriber_id for one in store.kept("EXAMPLE") if one.subscriber_id]
            assert len(owners) == len(set(owners))
            assert min(counts) >= 0
            assert sum(counts) == 5
        database.close()


def test_two_hundred_at_once_get_a_number_each(store: NumberStore) -> None:
    """None waits until it gives up, and none gets another's."""
    store.add(pool("1000-1999"), 0)

    with ThreadPoolExecutor(40) as threads:
        taken = list(threads.map(lambda user: store.take(wanted(user), f"k{user}", 5), range(1, 201)))

    assert sorted(taken) == [str(number) for number in range(1000, 1200)]


def test_two_servers_share_a_pool(tmp_path: Path, database: Database, store: NumberStore) -> None:
    """What one process takes the other cannot."""
    store.add(pool("1000-1999"), 0)
    text = (
        "import sys; from pathlib import Path; from offhook.storage.database import Database;"
        "from offhook.storage.numbers import NumberStore; from offhook.provider.numbers import Wanted;"
        "store = NumberStore(Database(Path(sys.argv[1])));"
        "print(*[store.take(Wanted('EXAMPLE', 'main', int(sys.argv[2]) + n, 'x', 'number'), f'{sys.argv[2]}:{n}', 5)"
        " for n in range(60)])"
    )

    both = [
        subprocess.Popen([sys.executable, "-c", text, str(tmp_path / "db"), start], stdout=subprocess.PIPE, text=True)
        for start in ("1000", "2000")
    ]
    taken = [number for one in both for number in one.communicate(timeout=60)[0].split()]

    assert len(taken) == 120
    assert len(set(taken)) == 120
