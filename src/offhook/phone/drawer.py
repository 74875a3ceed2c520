"""A folder of sealed files, each bound to the name of what it holds; one that cannot be read is set aside."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

from offhook.core.errors import Invalid
from offhook.phone import files
from offhook.phone.files import UNFINISHED, Files
from offhook.phone.keystore import Keystore
from offhook.phone.sealing import seal, unseal

MAX_BYTES: Final = 16 * 1024 * 1024
ENDING: Final = ".bin"


class Drawer:
    """Files by a key that can be part of a file name. Every operation may raise OffhookError."""

    __slots__ = ("files", "folder", "keystore")

    def __init__(self, folder: Path, keystore: Keystore, disk: Files) -> None:
        self.folder, self.keystore, self.files = folder, keystore, disk

    def put(self, key: str, name: str, content: bytes) -> None:
        """Keep a content in the place of an older one; after a crash either is there, whole."""
        self.files.make_folder(self.folder)
        files.put(self.files, self._path(key), seal(self.keystore.find() or self.keystore.make(), name, content))

    def sealed(self, key: str) -> bytes | None:
        """The content as it lies there, or None."""
        return self.files.read(self._path(key), MAX_BYTES)

    def open(self, sealed: bytes, name: str) -> bytes:
        """The content itself; raises Invalid when it is not what was kept under this name."""
        found = self.keystore.find()
        if found is None:
            raise Invalid.at("keystore", "the key is missing or damaged")
        return unseal(found, name, sealed)

    def remove(self, key: str) -> None:
        """Remove a content for good, if it is there."""
        if self._path(key).name not in self.files.names(self.folder):
            return
        self.files.remove(self._path(key))
        self.files.sync(self.folder)

    def keys(self) -> list[str]:
        """What is there, in order."""
        return [name.removesuffix(ENDING) for name in self.files.names(self.folder) if name.endswith(ENDING)]

    def set_aside(self, key: str) -> Path:
        """Move what cannot be read out of the way; where it lies now."""
        taken = self.files.names(self.folder)
        names = (f"{key}.damaged-{number}" for number in itertools.count(1))
        aside = self.folder / next(name for name in names if name not in taken)
        files.move(self.files, self._path(key), aside)
        return aside

    def tidy(self) -> None:
        """Remove what a crash left half written."""
        for name in self.files.names(self.folder):
            if name.endswith(UNFINISHED):
                self.files.remove(self.folder / name)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{ENDING}"
