"""The device plane's view of the database: one query in, one transaction out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from offhook.core.errors import Conflict, Refused, Unavailable
from offhook.provider.ports import KnownInstall, NewInstall, Room, Sighting
from offhook.provider.subscriber import Argon2, Subscriber
from offhook.provider.tenant import Tenant
from offhook.storage.life import REPLACED, SightingStore
from offhook.storage.signin import IN_USE_S, LOOK_UP, MAX_INSTALLS, OTHERS
from tests.world_provider import Provider, run

HASH = b"h" * 32


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        yield provider


def new(user: Subscriber, number: int = 1, *, device: str = "", token_hash: bytes = HASH) -> NewInstall:
    return NewInstall(f"I{number}", user.cloud_id, user.id, token_hash, device, "app", 1000 + number)


def ids(provider: Provider) -> list[str]:
    return [install["id"] for install in provider.installs() if install["state"] == "active"]


def issue(provider: Provider, user: Subscriber, install: NewInstall, better: Argon2 | None = None) -> None:
    run(provider.store.issue(install, better, user.password))


def test_a_sign_in_is_one_query(provider: Provider) -> None:
    """Whether it ends well or not, a request reads once and no more, with all its joins found by an index."""
    provider.has_user("johndow@EXAMPLE")
    statements: list[str] = []
    provider.database.reader.set_trace_callback(statements.append)

    provider.signs_in()
    provider.signs_in(password="87654321")
    provider.signs_in(username="nobody")

    assert len(statements) == 3
    provider.database.reader.set_trace_callback(None)
    values = {"cloud_id": "", "username_key": "", "install_id": "", "token_hash": b""}
    plan = provider.database.reader.execute(f"EXPLAIN QUERY PLAN {LOOK_UP}", values).fetchall()
    steps = [step[3].split()[0] for step in plan]
    assert steps[:4] == ["SEARCH"] * 4
    # The fifth is looked for only while an account leaves for another SIP system.
    assert steps[4:] == ["CORRELATED", "SEARCH"]


def test_it_finds_what_there_is(provider: Provider) -> None:
    """Tenant, subscriber and install, as far as the request names them."""
    user = provider.has_user("johndow@EXAMPLE", attributes={"tier": "gold"}, secrets={"pin": "1"}, overrides={"a": "b"})
    issue(provider, user, new(user))

    nothing = run(provider.store.look_up("NOWHERE", "johndow", "", b""))
    tenant_only = run(provider.store.look_up("EXAMPLE", "nobody", "I1", HASH))
    known = run(provider.store.look_up("EXAMPLE", "johndow", "", b""))
    with_id = run(provider.store.look_up("EXAMPLE", "johndow", "I1", b""))
    with_token = run(provider.store.look_up("EXAMPLE", "johndow", "", HASH))
    with_both_wrong = run(provider.store.look_up("EXAMPLE", "johndow", "I2", HASH))

    assert nothing.tenant is None
    assert (tenant_only.tenant, tenant_only.subscriber, tenant_only.install) == (Tenant("EXAMPLE"), None, None)
    assert (known.subscriber, known.install) == (user, None)
    assert with_id.install == with_token.install == KnownInstall("I1", HASH)
    assert with_both_wrong.install is None


def seen(provider: Provider, number: int, at_s: int) -> None:
    SightingStore(provider.database).keep([Sighting(f"I{number}", at_s, 0, "app")])


def test_a_device_has_one_install_once_it_has_used_it(provider: Provider) -> None:
    """An app that comes back as a newer install ends the older ones; without a device id none can be told apart."""
    user, other = provider.has_user("johndow@EXAMPLE"), provider.has_user("ann@EXAMPLE")
    issue(provider, user, new(user, 1, device="phone"))
    issue(provider, user, new(user, 2, device="tablet"))
    issue(provider, other, new(other, 3, device="phone"))
    issue(provider, user, new(user, 4))
    issue(provider, user, new(user, 5))

    issue(provider, user, new(user, 6, device="phone"))
    before = ids(provider)
    seen(provider, 4, 1050)
    seen(provider, 6, 1050)

    assert before == ["I1", "I2", "I3", "I4", "I5", "I6"]
    assert ids(provider) == ["I2", "I3", "I4", "I5", "I6"]


def test_an_older_install_never_ends_a_newer_one(provider: Provider) -> None:
    """Not when its request was long under way, nor when the clock was set back or stood still between the sign-ins."""
    user = provider.has_user("johndow@EXAMPLE")
    for number, clock_s in enumerate([1000, 1000, 500]):
        issue(provider, user, msgspec.structs.replace(new(user, number, device="phone"), created_s=clock_s))

    seen(provider, 0, 1001)
    after_the_first = ids(provider)
    seen(provider, 2, 1002)
    seen(provider, 1, 1003)

    assert after_the_first == ["I0", "I1", "I2"]
    assert ids(provider) == ["I2"]
    plan = provider.database.reader.execute(f"EXPLAIN QUERY PLAN {REPLACED}", {"install_id": "I1"}).fetchall()
    assert [step[3].split()[0] for step in plan] == ["SEARCH"] * 2


def test_who_is_in_use_is_never_forgotten(provider: Provider) -> None:
    """Of too many installs those go that were never seen, or not for longest; when all are in use, nobody comes in."""
    user = provider.has_user("johndow@EXAMPLE")
    now_s = 2 * IN_USE_S
    for number in range(MAX_INSTALLS):
        issue(provider, user, new(user, number))
        seen(provider, number, now_s if number else 1)
    later = msgspec.structs.replace(new(user, 200), created_s=now_s + 1)

    issue(provider, user, later)
    issue(provider, user, msgspec.structs.replace(new(user, 201), created_s=now_s + 2))

    assert ids(provider) == [*(f"I{number}" for number in range(1, MAX_INSTALLS)), "I201"]
    seen(provider, 201, now_s + 3)
    with pytest.raises(Refused, match="sign out"):
        issue(provider, user, msgspec.structs.replace(new(user, 202), created_s=now_s + 4))
    assert len(ids(provider)) == MAX_INSTALLS


def test_a_user_has_a_bounded_number_of_installs(provider: Provider) -> None:
    """The oldest goes when there are too many, and somebody else's stay."""
    user, other = provider.has_user("johndow@EXAMPLE"), provider.has_user("ann@EXAMPLE")
    issue(provider, other, new(other, 0))

    for number in range(1, MAX_INSTALLS + 3):
        issue(provider, user, new(user, number))

    assert ids(provider) == ["I0", *(f"I{number}" for number in range(3, MAX_INSTALLS + 3))]


def test_a_better_hash_replaces_only_what_was_checked(provider: Provider) -> None:
    """A password that was set meanwhile is not overwritten, and whoever knew the one before gets no install."""
    user = provider.has_user("johndow@EXAMPLE", "bcrypt:12345678")
    issue(provider, user, new(user, 1), Argon2("better"))

    with pytest.raises(Conflict):
        issue(provider, user, new(user, 2), Argon2("late"))

    kept = provider.subscribers.get("EXAMPLE", "johndow")
    assert kept.password == Argon2("better")
    assert kept.revision == user.revision + 1
    assert ids(provider) == ["I1"]


def test_nothing_is_kept_for_who_is_gone(provider: Provider) -> None:
    """A user removed in the middle of a sign-in leaves no install that the next one of that number would inherit."""
    user = provider.has_user("johndow@EXAMPLE")
    provider.subscribers.remove("EXAMPLE", "johndow", 1)

    with pytest.raises(Conflict):
        issue(provider, user, new(user), Argon2("better"))

    assert ids(provider) == []


def test_all_or_nothing(provider: Provider) -> None:
    """When the install cannot be kept, the device's earlier one and the password stay as they were."""
    user = provider.has_user("johndow@EXAMPLE", "bcrypt:12345678")
    issue(provider, user, new(user, 1, device="phone"))
    issue(provider, user, new(user, 2))

    with pytest.raises(sqlite3.IntegrityError):
        issue(provider, user, new(user, 2, device="phone"), Argon2("better"))

    assert ids(provider) == ["I1", "I2"]
    assert provider.subscribers.get("EXAMPLE", "johndow") == user


def test_a_database_that_cannot_be_read_is_unavailable(provider: Provider) -> None:
    """It is a fault of ours, which never refuses and never logs out (D21)."""
    provider.has_user("johndow@EXAMPLE")
    with provider.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE install RENAME TO elsewhere")

    with pytest.raises(Unavailable):
        run(provider.store.look_up("EXAMPLE", "johndow", "", b""))

    answer = provider.signs_in()
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert b"install" not in answer.body


def test_two_phones_that_sign_in_at_once_find_room_for_one(provider: Provider) -> None:
    """Both were counted before either was kept; the second is refused, or the oldest one ends for it."""
    user = provider.has_user("johndow@EXAMPLE")
    one_only, oldest_ends = Room(1, "One only."), Room(1)
    issue(provider, user, msgspec.structs.replace(new(user, 1, device="a"), room=one_only))

    with pytest.raises(Refused, match="One only"):
        issue(provider, user, msgspec.structs.replace(new(user, 2, device="b"), room=one_only))
    issue(provider, user, msgspec.structs.replace(new(user, 3, device="a"), room=one_only))
    issue(provider, user, msgspec.structs.replace(new(user, 4, device="c"), room=oldest_ends))

    assert ids(provider) == ["I4"]
    assert {install["ended"] for install in provider.installs()} == {"", "limit"}


def test_phones_are_counted_with_an_index(provider: Provider) -> None:
    """Of a user with very many installs among very many users."""
    values = {"cloud_id": "", "subscriber_id": 1, "device": ""}

    plan = provider.database.reader.execute(f"EXPLAIN QUERY PLAN {OTHERS}", values).fetchall()

    assert any(step[3].startswith("SEARCH install USING INDEX install_by_subscriber") for step in plan)
