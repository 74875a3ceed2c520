"""How often somebody may try, who has to wait, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.errors import TooMany
from offhook.provider.limits import Attempts, Buckets, Limits, Rate, network_of

LIMITS = Limits()
ANN, STRANGER, OFFICE = "ann", "198.51.100.9", "192.0.2.1"


def guess(attempts: Attempts, now_s: float, address: str = STRANGER, user: str = ANN) -> bool:
    """Whether a wrong password could be tried."""
    try:
        attempts.failed(attempts.begin("EXAMPLE", user, address, now_s))
    except TooMany:
        return False
    return True


def sign_in(attempts: Attempts, now_s: float, address: str = OFFICE, user: str = ANN) -> bool:
    """Whether the right password could be tried."""
    try:
        attempts.withdraw(attempts.begin("EXAMPLE", user, address, now_s))
    except TooMany:
        return False
    return True


def test_a_burst_and_then_one_at_a_time() -> None:
    """After ten wrong passwords from one address, the next may be tried ten seconds later."""
    attempts = Attempts(LIMITS)

    assert sum(guess(attempts, 0) for _ in range(20)) == 10
    assert not guess(attempts, 9.9)
    assert guess(attempts, 10)
    assert not guess(attempts, 10)


def test_many_addresses_share_the_tries_of_a_user() -> None:
    """After twenty wrong passwords from wherever, the next may be tried five seconds later."""
    attempts = Attempts(LIMITS)

    assert sum(guess(attempts, 0, f"203.0.113.{number}") for number in range(40)) == 20
    assert not guess(attempts, 4.9, OFFICE)
    assert guess(attempts, 5, OFFICE)
    assert not guess(attempts, 5, "203.0.113.99")


def test_it_says_how_long_to_wait() -> None:
    """The wait is in whole seconds, rounded up, and is long enough."""
    attempts = Attempts(LIMITS)
    while guess(attempts, 0):
        pass

    with pytest.raises(TooMany) as caught:
        attempts.begin("EXAMPLE", ANN, STRANGER, 1.5)

    assert caught.value.retry_after_s == 9
    assert sign_in(attempts, 1.5 + 9, STRANGER)


def test_a_success_does_not_count() -> None:
    """Signing in again and again is no attack."""
    attempts = Attempts(LIMITS)

    assert all(sign_in(attempts, 0) for _ in range(1000))


def test_an_office_signs_in_together() -> None:
    """Hundreds of phones behind one address are all under way at once, and none of them has to wait."""
    attempts = Attempts(LIMITS)

    under_way = [attempts.begin("EXAMPLE", f"user{number}", OFFICE, 0) for number in range(500)]

    assert len(under_way) == 500


def test_one_user_has_so_many_sign_ins_under_way() -> None:
    """Right passwords count while they are being checked: of sixty at once from one address ten are, then ten more."""
    attempts = Attempts(LIMITS)
    under_way = [attempts.begin("EXAMPLE", ANN, OFFICE, 0) for _ in range(10)]
    with pytest.raises(TooMany):
        attempts.begin("EXAMPLE", ANN, OFFICE, 0)

    for attempt in under_way:
        attempts.withdraw(attempt)

    assert len([attempts.begin("EXAMPLE", ANN, OFFICE, 0) for _ in range(10)]) == 10


def test_many_at_once_are_no_way_around_the_limit() -> None:
    """A guess counts from the moment it begins, not when its answer is known."""
    attempts = Attempts(LIMITS)
    for _ in range(10):
        attempts.begin("EXAMPLE", ANN, STRANGER, 0)

    with pytest.raises(TooMany):
        attempts.begin("EXAMPLE", ANN, STRANGER, 0)


def test_a_stranger_cannot_lock_a_user_out() -> None:
    """However eagerly one address guesses a name, from the first second on its owner elsewhere never has to wait."""
    attempts = Attempts(LIMITS)

    for second in range(3600):
        while guess(attempts, second):
            pass

        assert sign_in(attempts, second)


def test_a_stranger_cannot_try_many_names() -> None:
    """One address that tries another name each time is limited too, without harm to the users of other addresses."""
    attempts = Attempts(LIMITS)

    tried = sum(guess(attempts, 0, user=f"user{number}") for number in range(100))

    assert tried == LIMITS.address.burst
    assert sign_in(attempts, 0, user="user5")


def test_what_was_refused_costs_nothing() -> None:
    """An address that has to wait does not use up the attempts of the name it asks for."""
    attempts = Attempts(LIMITS)
    for number in range(LIMITS.address.burst):
        guess(attempts, 0, user=f"user{number}")

    for _ in range(100):
        guess(attempts, 0, user=ANN)

    assert all(guess(attempts, 0, address=f"203.0.113.{number}") for number in range(10))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_household_is_one_address(address: str, network: str) -> None:
    """The first 64 bits count, since the rest is at everybody's own choice."""
    assert network_of(address) == network


RATE = Rate(burst=3, every_s=2)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 5), st.booleans()), max_size=60))
def test_never_more_than_burst_and_rate(steps: list[tuple[str, float, bool]]) -> None:
    """Over any time, no name takes more than a burst and what trickled in since."""
    buckets = Buckets(RATE, 100)
    now_s, taken = 0.0, {"a": 0, "b": 0}

    for name, later_s, back in steps:
        now_s += later_s
        if buckets.wait_s(name, now_s) == 0:
            buckets.take(name, now_s)
            taken[name] += 1
            if back:
                buckets.give_back(name)
                taken[name] -= 1

        assert taken[name] <= RATE.burst + now_s / RATE.every_s + 1e-6


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 3)), max_size=300))
def test_memory_is_bounded(steps: list[tuple[int, float]]) -> None:
    """However many names are tried, at most so many are known; one that is full again is not kept."""
    buckets = Buckets(RATE, 10)
    now_s = 0.0

    for name, later_s in steps:
        now_s += later_s
        buckets.take(str(name), now_s)

        assert len(buckets) <= 10

    buckets.take("last", now_s + RATE.burst * RATE.every_s * 3)
    assert len(buckets) == 1


def test_what_is_owed_has_an_end() -> None:
    """Who took very many at once waits for two bursts at most."""
    buckets = Buckets(RATE, 10)

    for _ in range(100):
        buckets.take("a", 0)

    assert buckets.wait_s("a", 0) == (RATE.burst + 1) * RATE.every_s


def test_a_clock_set_back_gives_nothing() -> None:
    """Time that goes back neither gives attempts nor takes them."""
    buckets = Buckets(RATE, 10)
    for _ in range(3):
        buckets.take("a", 100)

    assert buckets.wait_s("a", 50) == RATE.every_s
