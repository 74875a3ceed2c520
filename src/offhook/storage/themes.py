"""Theme packages as files named by their digest, each whole or not there at all."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from offhook.core.errors import Unavailable

SUFFIX: Final = ".zip"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class ThemeStore:
    """The packages of one data folder. They are never changed, and kept as long as a version may name them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, package: bytes) -> str:
        """Keep a package and return its digest. When this returns, the package outlives a power loss."""
        digest = hashlib.sha256(package).hexdigest()
        if self._find(digest) is None:
            self._write(self._path(digest), package)
        return digest

    def get(self, digest: str) -> bytes:
        """The package of a digest; raises Unavailable when it is missing or damaged."""
        found = self._find(digest)
        if found is None:
            raise Unavailable("A theme is missing or damaged on the server. Its operator has to apply the app again.")
        return found

    def _find(self, digest: str) -> bytes | None:
        """The package if it is there and is what its name says; a damaged one counts as missing, and is replaced."""
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"A theme cannot be read on the server ({error.strerror}).") from error
        return content if hashlib.sha256(content).hexdigest() == digest else None

    def _path(self, digest: str) -> Path:
        assert _DIGEST.fullmatch(digest)
        return self._folder / (digest + SUFFIX)

    def _write(self, path: Path, package: bytes) -> None:
        """Write beside the final name, flush, then rename: a crash leaves a file that nobody looks for."""
        try:
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            temporary = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(package)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                # It is there only when something went wrong, such as a full disk, which it would keep full.
                temporary.unlink(missing_ok=True)
            self._flush_folder()
        except OSError as error:
            raise Unavailable(f"The theme cannot be kept in {self._folder} ({error.strerror}).") from error

    def _flush_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
