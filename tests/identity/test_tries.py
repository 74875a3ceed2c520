"""How often an upstream hears a wrong password for one user, whoever tries."""

from __future__ import annotations

import pytest

from offhook.core.errors import Refused, TooMany, Unavailable
from offhook.identity.tries import Tries


class Seconds:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def tries(clock: Seconds) -> Tries:
    return Tries(3, 600, clock)


def asked(tries: Tries, user: str = "ann", *, right: bool = False) -> bool:
    """Whether it was asked about at all."""
    try:
        with tries.one(user) as trying:
            trying.right = right
    except TooMany:
        return False
    return True


def test_after_some_wrong_ones_there_is_a_rest(tries: Tries, clock: Seconds) -> None:
    """From the last one that the upstream heard: whoever goes on trying is not heard, and keeps nobody out longer."""
    heard = []
    for minute in range(0, 60, 2):
        clock.now_s = minute * 60
        heard += [minute] * asked(tries, " ANN ")

    assert heard == [0, 2, 4, 14, 16, 18, 28, 30, 32, 42, 44, 46, 56, 58]
    assert asked(tries, "ben")


def test_a_right_one_begins_anew(tries: Tries) -> None:
    """As with the directory's own count."""
    assert [asked(tries, right=right) for right in (False, False, True, False, False, False)] == [True] * 6
    assert not asked(tries, right=True)


def test_what_was_not_answered_does_not_count(tries: Tries) -> None:
    """What was refused does."""
    for error, heard in ((Unavailable("away"), 5), (Refused("locked"), 3)):
        for _ in range(heard):
            with pytest.raises(type(error)), tries.one("ann"):
                raise error

    with pytest.raises(TooMany) as late, tries.one("ann"):
        pass

    assert late.value.retry_after_s == 600


def test_those_under_way_count(tries: Tries) -> None:
    """Many at once are no way around it."""
    with tries.one("ann"), tries.one("ann"), tries.one("ann"):
        assert not asked(tries)


def test_an_upstream_that_locks_nobody(clock: Seconds) -> None:
    """Need not be spared."""
    free = Tries(0, 600, clock)

    assert all(asked(free) for _ in range(100))
