"""What a guard knows of a phone: when it asked for its account, whether it was refused, when it has to ask again."""

from __future__ import annotations

from typing import Final

import msgspec

from offhook.core.numbers import whole
from offhook.core.webservice import REPROVISIONING
from offhook.provider.circumstances import Circumstances

INTERVAL_KEY: Final = f"{REPROVISIONING}Interval"
# A phone may sleep over its time, and a server may be away for some minutes.
GRACE_S: Final = 600


class Span(msgspec.Struct, frozen=True):
    """What counts: since the rule came to whom it is for now, as of one moment, no longer ago than the window."""

    since_s: int
    now_s: int
    window_s: int


class Fate(msgspec.Struct, frozen=True):
    """What became of a phone that asked."""

    missing: bool
    refused: bool


class Met(msgspec.Struct, frozen=True):
    """What is remembered of the questions of one install for its account; a moment is 0 when it never was.

    `before_s` is the question before the one at `asked_s`. `interval_s` is what it was told last of when to ask by
    itself; None when that was nothing, so that the portal's word counts, since what is not sent stays (D5).
    """

    asked_s: int = 0
    before_s: int = 0
    refused_s: int = 0
    interval_s: int | None = None

    @property
    def last_s(self) -> int:
        """When it was here last."""
        return max(self.asked_s, self.refused_s)

    def fate(self, span: Span, usual_s: int | None) -> Fate | None:
        """What became of it within a span; None while that is not known, or when it has nothing to do with it.

        It is known of a phone that came back, or was refused, or is overdue, or need not ask at all. `usual_s` is the
        portal's interval, None when nobody here knows it.
        """
        # Of the very second in which it began, nobody knows what came first.
        if self.last_s <= span.since_s:
            return None
        due_s = self._due_s(usual_s)
        missing = 0 < due_s <= span.now_s
        if max(self.last_s, due_s if missing else 0) < span.now_s - span.window_s:
            return None
        refused = self.refused_s > span.since_s
        need_not_ask = self._interval_s(usual_s) == 0
        known = missing or refused or need_not_ask or self.before_s > span.since_s
        return Fate(missing, refused) if known else None

    def _interval_s(self, usual_s: int | None) -> int | None:
        return usual_s if self.interval_s is None else self.interval_s

    def _due_s(self, usual_s: int | None) -> int:
        """When it is missing, if it has not asked again by then; 0 for never."""
        patience_s = self.patience_s(usual_s)
        return self.last_s + patience_s if patience_s else 0

    def patience_s(self, usual_s: int | None) -> int:
        """After how long it is missing: half an interval late; 0 when it never is."""
        interval_s = self._interval_s(usual_s)
        return interval_s * 3 // 2 + GRACE_S if interval_s else 0


NEVER_MET: Final = Met()


class TurnedAway(msgspec.Struct, frozen=True):
    """A user with the right password was refused at the sign-in by a rule, so that there is no install of it."""

    cloud_id: str
    subscriber_id: int
    at_s: int
    install_id: str
    circumstances: Circumstances


def interval(written: str | None) -> int | None:
    """The seconds that a value of the key means, None when it is not sent. What is no such number means never."""
    return None if written is None else max(0, whole(written) or 0)
