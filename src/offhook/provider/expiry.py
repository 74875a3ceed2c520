"""When an account ends, as people and files write it: a date, a date with a time, or never."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from offhook.core.errors import Invalid
from offhook.provider.change import Never

NEVER: Final = "never"


def parse(word: str) -> int | Never:
    """Read `2027-01-31`, `2027-01-31T18:00` (in UTC unless it says otherwise) or `never`; raises Invalid."""
    if word == NEVER:
        return Never()
    try:
        moment = datetime.fromisoformat(word)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise Invalid.at("expires", f"takes a date like 2027-01-31, or {NEVER}") from None


def written(expires_s: int | None) -> str:
    """What `parse` reads as the same; empty for an account that does not end."""
    return "" if expires_s is None else datetime.fromtimestamp(expires_s, UTC).isoformat(timespec="seconds")
