"""The doctor: compares what we believe with what is so in other systems, and mends it when told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from offhook.core.errors import OffhookError, Unavailable


class Finding(msgspec.Struct, frozen=True):
    """One thing that is not as it should be: where, what in words, and how it can be mended, if it can.

    `name` is for the check alone, to know it again. `mended` is None until somebody tried, and then says whether it
    worked.
    """

    check: str
    place: str
    text: str
    remedy: str = ""
    name: str = ""
    mended: bool | None = None


class Check(Protocol):
    """Looks at one kind of thing. It waits for other systems."""

    def find(self) -> Iterator[Finding]:
        """Whatever is wrong. A system that does not answer is a finding, too. Raises Unavailable for our own store."""

    def mend(self, finding: Finding) -> None:
        """Put one right that has a remedy. Raises Unavailable, Refused, Conflict or NotFound when that fails."""


class Doctor:
    """The use case. A new check is one class, and one name."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    def examine(self, *, mend: bool = False) -> Iterator[Finding]:
        """Whatever is wrong, check by check; each is mended as it is found, when told to."""
        for name, check in self._checks.items():
            try:
                for finding in check.find():
                    found = msgspec.structs.replace(finding, check=name)
                    yield self._mended(check, found) if mend and found.remedy else found
            except Unavailable as error:
                yield Finding(name, name, f"could not be looked at: {error.text}")

    def _mended(self, check: Check, finding: Finding) -> Finding:
        try:
            check.mend(finding)
        except OffhookError as error:
            return msgspec.structs.replace(finding, mended=False, text=f"{finding.text} Mending failed: {error.text}")
        return msgspec.structs.replace(finding, mended=True)
