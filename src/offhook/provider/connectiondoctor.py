"""What the doctor looks at: whether the systems that the file of connections names can be used, and who may read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from offhook.core.errors import NotFound, OffhookError
from offhook.provider.doctor import Finding

# What is wrong with one thing, each in words; it asks it.
Faults: TypeAlias = Callable[[], tuple[str, ...]]


class ConnectionCheck:
    """Asks each of them, also those that nobody uses yet: by its name, and how it is."""

    def __init__(self, named: Mapping[str, Faults]) -> None:
        self._named = named

    def find(self) -> Iterator[Finding]:
        """As the port says."""
        for name, faults in self._named.items():
            try:
                found = faults()
            except OffhookError as error:
                found = (error.text,)
            yield from (Finding("", name, text) for text in found)

    def mend(self, finding: Finding) -> None:
        """There is nothing to mend from here."""
        raise NotFound("This is for somebody to decide.")
