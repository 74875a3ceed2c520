"""When what is to be done next: intervals after a success (D9), backoff with full jitter after a failure (D11).

All moments are seconds of a clock that never steps; all chance comes in as a number from 0 to 1.
"""

from __future__ import annotations

from typing import Final

import msgspec

FIRST_RETRY_S: Final = 30
LONGEST_RETRY_S: Final = 3600
# A draw may be next to nothing; a server in trouble is spared that.
SHORTEST_S: Final = 1.0
# The portal part comes between 60% and 100% of its interval, so that the phones of an app spread out (D9).
EARLIEST_SHARE: Final = 0.6
BACK_ONLINE_S: Final = 5

_DOUBLINGS: Final = 12


class Due(msgspec.Struct, frozen=True):
    """When something is to be done; `at_s` of None: never by itself.

    `began_s` is when the last success was asked for, `share` the part of the interval that was drawn for the next.
    """

    at_s: float | None = None
    began_s: float = 0.0
    share: float = 1.0
    failures: int = 0
    not_before_s: float = 0.0

    def is_over(self, now_s: float) -> bool:
        """Whether the moment has come."""
        return self.at_s is not None and self.at_s <= now_s


def at_once(now_s: float) -> Due:
    """Something that is to be done now."""
    return Due(now_s, now_s)


def after_success(began_s: float, now_s: float, interval_s: int, share: float = 1.0) -> Due:
    """One interval after the question that brought the success, so that slow answers do not add up."""
    if interval_s <= 0:
        return Due(None, began_s, share)
    return Due(max(began_s + interval_s * share, now_s + SHORTEST_S), began_s, share)


def after_failure(due: Due, now_s: float, interval_s: int, retry_after_s: int | None, draw: float) -> Due:
    """Soon, and later each time, at most the interval or an hour; what the server asked for counts before that."""
    not_before_s = now_s + (retry_after_s or 0)
    if interval_s <= 0:
        return Due(None, due.began_s, due.share, due.failures + 1, not_before_s)
    longest_s = min(FIRST_RETRY_S * 2 ** min(due.failures, _DOUBLINGS), LONGEST_RETRY_S, interval_s)
    at_s = max(now_s + max(draw * longest_s, SHORTEST_S), not_before_s)
    return Due(at_s, due.began_s, due.share, due.failures + 1, not_before_s)


def soon(due: Due, now_s: float) -> Due:
    """As soon as the server allows it."""
    return msgspec.structs.replace(due, at_s=max(now_s, due.not_before_s))


def back_online(due: Due, now_s: float, draw: float) -> Due:
    """What failed is tried again within seconds, but not before the server allows it."""
    if due.at_s is None or not due.failures:
        return due
    return msgspec.structs.replace(due, at_s=min(due.at_s, max(now_s + draw * BACK_ONLINE_S, due.not_before_s)))


def replanned(due: Due, now_s: float, interval_s: int) -> Due:
    """With an interval that may have changed; what failed keeps its own time, and what is new begins now."""
    if interval_s <= 0:
        return msgspec.structs.replace(due, at_s=None)
    if due.at_s is None:
        return after_success(now_s, now_s, interval_s, due.share)
    if due.failures:
        return msgspec.structs.replace(due, at_s=min(due.at_s, max(now_s + interval_s, due.not_before_s)))
    return after_success(due.began_s, now_s, interval_s, due.share)
