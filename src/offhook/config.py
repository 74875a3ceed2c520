"""Where the server keeps its things: one data folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from offhook.core.errors import Invalid

APPLICATION: Final = "offhook"


class DataFolder(msgspec.Struct, frozen=True):
    """The folder of one installation: its database, its keys and its themes."""

    path: Path

    @classmethod
    def choose(cls, named: Path | None) -> DataFolder:
        """The folder named, else OFFHOOK_DATA, else the one of the XDG rules."""
        chosen = named or os.environ.get("OFFHOOK_DATA") or platformdirs.user_data_path(APPLICATION)
        return cls(Path(chosen).expanduser().absolute())

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "offhook.sqlite3"

    @property
    def keys(self) -> Path:
        """The folder of the keys, which are outside the database on purpose."""
        return self.path / "keys"

    @property
    def themes(self) -> Path:
        """The folder of the theme packages, named by digest."""
        return self.path / "themes"

    def make(self) -> DataFolder:
        """Make what is missing, readable for nobody else."""
        try:
            for folder in (self.path, self.keys, self.themes):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid.at("--data", f"{self.path} cannot be used as the data folder: {error.strerror}") from None
        return self
