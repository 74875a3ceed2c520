"""Where the key of the vault lives: apart from the vault, as in a device's keystore."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final, Protocol

from offhook.phone import files
from offhook.phone.files import Disk, Files
from offhook.phone.sealing import KEY_BYTES

KEY_FILE: Final = "vault.key"


class Keystore(Protocol):
    """Keeps one key."""

    def find(self) -> bytes | None:
        """The key, or None when there is none that can be used."""

    def make(self) -> bytes:
        """A new key, kept from now on; one that could not be used is set aside, never overwritten."""

    def set_aside(self, name: str) -> None:
        """Keep what cannot be used as a key under the name of what was locked with it."""


class FileKeystore:
    """A key in a file that nobody else can read: for machines without a better place."""

    def __init__(self, folder: Path, disk: Files | None = None) -> None:
        self.folder, self.files = folder, disk or Disk()
        self.path = folder / KEY_FILE

    def find(self) -> bytes | None:
        key = self._content()
        return key if key is not None and len(key) == KEY_BYTES else None

    def make(self) -> bytes:
        path = self.path
        self.files.make_folder(self.folder)
        if damaged := self._content():
            mark = hashlib.sha256(damaged).hexdigest()[:16]
            files.move(self.files, path, path.with_name(f"{KEY_FILE}.{mark}.damaged"))
        key = os.urandom(KEY_BYTES)
        files.put(self.files, path, key)
        return key

    def set_aside(self, name: str) -> None:
        aside = self.path.with_name(f"{KEY_FILE}.{name}")
        if self._content() is not None and aside.name not in self.files.names(self.folder):
            files.move(self.files, self.path, aside)

    def _content(self) -> bytes | None:
        return self.files.read(self.path, KEY_BYTES + 1)
