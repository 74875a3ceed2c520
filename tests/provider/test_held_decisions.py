"""What becomes of decisions that the fleet guard holds: undone, released, and those that a date makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from offhook.core.errors import NotFound, Unavailable
from offhook.provider.change import Change, Never
from offhook.provider.guarding import Cancellation
from offhook.provider.ports import Ending
from offhook.provider.subscriber import State
from offhook.provider.tenant import Tenant
from tests.world_directory import directory_of
from tests.world_fleet import LIMITS, cancel_all, fleet, held, release_all, statuses, suspend_all, until_now
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
    numbers = held(provider)

    plan = provider.guarding.plan("EXAMPLE", numbers)
    done = cancel_all(provider)
    with pytest.raises(NotFound, match="being held back"):
        provider.guarding.cancel("EXAMPLE", numbers)

    assert first == {410: 4, 503: 36}
    assert plan == done == Cancellation("EXAMPLE", resumed=200, prolonged=0, endless=0, reactivated=0, staying=0, due=0)
    assert provider.subscribers.get("EXAMPLE", "user00003").state is State.SUSPENDED
    assert statuses(phones) == {200: 199, 410: 1}


def test_only_one_of_two_held_decisions_is_undone(provider: Provider) -> None:
    """The other one waits on."""
    phones = fleet(provider, 40)
    users = list(provider.subscribers.all_of("EXAMPLE"))[1:]
    for some in (users[:20], users[20:]):
        provider.subscribers.put_all(msgspec.structs.replace(user, state=State.SUSPENDED) for user in some)
    statuses(phones)

    done = provider.guarding.cancel("EXAMPLE", [2])

    assert done.resumed == 20
    assert statuses(phones) == {410: 3, 503: 17, 200: 20}
    assert provider.guarding.release("EXAMPLE", [1]) == 17


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

    done = cancel_all(provider)

    assert first == {410: 3, 503: 9}
    assert done == Cancellation("EXAMPLE", resumed=0, prolonged=0, endless=0, reactivated=7, staying=1, due=0)
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
    release_all(provider)
    until_now(provider, 5)

    for number in range(8, 16):
        directory.suspend("EXAMPLE", f"user{number:05}")

    assert first == {410: 3, 503: 5}
    assert [phone.asks().status for phone in phones[:16]] == [410] * 11 + [503] * 5


def test_a_release_lets_go_what_was_shown_and_nothing_else(provider: Provider) -> None:
    """Neither a mistake of which nobody was told yet, nor one made while somebody makes up their mind."""
    phones = fleet(provider, 60)
    users = list(provider.subscribers.all_of("EXAMPLE"))[1:]

    def suspend(some: slice) -> None:
        now_s = provider.clock.now_s()
        provider.subscribers.put_all(
            msgspec.structs.replace(one, state=State.SUSPENDED, changed_s=now_s) for one in users[some]
        )

    suspend(slice(0, 20))
    statuses(phones[:20])
    until_now(provider, 3600)
    suspend(slice(20, 40))
    shown = held(provider)
    statuses(phones[20:30])
    suspend(slice(40, 60))

    waited = provider.guarding.release("EXAMPLE", shown)

    assert (shown, waited) == ((1,), 17)
    assert statuses(phones[:20]) == {410: 20}
    assert statuses(phones[20:]) == {410: 3, 503: 37}
    assert provider.guarding.release("EXAMPLE", [2]) == 17
    assert statuses(phones[20:]) == {410: 20, 503: 20}


def test_what_is_only_going_on_goes_by_its_number(provider: Provider) -> None:
    """It is not held, so it is neither released with the others nor undone; whoever names it lets it go."""
    phones = fleet(provider, 20)
    suspend_all(provider)

    with pytest.raises(NotFound, match="No decision of EXAMPLE"):
        release_all(provider)
    with pytest.raises(NotFound, match="Decision 1 of EXAMPLE is not"):
        provider.guarding.cancel("EXAMPLE", [1])

    assert provider.guarding.waiting("EXAMPLE", [1]) == provider.guarding.release("EXAMPLE", [1]) == 21
    assert statuses(phones) == {410: 20}


def test_a_burst_that_is_counted_ends_with_its_window(provider: Provider) -> None:
    """Who removes a few each day does not reach the limit one day for having done so for long."""
    phones = fleet(provider, 20)
    users = list(provider.subscribers.all_of("EXAMPLE"))[1:]
    seen = []

    for first in range(0, 20, 4):
        until_now(provider, 400)
        provider.subscribers.put_all(
            msgspec.structs.replace(one, state=State.SUSPENDED, changed_s=provider.clock.now_s())
            for one in users[first : first + 4]
        )
        seen.append(phones[first].asks().status)

    assert seen == [410] * 5


@pytest.mark.parametrize("how", ["held", "counted", "free"])
def test_who_was_revoked_with_many_and_is_removed_alone_goes(provider: Provider, how: str) -> None:
    """Whoever removes one user has looked at them; what went already is not held by it either."""
    phones = fleet(provider, 12)
    count = {"held": 12, "counted": 4, "free": 2}[how]
    for number in range(count):
        provider.installs_desk.revoke(f"I{number:05}")
    statuses(phones if how == "held" else [])
    until_now(provider, 1000)
    if how == "free":
        for number in range(2, 12):
            directory_of(provider).suspend("EXAMPLE", f"user{number:05}")
        statuses(phones[2:])

    directory_of(provider).remove("EXAMPLE", f"user{count - 1:05}")

    assert phones[count - 1].asks().status == 410


def test_what_is_over_is_forgotten_after_half_a_year(provider: Provider) -> None:
    """Released or with nobody left to tell, with who went by it; a decision that a phone is yet to hear of stays."""
    phones = fleet(provider, 20)
    users = list(provider.subscribers.all_of("EXAMPLE"))[1:]
    for some in (users[:10], users[10:15], users[15:19]):
        until_now(provider, 2000)
        now_s = provider.clock.now_s()
        provider.subscribers.put_all(
            msgspec.structs.replace(user, state=State.SUSPENDED, changed_s=now_s) for user in some
        )
    statuses(phones[:10])
    release_all(provider)
    statuses(phones[10:13])
    for number in (13, 14):
        directory_of(provider).resume("EXAMPLE", f"user{number:05}")
    until_now(provider, 190 * 86400)

    directory_of(provider).suspend("EXAMPLE", "user00019")

    kept = provider.database.reader.execute("SELECT no FROM decision ORDER BY no").fetchall()
    gone = provider.database.reader.execute("SELECT decision FROM departure").fetchall()
    assert (kept, gone) == ([(3,), (4,)], [])
    assert statuses(phones) == {410: 17, 200: 2, 503: 1}


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
    release_all(provider)
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
    release_all(provider)
    until_now(provider, 30 * 86400)
    directory.change("EXAMPLE", "user00050", Change(expires_s=provider.clock.time_s + 86400))

    users, now_s = list(provider.subscribers.all_of("EXAMPLE"))[6:], provider.clock.time_s
    provider.subscribers.put_all(
        msgspec.structs.replace(user, expires_s=now_s - 31 * 86400, changed_s=now_s) for user in users
    )
    seen = statuses(phones[5:])
    done = cancel_all(provider)

    assert seen == {410: 3, 503: 92}
    assert done == Cancellation("EXAMPLE", resumed=0, prolonged=95, endless=94, reactivated=0, staying=0, due=0)
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
    release_all(provider)
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

    done = cancel_all(provider)
    back = statuses(phones)
    provider.clock.time_s = day_s

    assert (ahead, back) == ({410: 3, 503: 17}, {200: 20})
    assert done.prolonged == 0
    assert statuses(phones) == {410: 3, 503: 17}


def test_a_date_found_over_too_early_is_forgotten_when_a_phone_asks(provider: Provider) -> None:
    """Nobody has to release anything: when the days come, each account goes on its own."""
    phones = fleet(provider, 20)
    for number in range(20):
        directory_of(provider).change("EXAMPLE", f"user{number:05}", Change(expires_s=NOON_S + (number + 1) * 86400))
    provider.clock.time_s += 3 * 365 * 86400
    ahead = phones[0].asks().status
    provider.clock.time_s = NOON_S
    back = phones[0].asks().status

    seen = []
    for phone in phones:
        until_now(provider, 86400)
        seen.append(phone.asks().status)

    assert (ahead, back) == (410, 200)
    assert seen == [410] * 20


def test_undoing_takes_nobodys_own_date_away(provider: Provider) -> None:
    """Accounts that came due stay held with their date; one that is prolonged goes on."""
    phones = fleet(provider, 20)
    for number in range(20):
        directory_of(provider).change("EXAMPLE", f"user{number:05}", Change(expires_s=NOON_S + 3600))
        until_now(provider, 1)
    until_now(provider, 3600)
    statuses(phones)

    plan = provider.guarding.plan("EXAMPLE", held(provider))
    done = cancel_all(provider)
    directory_of(provider).change("EXAMPLE", "user00019", Change(expires_s=NOON_S + 86400))

    assert plan == done
    assert done == Cancellation("EXAMPLE", resumed=0, prolonged=0, endless=0, reactivated=0, staying=0, due=20)
    assert provider.subscribers.get("EXAMPLE", "user00000").expires_s == NOON_S + 3600
    assert statuses(phones) == {410: 3, 503: 16, 200: 1}
    assert release_all(provider) == 17


@pytest.mark.parametrize("meanwhile", ["prolonged", "endless", "removed"])
def test_an_account_that_changed_while_its_phone_asked_is_not_over(provider: Provider, meanwhile: str) -> None:
    """Nothing is decided, and the phone asks again."""
    fleet(provider, 1)
    directory = directory_of(provider)
    directory.change("EXAMPLE", "user00000", Change(expires_s=NOON_S + 10))
    user = provider.subscribers.get("EXAMPLE", "user00000")
    until_now(provider, 20)
    match meanwhile:
        case "prolonged":
            directory.change("EXAMPLE", "user00000", Change(expires_s=NOON_S + 30))
        case "endless":
            directory.change("EXAMPLE", "user00000", Change(expires_s=Never()))
        case _:
            directory.remove("EXAMPLE", "user00000")
    before = provider.database.reader.execute("SELECT count(*) FROM decision").fetchone()

    with pytest.raises(Unavailable, match="changed meanwhile"):
        provider.loop.run(provider.life.come_due("EXAMPLE", user.id, provider.clock.now_s()))

    assert provider.database.reader.execute("SELECT count(*) FROM decision").fetchone() == before


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
