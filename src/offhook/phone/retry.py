"""When a server asks to come back: the Retry-After of an answer (RFC 9110, 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from offhook.core.webservice import Response

# A server that says more is not believed: a slip must not silence a phone for good.
MAX_S: Final = 86400
_LONGEST: Final = 9


def retry_after_s(response: Response) -> int | None:
    """The seconds to wait, from 0 to a day; None when nothing usable is said.

    A date is compared with the Date of the same answer, never with the clock of the phone, which may be wrong.
    """
    written = response.header("retry-after").strip()
    if written.isascii() and written.isdecimal():
        return min(int(written[: _LONGEST + 1]), MAX_S)
    if (until := _date(written)) is None or (said := _date(response.header("date"))) is None:
        return None
    return min(max(round((until - said).total_seconds()), 0), MAX_S)


def _date(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def modified(text: str) -> datetime | None:
    """The moment of a Last-Modified; None for anything that is no date."""
    return _date(text)
