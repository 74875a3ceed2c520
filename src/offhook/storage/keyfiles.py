"""The keys of an installation, each in a file of its own outside the database, made at first use."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from offhook.core.errors import Invalid


class SealingKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The data keys by their number, and the one that new secrets are sealed with."""

    current: int
    keys: dict[int, bytes]


def sealing_keys(folder: Path) -> SealingKeys:
    """The keys that seal secrets in the database; raises Invalid when their file is damaged."""
    path = folder / "sealing.json"
    content = _kept(path, lambda: msgspec.json.encode(SealingKeys(1, {1: os.urandom(32)})))
    try:
        keys = msgspec.json.decode(content, type=SealingKeys)
    except msgspec.DecodeError as error:
        raise Invalid.at(str(path), f"is damaged ({error}); restore it from a backup") from None
    if keys.current not in keys.keys or any(len(key) != 32 for key in keys.keys.values()):
        raise Invalid.at(str(path), "is damaged: the current key is missing or a key is not of 32 bytes")
    return keys


def pepper(folder: Path) -> bytes:
    """The key of the hashes that tokens are known by."""
    path = folder / "pepper"
    content = base64.b64decode(_kept(path, lambda: base64.b64encode(os.urandom(32))))
    if len(content) != 32:
        raise Invalid.at(str(path), "is damaged; restore it from a backup")
    return content


def portal_key(folder: Path) -> Ed25519PrivateKey:
    """The key that signs the portal's answers, whose public half the apps pin."""
    path = folder / "portal-ed25519.pem"

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
        return path.read_bytes()
    except FileNotFoundError:
        pass
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()
    return path.read_bytes()
