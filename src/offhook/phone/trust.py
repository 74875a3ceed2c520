"""What a phone knows of a portal beyond any account: the key it trusts, and how new the parts are that it has seen."""

from __future__ import annotations

from typing import Final

import msgspec

from offhook.core import signing
from offhook.core.errors import Invalid
from offhook.core.login import CloudId
from offhook.core.webservice import Response
from offhook.phone.retry import modified
from offhook.phone.saved import Saved

# An app that is not used for so long that so many others came after it is forgotten.
MAX_PARTS: Final = 300
# The parts of an app that a record keeps the dates of.
SIGNED: Final = ("base", "theme")


class Trust(msgspec.Struct, frozen=True):
    """The pinned key of one portal, empty when the phone has never met it; `newest` are signed Last-Modified dates.

    A Live and an Editable version are two lines of dates, since an Editable one is often older than what is Live.
    """

    key: str = ""
    newest: dict[str, str] = {}

    def and_also(self, other: Trust) -> Trust:
        """With what another conversation learned: its key, where it has one, and of each date the later one.

        With another key the dates begin anew: those of what the old one signed would shut out a portal that was set up
        again, and what is that old is not signed with the new one.
        """
        newest = {} if self.key and other.key not in {"", self.key} else dict(self.newest)
        for line, written in other.newest.items():
            newest[line] = _later(newest.pop(line, ""), written)
        return Trust(other.key or self.key, dict(list(newest.items())[-MAX_PARTS:]))


def of_record(saved: Saved) -> Trust:
    """What a record knows of its portal."""
    parts = {part: saved.validators[part].last_modified for part in SIGNED if part in saved.validators}
    return Trust(saved.portal_key, {_line(saved.cloud_id, part): written for part, written in parts.items() if written})


def of_answer(answer: Response, cloud_id: CloudId, part: str, key: str) -> Trust:
    """What a genuine answer teaches."""
    written = answer.header("last-modified")
    return Trust(key, {_line(cloud_id, part): written} if modified(written) else {})


def believe(answer: Response, cloud_id: CloudId, part: str, trust: Trust) -> None:
    """Raise Invalid unless the portal signed this answer for this app and part, and it is none from the past.

    An old answer is as genuine as ever, so whoever sits on the way could bring back what the portal has mended since.
    """
    signing.verify(answer, str(cloud_id), part, signing.parse_public(trust.key))
    ours, theirs = modified(trust.newest.get(_line(cloud_id, part), "")), modified(answer.header("last-modified"))
    if ours and (theirs is None or theirs < ours):
        raise Invalid.at(f"portal {part}", "is older than what this phone has; a cache on the way may be stale")


def _line(cloud_id: CloudId, part: str) -> str:
    return f"{cloud_id} {part}"


def _later(one: str, other: str) -> str:
    before, after = modified(one), modified(other)
    return one if before and (after is None or after < before) else other
