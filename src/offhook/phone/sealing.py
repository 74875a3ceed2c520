"""Sealed content: encrypted and bound to its name (AES-256-GCM), so that no byte and no name can be changed unseen."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from offhook.core.errors import Invalid

KEY_BYTES: Final = 32

_MARK: Final = b"OFFHOOK1"
_NONCE_BYTES: Final = 12


def seal(key: bytes, name: str, content: bytes) -> bytes:
    """The content, sealed under a name."""
    nonce = os.urandom(_NONCE_BYTES)
    return _MARK + nonce + AESGCM(key).encrypt(nonce, content, _bound(name))


def unseal(key: bytes, name: str, sealed: bytes) -> bytes:
    """What was sealed under this name; raises Invalid when the key, the name or a byte differs."""
    nonce = sealed[len(_MARK) : len(_MARK) + _NONCE_BYTES]
    if not sealed.startswith(_MARK) or len(nonce) < _NONCE_BYTES:
        raise Invalid.at(name, "is not a sealed file, or was cut short")
    try:
        return AESGCM(key).decrypt(nonce, sealed[len(_MARK) + _NONCE_BYTES :], _bound(name))
    except InvalidTag:
        raise Invalid.at(name, "was changed, or sealed with another key") from None


def _bound(name: str) -> bytes:
    return _MARK + name.encode()
