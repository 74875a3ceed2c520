"""When the next question is asked: intervals, backoff, what servers ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.webservice import Response
from offhook.phone import agenda
from offhook.phone.agenda import Due, after_failure, after_success, back_online, replanned
from offhook.phone.retry import MAX_S, modified, retry_after_s

DRAWS = st.floats(0, 1, exclude_max=True)
NOWS = st.floats(0, 1e9)


@given(NOWS, st.integers(1, 10**6), st.floats(0, 100), DRAWS)
def test_a_success_is_followed_by_an_interval(now_s: float, interval_s: int, took_s: float, draw: float) -> None:
    """Counted from the question, so that slow answers do not add up; never at once."""
    share = agenda.EARLIEST_SHARE + (1 - agenda.EARLIEST_SHARE) * draw

    due = after_success(now_s - took_s, now_s, interval_s, share)

    assert due.at_s is not None
    assert due.at_s >= now_s + agenda.SHORTEST_S
    assert due.at_s <= max(now_s - took_s + interval_s, now_s + agenda.SHORTEST_S)


def test_an_interval_of_zero_asks_nothing() -> None:
    """Neither after a success nor after a failure (D9)."""
    assert after_success(5, 6, 0).at_s is None
    assert after_failure(Due(5), 6, 0, 30, 0.5).at_s is None
    assert replanned(Due(5), 6, 0).at_s is None


@given(NOWS, st.integers(1, 10**6), st.integers(0, 40), DRAWS, st.none() | st.integers(0, MAX_S))
def test_a_failure_is_followed_by_a_retry(
    now_s: float, interval_s: int, failures: int, draw: float, asked_s: int | None
) -> None:
    """At most the interval, an hour, or what the server asked for; never sooner than the server allows."""
    due = after_failure(Due(now_s, failures=failures), now_s, interval_s, asked_s, draw)

    assert due.at_s is not None
    assert due.failures == failures + 1
    assert due.at_s >= now_s + (asked_s or 0)
    assert due.at_s <= now_s + max(min(interval_s, agenda.LONGEST_RETRY_S), asked_s or 0, agenda.SHORTEST_S)


def test_backoff_doubles() -> None:
    """30 seconds, 60, 120, ... an hour, of which a part is drawn."""
    due, waits = Due(0.0), list[float]()
    for _ in range(9):
        due = after_failure(due, 0.0, 86400, None, 0.5)
        assert due.at_s is not None
        waits.append(due.at_s)

    assert waits == [15, 30, 60, 120, 240, 480, 960, 1800, 1800]


def test_online_again() -> None:
    """What failed is asked again within seconds, unless a server said when; what did not fail keeps its time."""
    failed = Due(500.0, failures=2)

    assert back_online(failed, 100.0, 0.5).at_s == 102.5
    assert back_online(Due(500.0, failures=1, not_before_s=300), 100.0, 0.5).at_s == 300
    assert back_online(Due(500.0), 100.0, 0.5).at_s == 500
    assert back_online(Due(None, failures=1), 100.0, 0.5).at_s is None


def test_another_interval() -> None:
    """It counts from the last success; what failed comes no later; what is new begins now."""
    assert replanned(Due(3700.0, began_s=100), 200.0, 600).at_s == 700
    assert replanned(Due(3700.0, began_s=100), 2000.0, 600).at_s == 2001
    assert replanned(Due(3700.0, failures=1), 200.0, 60).at_s == 260
    assert replanned(Due(220.0, failures=1), 200.0, 60).at_s == 220
    assert replanned(Due(None), 200.0, 60).at_s == 260


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("99999999999999", MAX_S),
        ("Sun, 15 Mar 2026 00:02:00 GMT", 120),
        ("Sun, 15 Mar 2026 00:02:00", 120),
        ("Sat, 14 Mar 2026 00:02:00 GMT", 0),
        ("Sun, 15 Mar 2027 00:02:00 GMT", MAX_S),
        ("soon", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("-5", None),
        ("", None),
    ],
)
def test_when_a_server_wants_to_be_asked_again(written: str, seconds: int | None) -> None:
    """Seconds, or a date, which is compared with the date of the same answer."""
    answer = Response(503, {"retry-after": written, "date": "Sun, 15 Mar 2026 00:00:00 GMT"})

    assert retry_after_s(answer) == seconds


@given(st.text(max_size=40) | st.text("0123456789:,+- JanFebMonGMT", max_size=60))
def test_no_date_is_too_strange(written: str) -> None:
    """Whatever stands where a date belongs is a date or none."""
    answer = Response(503, {"retry-after": written, "date": written})

    assert modified(written) is None or retry_after_s(answer) in {0, None} or written.strip().isdecimal()


def test_a_date_alone_is_not_believed() -> None:
    """The phone's own clock may be wrong, so it decides nothing."""
    assert retry_after_s(Response(503, {"retry-after": "Sun, 15 Mar 2026 00:02:00 GMT"})) is None
    assert modified("rubbish") is None
