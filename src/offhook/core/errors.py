"""What can go wrong, named for what happened; every text is fit to be shown to the person who meets it.

    OffhookError
    ├── Invalid       what came in cannot be used; lists every fault by place
    ├── Refused       the credentials are wrong, or a decision says no
    ├── NotFound      there is no such thing
    ├── Conflict      it exists already, or changed meanwhile
    ├── TooMany       asked too often; says when to come back
    └── Unavailable   a part that is needed does not answer; says when to come back

Only a face turns these into status codes or exit codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong, and where: a key, a line, a column, a field."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class OffhookError(Exception):
    """The root of all errors that a caller can act on."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Invalid(OffhookError):
    """What came in cannot be used; `faults` lists all that was found, not only the first."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults

    @classmethod
    def at(cls, place: str, text: str) -> Invalid:
        """One fault."""
        return cls(Fault(place, text))

    @classmethod
    def unless_empty(cls, faults: Iterable[Fault]) -> None:
        """Raise when there is any fault."""
        if found := tuple(faults):
            raise cls(*found)


class Refused(OffhookError):
    """The credentials are wrong, or a decision says no."""


class NotFound(OffhookError):
    """There is no such thing."""


class Conflict(OffhookError):
    """It exists already, or it changed while you worked on it."""


class TooMany(OffhookError):
    """Asked too often; `retry_after_s` says when to come back."""

    def __init__(self, text: str, retry_after_s: int) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Unavailable(OffhookError):
    """A part that is needed does not answer now; `retry_after_s` says when to come back."""

    def __init__(self, text: str, retry_after_s: int = 30) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
