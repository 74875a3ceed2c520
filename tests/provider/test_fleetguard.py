"""The fleet limit (D22): a mistake logs out a few phones and not all, and one user's logout is never delayed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.errors import NotFound, Unavailable
from offhook.core.secret import Secret
from offhook.policy.fleetguard import Limits, Window
from offhook.provider.change import Change
from offhook.provider.guarding import Cancellation
from offhook.provider.ports import Ending, NewInstall
from offhook.provider.sightings import AT_ONCE
from offhook.provider.subscriber import Argon2, State, Subscriber
from offhook.provider.tenant import Tenant
from offhook.web.http import Answer
from tests.world_directory import directory_of
from tests.world_provider import Phone, Provider

LIMITS = Limits(share=0.05, window_s=600, floor=3)


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE", logout_limits=LIMITS))
        yield provider


def fleet(provider: Provider, count: int) -> list[Phone]:
    """Phones of as many users; put into the database as their sign-in would."""
    one = provider.has_user("model@EXAMPLE")
    answer = provider.signs_in("model")
    kept = Argon2("x")
    provider.subscribers.put_all(Subscriber("EXAMPLE", f"user{number:05}", kept) for number in range(count))
    phones = []
    with provider.database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM subscriber WHERE id <> ? ORDER BY id", (one.id,)).all()
        for number, (user_id,) in enumerate(rows):
            phone = Phone(provider, "EXAMPLE", answer)
            phone.account |= {"X-install-id": f"I{number:05}"}
            phones.append(phone)
            row = NewInstall(f"I{number:05}", "EXAMPLE", user_id, token_of(provider, phone), "", "app", 1)
            connection.exec_driver_sql(
                "INSERT INTO install (id, cloud_id, subscriber_id, token_hash, device, user_agent, created_s)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                tuple(msgspec.structs.asdict(row).values()),
            )
    return phones


def token_of(provider: Provider, phone: Phone) -> bytes:
    return provider.tokens.of(Secret(phone.account["cloud_password"]))


def suspend_all(provider: Provider) -> None:
    users = list(provider.subscribers.all_of("EXAMPLE"))
    provider.subscribers.put_all(msgspec.structs.replace(user, state=State.SUSPENDED) for user in users)


def count(answers: list[Answer], status: int) -> int:
    return sum(answer.status == status for answer in answers)


# --- one and many ---


def test_a_single_logout_is_never_delayed(provider: Provider) -> None:
    """The only phone of a Cloud ID is all of its phones, and is let go nevertheless."""
    provider.has_user("johndow@EXAMPLE")
    phone = provider.phone()

    directory_of(provider).suspend("EXAMPLE", "johndow")

    assert phone.asks().status == 410
    assert provider.guarding.show() == []


def test_ten_thousand_suspended_by_one_command(provider: Provider) -> None:
    """The first within the limit go, the rest are held until they are released."""
    phones = fleet(provider, 10_000)

    suspend_all(provider)
    answers = [phone.asks() for phone in phones]
    provider.sightings.flush()
    (report,) = provider.guarding.show()

    assert [answer.status for answer in answers] == [410] * 3 + [503] * 9_997
    assert {answer.headers["Retry-After"] for answer in answers[3:]} == {"600"}
    assert (report.holding, report.count, report.reasons) == (True, 9_997, {Ending.SUSPENDED: 9_997})
    assert len(report.examples) == 10
    assert provider.guarding.release("EXAMPLE") == 9_997
    assert {phone.asks().status for phone in phones[::50]} == {410}


def test_the_limit_is_a_share_of_those_who_ask(provider: Provider) -> None:
    """Of a hundred phones that asked within the window, five are let go."""
    phones = fleet(provider, 100)
    for phone in phones:
        assert phone.asks().status == 200

    suspend_all(provider)

    assert count([phone.asks() for phone in phones], 410) == 5


def test_a_restart_lets_nobody_go(provider: Provider) -> None:
    """What is held stays held, whoever answers; and a phone that was told may be told again."""
    phones = fleet(provider, 8)
    suspend_all(provider)
    before = [phone.asks().status for phone in phones]

    again = phones[0].asks().status
    provider.restart()

    assert before == [410, 410, 410, 503, 503, 503, 503, 503]
    assert again == 503
    assert {phone.asks().status for phone in phones} == {503}


def test_one_user_of_many_is_let_go(provider: Provider) -> None:
    """While the others are held, an administrator can let a single one go."""
    phones = fleet(provider, 8)
    suspend_all(provider)
    held = [phone for phone in phones if phone.asks().status == 503]

    released = provider.guarding.release_user("EXAMPLE", "user00007")

    assert released == 1
    assert held[-1].asks().status == 410
    assert held[0].asks().status == 503


def test_withdrawing(provider: Provider) -> None:
    """Suspended users are resumed, revoked installs active again; who is gone or has expired stays so."""
    phones = fleet(provider, 12)
    directory = directory_of(provider)
    for number in range(3, 6):
        provider.installs_desk.revoke(f"I{number:05}")
    directory.remove("EXAMPLE", "user00006")
    directory.change("EXAMPLE", "user00007", Change(expires_s=1))
    for name in ("user00000", "user00001", "user00002", "user00008", "user00009"):
        directory.suspend("EXAMPLE", name)
    first = [phone.asks().status for phone in phones]
    provider.sightings.flush()

    plan = provider.guarding.plan("EXAMPLE")
    done = provider.guarding.cancel("EXAMPLE")
    with pytest.raises(NotFound, match="being held back"):
        provider.guarding.cancel("EXAMPLE")
    after = [phone.asks().status for phone in phones]

    assert first == [410] * 3 + [503] * 7 + [200] * 2
    assert plan == done == Cancellation("EXAMPLE", resumed=2, reactivated=3, staying=2)
    assert {*after[3:6], *after[8:10]} == {200}


def test_decisions_after_a_release_are_counted_anew(provider: Provider) -> None:
    """What was released is over; the next one goes at once, and the next mistake is caught as well."""
    phones = fleet(provider, 20)
    directory = directory_of(provider)
    for number in range(8):
        directory.suspend("EXAMPLE", f"user{number:05}")
    for phone in phones[:8]:
        phone.asks()
    provider.guarding.release("EXAMPLE")
    provider.clock.time_s += 5

    for number in range(8, 16):
        directory.suspend("EXAMPLE", f"user{number:05}")
    statuses = [phone.asks().status for phone in phones[:16]]

    assert statuses == [410] * 11 + [503] * 5


def test_a_held_phone_that_left_by_itself_waits_no_more(provider: Provider) -> None:
    """Its report ends the install, and there is nothing left to hold back."""
    phones = fleet(provider, 5)
    suspend_all(provider)
    for phone in phones:
        phone.asks()
    provider.sightings.flush()

    phones[4].reports()

    assert provider.guarding.show("EXAMPLE")[0].count == 1


def test_the_guard_that_cannot_be_kept_holds_nevertheless(provider: Provider) -> None:
    """When a trip cannot be written, the phone is told to come back, not to leave."""
    phones = fleet(provider, 5)
    suspend_all(provider)
    provider.database._writer.execute("PRAGMA query_only=ON")

    assert [phone.asks().status for phone in phones] == [410] * 3 + [503] * 2

    with pytest.raises(Unavailable):
        provider.sightings.flush()
    provider.database._writer.execute("PRAGMA query_only=OFF")
    assert provider.sightings.flush() > 0


# --- the window ---


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.integers(0, 40)), max_size=200))
def test_within_a_window_no_more_go_than_the_limit(steps: list[tuple[int, bool, int]]) -> None:
    """At any time, those who went within the last window are at most the floor, or the share of those who asked."""
    limits = Limits(share=0.25, window_s=60, floor=2)
    window, now_s = Window(), 0.0
    asked, gone = dict[str, float](), dict[str, float]()
    for number, leaves, seconds in steps:
        now_s += seconds
        install = str(number)
        window.asked(install, now_s, limits)
        asked[install] = now_s
        if not leaves:
            continue
        recent = [at_s for at_s in asked.values() if at_s > now_s - 60]
        known = {name for name, at_s in gone.items() if at_s > now_s - 60}
        if window.lets_go(install, now_s, limits) and install not in known:
            assert len(known) < max(2, 0.25 * len(recent))
            gone[install] = now_s


def test_notes_are_kept_some_at_once(provider: Provider) -> None:
    """However many there are, no transaction holds the database for long, and nothing is lost between two of them."""
    phones = fleet(provider, AT_ONCE + 5)
    for phone in phones:
        phone.asks()
        phone.asks()
    provider.installs()

    noted = provider.sightings.flush()

    installs = list(provider.installs_desk.of_cloud_id("EXAMPLE"))
    assert noted == AT_ONCE + 5
    assert sum(one.is_current and one.seen_s == provider.clock.now_s() for one in installs) == AT_ONCE + 5
    assert provider.sightings.flush() == 0
