"""The vault: what the device keeps, encrypted, and after a crash either as it was or as it was to be (D8).

    vault/state.bin            the record, sealed; names its theme by digest
    vault/themes/DIGEST.bin    a theme package, sealed; in place before the record that names it
    vault.damaged-1/           a vault that could not be read, set aside as it was; never deleted
    vault.locked-1/            likewise, for want of its key: with the key it can be read again; what there was of that
                               lies in the keystore, under the same name

A file is written under another name, synced, renamed, and its folder synced. What a crash leaves behind is not named by
the record and is removed by `tidy`.
"""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Final

import msgspec

from offhook.core import theme
from offhook.core.errors import Invalid, OffhookError
from offhook.core.theme import Theme
from offhook.phone import files
from offhook.phone.files import UNFINISHED, Disk, Files
from offhook.phone.keystore import Keystore
from offhook.phone.saved import Left, Saved
from offhook.phone.sealing import seal, unseal

# 1: a record. 2: or what is left of one after a logout; a record may say that a logout is under way. 3: a record may
# carry those of the users before, whose logout is under way.
SCHEMA: Final = 3
MAX_STATE_BYTES: Final = 16 * 1024 * 1024
STATE: Final = "state"
ENDING: Final = ".bin"

_OVERHEAD_BYTES: Final = 1024


class _Schema(msgspec.Struct, frozen=True):
    schema: int


class _State(msgspec.Struct, frozen=True):
    schema: int
    saved: Saved | None = None
    left: Left | None = None


class Opened(msgspec.Struct, frozen=True):
    """What the vault holds: a record, or what is left of one; `damage` says why it could not be read.

    `locked`: there is a vault, perhaps as good as ever, and no key for it.
    """

    saved: Saved | None = None
    damage: str = ""
    left: Left | None = None
    locked: bool = False

    @property
    def trouble(self) -> str:
        """Why nobody can tell what the vault holds; empty when somebody can."""
        return "its key is missing, or is none" if self.locked else self.damage


class Vault:
    """One device's vault. Who writes must be the only one who does; reading is possible at any time."""

    def __init__(self, folder: Path, keystore: Keystore, disk: Files | None = None) -> None:
        self.folder, self.keystore, self.files = folder, keystore, disk or Disk()
        self.state = folder / f"{STATE}{ENDING}"

    def load(self) -> Opened:
        """The record, if there is one. Raises OffhookError when it was written by a later version of this software."""
        sealed = self.files.read(self.state, MAX_STATE_BYTES + _OVERHEAD_BYTES)
        if sealed is None:
            return Opened()
        key = self.keystore.find()
        if key is None:
            return Opened(locked=True)
        try:
            content = unseal(key, STATE, sealed)
            schema = msgspec.msgpack.decode(content, type=_Schema).schema
            if schema > SCHEMA:
                raise OffhookError(f"{self.folder} was written by a later version of Offhook. Please update this one.")
            state = msgspec.msgpack.decode(content, type=_State)
            return Opened(state.saved, left=state.left)
        except (Invalid, msgspec.DecodeError) as error:
            return Opened(damage=str(error))

    def save(self, saved: Saved, package: bytes) -> None:
        """Keep the record and the theme package that it names."""
        assert hashlib.sha256(package).hexdigest() == saved.theme
        self.keep_theme(package)
        self.update(saved)

    def keep_theme(self, package: bytes) -> None:
        """Put a theme package in place for a record to come."""
        digest = hashlib.sha256(package).hexdigest()
        self._seal(self._theme_path(digest), _theme_name(digest), package)

    def update(self, saved: Saved) -> None:
        """Keep a record whose theme is here already; raises Invalid when it is too large."""
        self._write(_State(SCHEMA, saved))

    def erase(self, left: Left) -> None:
        """Put what is left of an account in the place of its record, and remove its theme."""
        self._write(_State(SCHEMA, left=left))
        self.tidy(None)

    def theme(self, digest: str) -> Theme:
        """The theme of a record; raises Invalid when it is missing or damaged."""
        sealed = self.files.read(self._theme_path(digest), theme.MAX_BYTES + _OVERHEAD_BYTES)
        if sealed is None:
            raise Invalid.at("theme", f"the package {digest[:16]} is missing")
        return theme.unpack(unseal(self._key(), _theme_name(digest), sealed))

    def set_aside(self) -> Path:
        """Copy a vault that could not be read, so that a record can take its place in one write; where the copy lies.

        Until then the vault is where it was. What there is of its key goes under the name of the copy.
        """
        locked = self.load().locked
        aside = self._free_name("locked" if locked else "damaged")
        themes = self._theme_path("").parent
        for folder, copies in ((themes, aside / themes.name), (self.folder, aside)):
            self.files.make_folder(copies)
            for name in self.files.names(folder):
                if name.endswith(ENDING):
                    files.duplicate(self.files, folder / name, copies / name)
        if locked:
            self.keystore.set_aside(aside.name)
        return aside

    def _free_name(self, state: str) -> Path:
        """The first name that nothing has, or a copy of this vault, made before a save that failed."""
        own = self.files.read(self.state, MAX_STATE_BYTES + _OVERHEAD_BYTES)
        names = (self.folder.with_name(f"{self.folder.name}.{state}-{number}") for number in itertools.count(1))
        return next(
            name
            for name in names
            if self.files.read(name / self.state.name, MAX_STATE_BYTES + _OVERHEAD_BYTES) in {None, own}
        )

    def tidy(self, saved: Saved | None) -> None:
        """Remove what a crash left behind, and the themes that the record does not name."""
        named = self._theme_path(saved.theme).name if saved else ""
        themes = self._theme_path("").parent
        for folder in (self.folder, themes):
            for name in self.files.names(folder):
                if name.endswith(UNFINISHED) or (folder == themes and name != named):
                    self.files.remove(folder / name)

    def _write(self, state: _State) -> None:
        content = msgspec.msgpack.encode(state)
        if len(content) > MAX_STATE_BYTES:
            raise Invalid.at("vault", f"the record has {len(content):,} bytes, more than {MAX_STATE_BYTES:,}")
        self._seal(self.state, STATE, content)

    def _seal(self, path: Path, name: str, content: bytes) -> None:
        key = self.keystore.find() or self.keystore.make()
        self.files.make_folder(path.parent)
        files.put(self.files, path, seal(key, name, content))

    def _key(self) -> bytes:
        key = self.keystore.find()
        if key is None:
            raise Invalid.at("keystore", "the key is missing or damaged")
        return key

    def _theme_path(self, digest: str) -> Path:
        return self.folder / "themes" / f"{digest}{ENDING}"


def _theme_name(digest: str) -> str:
    return f"theme {digest}"
