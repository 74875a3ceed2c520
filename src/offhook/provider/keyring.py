"""The keys that seal secrets at rest: how a new one takes the place of the others, which are forgotten later."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from offhook.core.errors import Conflict
from offhook.provider.ports import Clock
from offhook.provider.sealing import Sealer

# Servers that run notice a new key within seconds; some may be older than that.
SETTLED_S: Final = 600


class KeyFile(Protocol):
    """The file of the keys, outside the database. Each method may raise Invalid."""

    def numbers(self) -> tuple[int, ...]:
        """All there are."""

    def add(self) -> int:
        """Make a new one that is current from now on, durably; returns its number."""

    def forget(self, number: int) -> None:
        """Take one out for good; never the current one."""

    def changed_s(self) -> int:
        """When the file was changed last."""


class SealedTexts(Protocol):
    """All that is sealed. Every method may raise Unavailable."""

    def keys(self) -> Counter[int]:
        """How many texts are sealed with which key."""

    def reseal(self, sealer: Sealer) -> int:
        """Seal all anew that is not sealed with the current key; returns how many rows that were."""


class Use(msgspec.Struct, frozen=True):
    """One key, and how many texts need it."""

    number: int
    is_current: bool
    texts: int


@dataclass(frozen=True)
class Keyring:
    """The use cases. Whatever is interrupted can be done again: old keys stay until they seal nothing."""

    file: KeyFile
    texts: SealedTexts
    sealer: Sealer
    clock: Clock

    def show(self) -> list[Use]:
        """All keys."""
        texts = self.texts.keys()
        return [Use(number, number == self.sealer.current, texts[number]) for number in self.file.numbers()]

    def rotate(self) -> tuple[int, int]:
        """Have a new key and seal everything with it; its number, and how many rows that were."""
        number = self.file.add()
        self.sealer.reload()
        return number, self.texts.reseal(self.sealer)

    def forget(self) -> list[int]:
        """Take out the keys that nothing needs any more; returns their numbers. Raises Conflict when that is too early.

        Backups of the database need them as well: those are to be restored with their own keys.
        """
        if self.clock.now_s() - self.file.changed_s() < SETTLED_S:
            raise Conflict(f"The keys were changed within the last {SETTLED_S:,} s: not all servers may know.")
        self.texts.reseal(self.sealer)
        useless = [one.number for one in self.show() if not one.is_current and not one.texts]
        for number in useless:
            self.file.forget(number)
        self.sealer.reload()
        return useless


class Reloading:
    """Has a server notice keys that were changed: a chore that is due once in a while."""

    def __init__(self, sealer: Sealer, clock: Clock, every_s: int = 30) -> None:
        self._sealer, self._clock, self._every_s = sealer, clock, every_s
        self._last_s = clock.now_s()

    def due(self, most: int) -> tuple[str, ...]:
        """As a chore says; also when the clock was set back."""
        return () if 0 <= self._clock.now_s() - self._last_s < self._every_s else ("all",)

    def do(self, name: str) -> None:
        """As a chore says."""
        self._last_s = self._clock.now_s()
        self._sealer.reload()
