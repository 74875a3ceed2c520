"""Around any upstream: what is asked once, how many ask at once, and what happens while it is down."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Secret
from offhook.identity.asking import Deadline, Late, Untold
from offhook.identity.watch import FAILURES, MAX_PAUSE_S, PAUSE_S, Watched, Wrong
from offhook.provider.upstream import Vouched

RIGHT, WRONG = Secret("right"), Secret("wrong")
ANN = Vouched("ann")


class Seconds:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Source:
    """Knows one password, and counts; `trouble` may raise."""

    def __init__(self) -> None:
        self.asked = 0
        self.trouble: Callable[[], None] = lambda: None
        self.closed = False

    def vouch(self, username: str, password: Secret) -> Vouched | None:
        self.asked += 1
        self.trouble()
        return ANN if password == RIGHT else None

    def look_up(self, username: str) -> Vouched | None:
        self.asked += 1
        self.trouble()
        return ANN

    def faults(self) -> tuple[str, ...]:
        return ("a fault",)

    def close(self) -> None:
        self.closed = True


def watched(source: Source, clock: Seconds, **further: float) -> Watched:
    return Watched(source, wrong_s=further.get("wrong_s", 30), at_once=2, wait_s=0.05, clock=clock)


def fail(error: Exception) -> Callable[[], None]:
    def trouble() -> None:
        raise error

    return trouble


def test_a_wrong_password_is_remembered_for_a_while() -> None:
    """For its name alone; the right one is asked at once."""
    source, clock = Source(), Seconds()
    upstream = watched(source, clock)

    assert [upstream.vouch("ann", WRONG) for _ in range(5)] == [None] * 5
    assert source.asked == 1
    assert upstream.vouch("ann", RIGHT) == ANN
    assert upstream.vouch("annw", Secret("rong")) is None
    assert source.asked == 3

    clock.now_s += 31

    assert upstream.vouch("ann", WRONG) is None
    assert source.asked == 4


def test_only_a_no_is_remembered() -> None:
    """A yes may be one no more, and whoever is locked may be let in at any moment."""
    source, clock = Source(), Seconds()
    upstream = watched(source, clock)
    upstream.vouch("ann", RIGHT)
    upstream.vouch("ann", RIGHT)

    source.trouble = fail(Refused("locked"))
    for _ in range(3):
        with pytest.raises(Refused):
            upstream.vouch("ann", WRONG)

    assert source.asked == 5
    source.trouble = lambda: None
    never = watched(source, clock, wrong_s=0)
    assert [never.vouch("ann", WRONG) for _ in range(3)] == [None] * 3
    assert source.asked == 8


def test_what_is_remembered_has_an_end() -> None:
    """The oldest goes first, and nothing shows what it is."""
    clock = Seconds()
    wrong = Wrong(30, clock, most=2)

    for name in ("a", "b", "c"):
        with wrong.asking(name, WRONG) as asking:
            asking.known = True

    known = []
    for name in ("c", "b", "a"):
        with wrong.asking(name, WRONG) as asking:
            known.append(asking.known)
    assert known == [True, True, False]
    assert repr(wrong) == "Wrong(2)"


def test_while_it_is_down_nobody_waits_for_it() -> None:
    """After some failures it is left alone; then one tries, after ever longer pauses, until it answers."""
    source, clock = Source(), Seconds()
    upstream = watched(source, clock)
    source.trouble = fail(Unavailable("down"))

    def ask() -> int:
        with pytest.raises(Unavailable) as raised:
            upstream.look_up("ann")
        return raised.value.retry_after_s

    for _ in range(FAILURES):
        ask()
    assert ask() == PAUSE_S
    assert source.asked == FAILURES

    pause_s = PAUSE_S
    for number in range(1, 8):
        clock.now_s += pause_s
        ask()
        assert source.asked == FAILURES + number
        pause_s = min(pause_s * 2, MAX_PAUSE_S)
        assert ask() == pause_s
    clock.now_s += pause_s
    source.trouble = lambda: None
    assert upstream.look_up("ann") == ANN
    source.trouble = fail(Unavailable("down"))
    for _ in range(FAILURES):
        ask()
    assert ask() == PAUSE_S


@pytest.mark.parametrize("error", [Refused("no"), Untold("not without a password")])
def test_an_answer_is_no_failure(error: Exception) -> None:
    """Whoever says no, or cannot tell of one user, is there; nobody can shut out others by it."""
    source, clock = Source(), Seconds()
    upstream = watched(source, clock)
    source.trouble = fail(error)

    for _ in range(FAILURES * 3):
        with pytest.raises(type(error)):
            upstream.look_up("ann")

    assert source.asked == FAILURES * 3


def test_a_fault_of_ours_does_not_shut_it_for_ever() -> None:
    """Something that nobody thought of counts as a failure, and is tried again like one."""
    source, clock = Source(), Seconds()
    upstream = watched(source, clock)
    source.trouble = fail(ZeroDivisionError())
    for _ in range(FAILURES):
        with pytest.raises(ZeroDivisionError):
            upstream.look_up("ann")

    clock.now_s += PAUSE_S
    source.trouble = lambda: None

    assert upstream.look_up("ann") == ANN


def test_not_too_many_ask_at_once() -> None:
    """Others wait a moment, and are told to come back."""
    source, clock = Source(), Seconds()
    upstream = watched(source, clock)
    inside, on = threading.Semaphore(0), threading.Event()

    def wait() -> None:
        inside.release()
        on.wait(10)

    source.trouble = wait
    askers = [threading.Thread(target=upstream.look_up, args=("ann",)) for _ in range(2)]
    for asker in askers:
        asker.start()
        inside.acquire(timeout=10)

    with pytest.raises(Unavailable):
        upstream.look_up("ann")

    on.set()
    for asker in askers:
        asker.join()
    assert source.asked == 2


def test_an_operator_reaches_what_is_inside() -> None:
    """To examine it as it is now, and to end."""
    source = Source()
    upstream = watched(source, Seconds())

    assert upstream.faults() == ("a fault",)
    upstream.close()
    assert source.closed


def test_a_deadline_is_for_all_steps() -> None:
    """What one step takes the others have no more."""
    clock = Seconds()
    deadline = Deadline(5, clock)

    assert deadline.left_s() == 5
    assert deadline.left_s(2) == 2
    clock.now_s += 4.5
    assert deadline.left_s(2) == 0.5
    clock.now_s += 1
    with pytest.raises(Late):
        deadline.left_s()
