"""Times as commands tell them: ISO 8601 for programs, to the minute for people, both in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from offhook.cli.exits import Misused, brief
from offhook.policy.clock import EARLIEST_S, LATEST_S

_SECONDS: Final = "_s"


def moment(what: str, word: str) -> int:
    """Read a moment such as `2027-01-31T18:00`, in UTC unless it says otherwise; raises Misused."""
    try:
        found = datetime.fromisoformat(word)
        found_s = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise Misused(f"{what} takes a moment like 2027-01-31T18:00, not {brief(word, 40)!r}.") from None
    if not EARLIEST_S <= found_s < LATEST_S:
        raise Misused(f"{what} takes a moment between the years 1970 and 9000, not {brief(word, 40)!r}.")
    return found_s


def iso(time_s: int | None) -> str | None:
    """A moment for a program, to the second; None for one that never was, whether it is None or 0."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds") if time_s else None


def with_moments(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record whose names that end with `_s` are moments: as ISO 8601, under names that end with `_at`."""
    return {
        (name.removesuffix(_SECONDS) + "_at" if name.endswith(_SECONDS) else name): (
            iso(content) if name.endswith(_SECONDS) else content
        )
        for name, content in record.items()
    }


def shown(time_s: int) -> str:
    """A moment for a person; `never` for 0."""
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M} UTC" if time_s else "never"
