"""Times as programs read them: ISO 8601, in UTC, under one kind of name."""

from __future__ import annotations

import pytest

from offhook.cli import moments
from offhook.cli.exits import Misused


def test_every_moment_of_a_record_is_named_alike() -> None:
    """What never was is null, and what is no moment stays as it is."""
    record = {"seen_s": 0, "ended_s": None, "created_s": 1580428800, "id": "x", "count": 3}

    told = moments.with_moments(record)

    assert told == {"seen_at": None, "ended_at": None, "created_at": "2020-01-31T00:00:00+00:00", "id": "x", "count": 3}


def test_a_person_reads_minutes() -> None:
    """And that it never was."""
    assert (moments.shown(1580428800), moments.shown(0)) == ("2020-01-31 00:00 UTC", "never")


@pytest.mark.parametrize("word", ["9999-12-31T12:00", "0001-01-01T00:00", "1969-12-31T23:59", "9000-01-01"])
def test_a_moment_is_one_at_which_clocks_can_be_read(word: str) -> None:
    """Elsewhere a time zone has no year to show."""
    with pytest.raises(Misused, match="between the years 1970 and 9000"):
        moments.moment("--at", word)

    assert moments.moment("--at", "2020-01-31") == 1580428800
