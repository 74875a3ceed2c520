"""What came of asking two services, and the sum over many users."""

from __future__ import annotations

import pytest

from offhook.core import shadow
from offhook.core.comparison import Difference, What
from offhook.core.mergeable import PROVIDER, Value
from offhook.core.shadow import (
    MOST_EXAMPLES,
    MOST_GROUPS,
    OTHERS,
    OURS,
    THEIRS,
    Account,
    Different,
    Failed,
    Failure,
    OneRefuses,
    Refusal,
    Refused,
    Said,
    Same,
    Tally,
    Verdict,
    heard,
    judge,
)
from offhook.core.webservice import Response

ANN = Account({"title": Value("Ann", PROVIDER, "service")})
BOB = Account({"title": Value("Bob", PROVIDER, "service")})
NO, NEVER = Refusal(410, "No."), Refusal(403)
BROKEN = Failure("no answer in time")


@pytest.mark.parametrize(
    ("theirs", "ours", "verdict"),
    [
        (ANN, ANN, Same()),
        (NO, NEVER, Refused(NO, NEVER)),
        (NO, ANN, OneRefuses(THEIRS, NO)),
        (ANN, NO, OneRefuses(OURS, NO)),
        (BROKEN, ANN, Failed(THEIRS, "no answer in time")),
        (NO, BROKEN, Failed(OURS, "no answer in time")),
        (ANN, BOB, Different((Difference("title", What.VALUE, "Ann", "Bob"),))),
    ],
)
def test_the_verdict(theirs: Said, ours: Said, verdict: Verdict) -> None:
    """About one user."""
    assert judge(theirs, ours) == verdict


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<account><title>Ann</title></account>", ANN),
        (201, b"<p><account><title>Ann</title></account></p>", ANN),
        (410, b"<error><message>No.</message></error>", NO),
        (403, b"No.", NEVER),
        (503, b"<message>Later, s3cret</message>", Failure("answered 503: Later, ********")),
        (429, b"", Failure("answered 429")),
        (302, b"", Failure("answered 302")),
    ],
)
def test_what_an_answer_says(status: int, body: bytes, said: Said) -> None:
    """An account, a refusal, or nothing about the user."""
    assert heard(Response(status, {}, body), ["s3cret"]) == said


def test_a_global_part_that_is_missing() -> None:
    """A phone that gets none does not sign in, whatever its account."""
    told = [
        shadow.heard_common(Response(status, {}, body), ANN) for status, body in ((410, b""), (500, b""), (200, b"x"))
    ]

    assert [str(one).startswith("global part: answered") for one in told] == [True, True, True]
    assert all(isinstance(one, Failure) for one in told)


def test_trouble_in_a_row() -> None:
    """Failures, and users whom only the other service refuses; any other verdict ends the row."""
    tally = Tally()

    rows = []
    for verdict in (
        Failed(THEIRS, "x"),
        OneRefuses(THEIRS, NO),
        Refused(NO, NO),
        Failed(OURS, "x"),
        OneRefuses(OURS, NO),
    ):
        tally.add("ann", verdict)
        rows.append(tally.in_a_row)

    assert rows == [1, 2, 0, 1, 0]
    assert (tally.alike, tally.different, tally.refused, tally.failed) == (0, 2, 1, 2)


def test_memory_does_not_grow_with_users() -> None:
    """Keys and words may be called after users: beyond a number they are counted together, and few are examples."""
    tally = Tally()
    users = MOST_GROUPS + 50
    for number in range(users):
        tally.add(f"user{number}", Different((Difference(f"X-{number}", What.VALUE, "a", "b"),)))
        tally.add(f"user{number}", Refused(Refusal(410, f"No, {number}"), NEVER))

    groups, words = tally.groups(), tally.refusals(by_both=True)

    assert len(groups) == len(words) == MOST_GROUPS + 1
    assert (groups[0].key, groups[0].users, len(groups[0].examples)) == (OTHERS, 50, MOST_EXAMPLES)
    assert (words[0].theirs, words[0].users) == (OTHERS, 50)
    assert tally.asked == 2 * users


def test_nothing_of_an_account_is_in_a_log() -> None:
    """What names a record says how many keys there are, or who it is about."""
    account = shadow.Account({"password": Value("hunter2", PROVIDER, "")})
    example = shadow.Example("ann", "hunter2", None)

    assert (str(account), str(example)) == ("1 keys", "ann")
    assert "hunter2" not in repr([account, example])
