"""HTTP dates, both ways (RFC 9110, 5.6.7)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache


@lru_cache(maxsize=4096)
def write(moment_s: int) -> str:
    """The date of some seconds since 1970."""
    return format_datetime(datetime.fromtimestamp(moment_s, UTC), usegmt=True)


@lru_cache(maxsize=4096)
def read(text: str) -> int | None:
    """The seconds since 1970 of a date; None for anything else, which counts as not sent."""
    try:
        moment = parsedate_to_datetime(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
