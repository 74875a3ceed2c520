"""What a linter has to say: how bad it is, where, what, and how to mend it."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

# error: it will not work. warning: it works, hardly as meant. note: good to know.
Severity: TypeAlias = Literal["error", "warning", "note"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")


class Finding(msgspec.Struct, frozen=True):
    """One remark on one key; `what` follows the key's name, `how` is a sentence that says what to do."""

    severity: Severity
    key: str
    what: str
    how: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.key}: {self.what}\n    {self.how}"
