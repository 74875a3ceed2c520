"""Times as programs read them: ISO 8601, in UTC, under one kind of name."""

from __future__ import annotations

from offhook.cli import moments


def test_every_moment_of_a_record_is_named_alike() -> None:
    """What never was is null, and what is no moment stays as it is."""
    record = {"seen_s": 0, "ended_s": None, "created_s": 1580428800, "id": "x", "count": 3}

    told = moments.with_moments(record)

    assert told == {"seen_at": None, "ended_at": None, "created_at": "2020-01-31T00:00:00+00:00", "id": "x", "count": 3}


def test_a_person_reads_minutes() -> None:
    """And that it never was."""
    assert (moments.shown(1580428800), moments.shown(0)) == ("2020-01-31 00:00 UTC", "never")
