"""The keys of an installation, each in a file of its own outside the database, made before the database is."""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from offhook.core.errors import Invalid

SEALING: Final = "sealing.json"
PEPPER: Final = "pepper"
PORTAL: Final = "portal-ed25519.pem"


class SealingKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The data keys by their number, and the one that new secrets are sealed with."""

    current: int
    keys: dict[int, bytes]


def ready(folder: Path, database: Path) -> None:
    """Have all keys before the database is opened: a new installation gets new ones.

    Raises Invalid when a key of a database that exists is missing. A new one would open none of its secrets; and what
    is written under it, nobody could read any more once the right one is back.
    """
    if not database.exists():
        for make in (sealing_keys, pepper, portal_key):
            make(folder)
    elif missing := [name for name in (SEALING, PEPPER, PORTAL) if not (folder / name).exists()]:
        raise Invalid.at(
            str(folder), f"lacks {' and '.join(missing)}, which {database} needs; restore the keys from the backup"
        )


def sealing_keys(folder: Path) -> SealingKeys:
    """The keys that seal secrets in the database; raises Invalid when their file is damaged."""
    path = folder / SEALING
    content = _kept(path, lambda: msgspec.json.encode(SealingKeys(1, {1: os.urandom(32)})))
    try:
        keys = msgspec.json.decode(content, type=SealingKeys)
    except msgspec.DecodeError as error:
        raise Invalid.at(str(path), f"is damaged ({error}); restore it from a backup") from None
    if keys.current not in keys.keys or any(len(key) != 32 for key in keys.keys.values()):
        raise Invalid.at(str(path), "is damaged: the current key is missing or a key is not of 32 bytes")
    return keys


class SealingFile:
    """The file of the sealing keys, changed as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / SEALING

    def read(self) -> tuple[int, dict[int, bytes]]:
        """The number of the current key, and all keys."""
        keys = sealing_keys(self._folder)
        return keys.current, keys.keys

    def numbers(self) -> tuple[int, ...]:
        """All there are."""
        return tuple(sorted(sealing_keys(self._folder).keys))

    def add(self) -> int:
        """Make a new one that is current from now on, durably; returns its number."""
        known = sealing_keys(self._folder)
        free = [
            number for number in (*range(known.current + 1, 256), *range(1, known.current)) if number not in known.keys
        ]
        if not free:
            raise Invalid.at(str(self._path), "has 255 keys, and cannot have more: forget old ones")
        number: int = free[0]
        self._write(SealingKeys(number, {**known.keys, number: os.urandom(32)}))
        return number

    def forget(self, number: int) -> None:
        """Take one out for good; never the current one."""
        known = sealing_keys(self._folder)
        assert number != known.current
        self._write(SealingKeys(known.current, {one: key for one, key in known.keys.items() if one != number}))

    def changed_s(self) -> int:
        """When the file was changed last."""
        return int(self._path.stat().st_mtime)

    def _write(self, keys: SealingKeys) -> None:
        try:
            _make(self._path, msgspec.json.encode(keys), replace=True)
        except OSError as error:
            raise Invalid.at(str(self._path), f"cannot be written: {error.strerror}") from None


def pepper(folder: Path) -> bytes:
    """The key of the hashes that tokens are known by."""
    path = folder / PEPPER
    written = _kept(path, lambda: base64.b64encode(os.urandom(32)))
    try:
        content = base64.b64decode(written.strip(), validate=True)
    except binascii.Error:
        content = b""
    if len(content) != 32:
        raise Invalid.at(str(path), "is damaged; restore it from a backup")
    return content


def portal_key(folder: Path) -> Ed25519PrivateKey:
    """The key that signs the portal's answers, whose public half the apps pin."""
    path = folder / PORTAL

    def made() -> bytes:
        return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    try:
        key = load_pem_private_key(_kept(path, made), None)
    except ValueError as error:
        raise Invalid.at(str(path), f"is damaged ({error}); restore it from a backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Invalid.at(str(path), "holds a key that is not of the kind Ed25519")
    return key


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a file. A missing one is made, whole and for us alone, also when two processes start at once."""
    try:
        if not path.exists():
            _make(path, make())
        return path.read_bytes()
    except OSError as error:
        raise Invalid.at(str(path), f"cannot be used: {error.strerror}") from None


def _make(path: Path, content: bytes, *, replace: bool = False) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(temporary).replace(path)
        else:
            with suppress(FileExistsError):
                os.link(temporary, path)
        _keep_name(path.parent)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _keep_name(folder: Path) -> None:
    """A file that was made is there after a power loss, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
