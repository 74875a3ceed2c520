"""The fleet limit (D22): a mistake logs out a few users and not all, and one user's logout is never delayed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.core.errors import Unavailable
from offhook.policy.fleetguard import Asking, Limits
from offhook.provider.change import Change
from offhook.provider.ports import Ending
from offhook.provider.sightings import AT_ONCE
from offhook.provider.subscriber import State
from offhook.provider.tenant import Tenant
from tests.world_directory import directory_of
from tests.world_fleet import LIMITS, fleet, release_all, statuses, suspend_all, until_now
from tests.world_provider import NOON_S, Provider


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE", logout_limits=LIMITS))
        yield provider


# --- one and many ---


def test_a_single_logout_is_never_delayed(provider: Provider) -> None:
    """The only phone of a Cloud ID is all of its phones, and is let go nevertheless."""
    provider.has_user("johndow@EXAMPLE")
    phone = provider.phone()

    directory_of(provider).suspend("EXAMPLE", "johndow")

    assert phone.asks().status == 410
    assert provider.guarding.show() == []


@pytest.mark.parametrize("how", ["suspend", "expire", "revoke", "remove"])
def test_a_single_logout_is_not_delayed_while_others_are_held(provider: Provider, how: str) -> None:
    """Whoever names one user has looked at them; the mistake that is held meanwhile is another decision."""
    phones = fleet(provider, 20)
    directory = directory_of(provider)
    users = [one for one in provider.subscribers.all_of("EXAMPLE") if one.username < "user00019"]
    provider.subscribers.put_all(msgspec.structs.replace(user, state=State.SUSPENDED) for user in users)
    held = statuses(phones[:19])

    match how:
        case "suspend":
            directory.suspend("EXAMPLE", "user00019")
        case "expire":
            directory.change("EXAMPLE", "user00019", Change(expires_s=NOON_S - 1))
        case "revoke":
            provider.installs_desk.revoke_user("EXAMPLE", "user00019")
        case _:
            directory.remove("EXAMPLE", "user00019")

    assert held == {410: 3, 503: 16}
    assert phones[19].asks().status == 410


def test_one_user_with_many_phones_counts_once(provider: Provider) -> None:
    """Neither twelve phones of one user nor eleven reports that they left trip anything for others."""
    phones = fleet(provider, 8)
    provider.has_user("mallory@EXAMPLE")
    directory = directory_of(provider)
    mine = [provider.phone("mallory") for _ in range(12)]
    for phone in mine[:-1]:
        phone.reports()
    stragglers = statuses(mine[:-1])

    directory.suspend("EXAMPLE", "mallory")
    directory.suspend("EXAMPLE", "user00007")

    assert stragglers == {410: 11}
    assert [mine[-1].asks().status, phones[7].asks().status] == [410, 410]
    suspend_all(provider)
    assert statuses([*phones[:7], *mine]) == {410: 13, 503: 6}


def test_ten_thousand_suspended_by_one_command(provider: Provider) -> None:
    """The first within the limit go, the rest are held until they are released."""
    phones = fleet(provider, 10_000)

    suspend_all(provider)
    answers = [phone.asks() for phone in phones]
    (report,) = provider.guarding.show()

    assert [answer.status for answer in answers] == [410] * 3 + [503] * 9_997
    assert {answer.headers["Retry-After"] for answer in answers[3:]} == {"600"}
    (decision,) = report.decisions
    assert (report.held, report.count) == (1, 9_998)
    assert (decision.users, decision.gone, decision.held, decision.reason) == (10_001, 3, True, Ending.SUSPENDED)
    assert decision.examples == ("model", "user00000", "user00001", "user00002", "user00003")
    assert release_all(provider) == 9_998
    assert {phone.asks().status for phone in phones[::50]} == {410}


@pytest.mark.parametrize("how", ["suspend", "expire", "revoke", "remove"])
def test_a_loop_of_commands_is_one_mistake(provider: Provider, how: str) -> None:
    """Beyond the first, commands that each name one user are a burst, however long the loop takes."""
    phones = fleet(provider, 60)
    directory = directory_of(provider)

    for number in range(60):
        until_now(provider, 20)
        match how:
            case "suspend":
                directory.suspend("EXAMPLE", f"user{number:05}")
            case "expire":
                directory.change("EXAMPLE", f"user{number:05}", Change(expires_s=NOON_S))
            case "revoke":
                provider.installs_desk.revoke(f"I{number:05}")
            case _:
                directory.remove("EXAMPLE", f"user{number:05}")

    assert statuses(phones) == {410: 3, 503: 57}
    assert len(provider.guarding.show()[0].decisions) == 20


def test_the_limit_is_a_share_of_those_who_ask(provider: Provider) -> None:
    """Of a hundred users whose phones asked within the window, five are let go."""
    phones = fleet(provider, 100)
    assert statuses(phones) == {200: 100}

    suspend_all(provider)

    assert statuses(phones) == {410: 5, 503: 95}


def test_a_restart_lets_nobody_go(provider: Provider) -> None:
    """However often the server is started anew; and a phone that was told may be told again."""
    phones = fleet(provider, 60)
    suspend_all(provider)
    seen: Counter[int] = Counter()

    for start in range(0, 60, 3):
        seen += statuses(phones[start : start + 3])
        provider.restart()

    assert seen == {410: 3, 503: 57}
    assert statuses(phones) == {410: 3, 503: 57}


_PROCESS = """
import asyncio, sys, time
from pathlib import Path
from offhook.provider.fleetguard import FleetGuard
from offhook.storage.database import Database
from offhook.storage.life import LifeStore

async def main():
    database = Database(Path(sys.argv[1]))
    store = LifeStore(database)
    guard, gone = FleetGuard(store, time.monotonic), 0
    for number in range(200):
        number = number if sys.argv[2] == "up" else 199 - number
        standing = await store.standing("EXAMPLE", f"I{number:05}")
        if await guard.lets_go(standing, standing.decided):
            print(number)
    database.close()

asyncio.run(main())
"""


def test_two_processes_have_one_limit(provider: Provider, tmp_path: Path) -> None:
    """Both serve the same fleet at once; together they let no more users go than one."""
    fleet(provider, 200)
    suspend_all(provider)
    command = [sys.executable, "-c", _PROCESS, str(tmp_path / "provider.sqlite3")]

    servers = [subprocess.Popen([*command, way], stdout=subprocess.PIPE, text=True) for way in ("up", "down")]
    gone = {line for server in servers for line in server.communicate(timeout=60)[0].split()}

    assert [server.returncode for server in servers] == [0, 0]
    assert len(gone) == 3


def test_one_user_of_many_is_let_go(provider: Provider) -> None:
    """While the others are held, an administrator can let a single one go."""
    phones = fleet(provider, 8)
    suspend_all(provider)
    held = [phone for phone in phones if phone.asks().status == 503]

    released = provider.guarding.release_user("EXAMPLE", "user00007")

    assert released == 1
    assert held[-1].asks().status == 410
    assert held[0].asks().status == 503


def test_who_has_two_reasons_to_leave_goes_by_the_one_that_is_free(provider: Provider) -> None:
    """Being held for one mistake delays no decision on this user alone."""
    phones = fleet(provider, 8)
    suspend_all(provider)
    held = statuses(phones)

    directory_of(provider).change("EXAMPLE", "user00007", Change(expires_s=NOON_S))

    assert held == {410: 3, 503: 5}
    assert [phones[7].asks().status, phones[6].asks().status] == [410, 503]


# --- faults ---


def test_who_cannot_be_counted_does_not_go(provider: Provider) -> None:
    """When that somebody goes cannot be written down, the phone is told to come back, not to leave."""
    phones = fleet(provider, 5)
    suspend_all(provider)
    provider.database._writer.execute("PRAGMA query_only=ON")

    assert statuses(phones) == {503: 5}

    with pytest.raises(Unavailable):
        provider.sightings.flush()
    provider.database._writer.execute("PRAGMA query_only=OFF")
    assert provider.sightings.flush() > 0
    assert statuses(phones) == {410: 3, 503: 2}


# --- the laws ---


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60))
def test_a_user_who_asks_counts_once_within_a_window(steps: list[tuple[int, int]]) -> None:
    """As many are counted as asked within it."""
    asking, now_s, seen = Asking(), 0, dict[int, int]()
    for user, seconds in steps:
        now_s += seconds
        seen[user] = now_s
        asking.asked(user, now_s, Limits(window_s=60))
        assert asking.count() == sum(at_s > now_s - 60 for at_s in seen.values())


COMMANDS = st.lists(
    st.tuples(st.sampled_from(["one", "many", "ask", "restart", "wait"]), st.integers(0, 29)), max_size=40
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=COMMANDS)
def test_what_nobody_confirmed_logs_few_out(
    tmp_path_factory: pytest.TempPathFactory, commands: list[tuple[str, int]]
) -> None:
    """Within a window no more than the limit go, however users are suspended and phones ask."""
    with closing(Provider(tmp_path_factory.mktemp("law"))) as provider:
        provider.has_tenant(Tenant("EXAMPLE", logout_limits=LIMITS))
        phones = fleet(provider, 30)
        gone, waited = set[int](), 0
        for command, number in commands:
            match command:
                case "one":
                    directory_of(provider).suspend("EXAMPLE", f"user{number:05}")
                case "many":
                    suspend_all(provider)
                case "ask":
                    gone |= {number} if phones[number].asks().status == 410 else set()
                case "restart":
                    provider.restart()
                case _:
                    until_now(provider, 601)
                    waited += 1
        assert len(gone) <= LIMITS.floor * (waited + 1)


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
