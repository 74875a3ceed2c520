"""The disk of a simulated phone: it loses power like the one of the vault's tests, and may be full as well."""

from __future__ import annotations

from pathlib import Path
from random import Random

from offhook.core.errors import OffhookError
from tests.phone.lossy import LossyDisk


class PhoneDisk(LossyDisk):
    """While `full`, nothing can be written. What no name leads to any more costs no memory."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def write(self, path: Path, content: bytes) -> None:
        if self.full:
            raise OffhookError(f"The phone cannot use {path}: No space left on device.")
        super().write(path, content)

    def sync(self, path: Path) -> None:
        super().sync(path)
        if not self.unsynced and path in self.folders:
            self._forget()

    def _forget(self) -> None:
        named = {*self.live.values(), *self.safe.values()}
        self.contents = {number: content for number, content in self.contents.items() if number in named}
        self.synced = {number: content for number, content in self.synced.items() if number in named}

    def found_after_power_loss(self, random: Random) -> PhoneDisk:
        """What the next start finds."""
        remains = self.after_power_loss(random)
        disk = type(self)()
        disk.folders, disk.made, disk.live, disk.safe = remains.folders, remains.made, remains.live, remains.safe
        disk.contents, disk.synced = remains.contents, remains.synced
        return disk
