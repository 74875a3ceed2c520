"""What becomes of decisions that the fleet guard holds: undone, released, and those that a date makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from offhook.core.errors import NotFound
from offhook.provider.change import Change, Never
from offhook.provider.guarding import Cancellation
from offhook.provider.ports import Ending
from offhook.provider.subscriber import State
from offhook.provider.tenant import Tenant
from tests.world_directory import directory_of
from tests.world_fleet import LIMITS, fleet, statuses, suspend_all, until_now
from tests.world_provider import NOON_S, Provider


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE", logout_limits=LIMITS))
        yield provider


# --- undoing ---


def test_undoing_a_mistake(provider: Provider) -> None:
    """All of it is undone, whether a phone asked or not, and nothing else: what was decided before stays."""
    phones = fleet(provider, 200)
    directory_of(provider).suspend("EXAMPLE", "user00003")
    until_now(provider, 90 * 86400)
    suspend_all(provider)
    first = statuses(phones[:40])

    plan = provider.guarding.plan("EXAMPLE")
    done = provider.guarding.cancel("EXAMPLE")
    with pytest.raises(NotFound, match="being held back"):
        provider.guarding.cancel("EXAMPLE")

    assert first == {410: 4, 503: 36}
    assert plan == done == Cancellation("EXAMPLE", resumed=200, prolonged=0, reactivated=0, staying=0)
    assert provider.subscribers.get("EXAMPLE", "user00003").state is State.SUSPENDED
    assert statuses(phones) == {200: 199, 410: 1}


def test_only_one_of_two_held_decisions_is_undone(provider: Provider) -> None:
    """The other one waits on."""
    phones = fleet(provider, 40)
    users = list(provider.subscribers.all_of("EXAMPLE"))[1:]
    for some in (users[:20], users[20:]):
        provider.subscribers.put_all(msgspec.structs.replace(user, state=State.SUSPENDED) for user in some)
    statuses(phones)

    done = provider.guarding.cancel("EXAMPLE", 2)

    assert done.resumed == 20
    assert statuses(phones) == {410: 3, 503: 17, 200: 20}
    assert provider.guarding.release("EXAMPLE", 1) == 17


def test_revoked_installs_come_back_whole(provider: Provider) -> None:
    """With their push tokens, unless their phone was told or has left; those of removed users stay held."""
    phones = fleet(provider, 12)
    for phone in phones:
        phone.reports("/prov/push-token", pushToken="abc")
    for number in range(11):
        provider.installs_desk.revoke(f"I{number:05}")
    directory_of(provider).remove("EXAMPLE", "user00011")
    first = statuses(phones)
    provider.sightings.flush()
    phones[9].reports()

    done = provider.guarding.cancel("EXAMPLE")

    assert first == {410: 3, 503: 9}
    assert done == Cancellation("EXAMPLE", resumed=0, prolonged=0, reactivated=7, staying=1)
    tokens = [bool(install["push_token"]) for install in provider.installs() if install["id"].startswith("I")]
    assert tokens == [False] * 3 + [True] * 6 + [False, True, False]
    assert [phone.asks().status for phone in phones] == [410] * 3 + [200] * 6 + [410, 200, 503]


def test_decisions_after_a_release_are_counted_anew(provider: Provider) -> None:
    """What was released is over; the next one goes at once, and the next mistake is caught as well."""
    phones = fleet(provider, 20)
    directory = directory_of(provider)
    for number in range(8):
        directory.suspend("EXAMPLE", f"user{number:05}")
    first = statuses(phones[:8])
    provider.guarding.release("EXAMPLE")
    until_now(provider, 5)

    for number in range(8, 16):
        directory.suspend("EXAMPLE", f"user{number:05}")

    assert first == {410: 3, 503: 5}
    assert [phone.asks().status for phone in phones[:16]] == [410] * 11 + [503] * 5


@pytest.mark.parametrize("skew_s", [3 * 365 * 86400, -3 * 365 * 86400])
def test_no_clock_disarms_the_guard(provider: Provider, skew_s: int) -> None:
    """One edit and a release by a wrong clock confirm nothing that is decided later, and delay no single logout."""
    phones = fleet(provider, 100)
    directory = directory_of(provider)
    until_now(provider, skew_s)
    directory.change("EXAMPLE", "user00099", Change(attributes={"a": "b"}))
    for number in range(5):
        directory.suspend("EXAMPLE", f"user{number:05}")
    statuses(phones[:5])
    provider.guarding.release("EXAMPLE")
    until_now(provider, 200 * 86400 - skew_s)

    directory.suspend("EXAMPLE", "user00098")
    alone = phones[98].asks().status
    suspend_all(provider)

    assert alone == 410
    assert statuses(phones[5:98]) == {410: 2, 503: 91}


# --- dates ---


def test_a_wrong_column_of_dates_is_held(provider: Provider) -> None:
    """Also after a release; and undone, each account has the date that it had."""
    phones = fleet(provider, 100)
    directory = directory_of(provider)
    for number in range(5):
        directory.suspend("EXAMPLE", f"user{number:05}")
    statuses(phones[:5])
    provider.guarding.release("EXAMPLE")
    until_now(provider, 30 * 86400)
    directory.change("EXAMPLE", "user00050", Change(expires_s=provider.clock.time_s + 86400))

    users, now_s = list(provider.subscribers.all_of("EXAMPLE"))[6:], provider.clock.time_s
    provider.subscribers.put_all(
        msgspec.structs.replace(user, expires_s=now_s - 31 * 86400, changed_s=now_s) for user in users
    )
    seen = statuses(phones[5:])
    done = provider.guarding.cancel("EXAMPLE")

    assert seen == {410: 3, 503: 92}
    assert done == Cancellation("EXAMPLE", resumed=0, prolonged=95, reactivated=0, staying=0)
    assert statuses(phones[5:]) == {200: 95}
    assert provider.subscribers.get("EXAMPLE", "user00050").expires_s == provider.clock.time_s + 86400


def test_dates_that_come_together_are_one_decision(provider: Provider) -> None:
    """Set long ago, one by one; when the day comes, the same limit counts, and nobody made it that day."""
    phones = fleet(provider, 40)
    directory = directory_of(provider)
    for number in range(40):
        until_now(provider, 3600)
        directory.change("EXAMPLE", f"user{number:05}", Change(expires_s=NOON_S + 90 * 86400))
    before = statuses(phones)

    until_now(provider, 90 * 86400)
    after = statuses(phones)

    assert (before, after) == ({200: 40}, {410: 3, 503: 37})
    (decision,) = provider.guarding.show()[0].decisions
    assert (decision.author, decision.users, decision.reason) == ("", 40, Ending.EXPIRED)
    provider.guarding.release("EXAMPLE")
    assert statuses(phones) == {410: 40}


def test_few_dates_that_come_go_at_once(provider: Provider) -> None:
    """As on any ordinary day, also while others are held."""
    phones = fleet(provider, 20)
    for number in (18, 19):
        directory_of(provider).change("EXAMPLE", f"user{number:05}", Change(expires_s=NOON_S + 100))
    users = list(provider.subscribers.all_of("EXAMPLE"))[1:19]
    provider.subscribers.put_all(msgspec.structs.replace(user, state=State.SUSPENDED) for user in users)
    held = statuses(phones[:18])

    until_now(provider, 200)

    assert held == {410: 3, 503: 15}
    assert statuses(phones[18:]) == {410: 2}


def test_a_clock_that_runs_ahead_takes_no_date_away(provider: Provider) -> None:
    """Found over too early, held and released or undone, accounts live on, and are judged when their day comes."""
    phones = fleet(provider, 20)
    day_s = NOON_S + 365 * 86400
    for number in range(20):
        directory_of(provider).change("EXAMPLE", f"user{number:05}", Change(expires_s=day_s))
    provider.clock.time_s += 3 * 365 * 86400
    ahead = statuses(phones)
    provider.clock.time_s = NOON_S

    done = provider.guarding.cancel("EXAMPLE")
    back = statuses(phones)
    provider.clock.time_s = day_s

    assert (ahead, back) == ({410: 3, 503: 17}, {200: 20})
    assert done.prolonged == 0
    assert statuses(phones) == {410: 3, 503: 17}


def test_a_date_taken_back_is_no_decision_any_more(provider: Provider) -> None:
    """Set anew, it is one of its own."""
    phones = fleet(provider, 8)
    directory = directory_of(provider)
    for number in range(8):
        directory.change("EXAMPLE", f"user{number:05}", Change(expires_s=NOON_S))
    first = statuses(phones)
    until_now(provider, 1000)

    directory.change("EXAMPLE", "user00007", Change(expires_s=Never()))
    stays = phones[7].asks().status
    directory.change("EXAMPLE", "user00007", Change(expires_s=NOON_S))

    assert (first, stays) == ({410: 3, 503: 5}, 200)
    assert phones[7].asks().status == 410
