"""Digest authentication from the registrar's side: whether a response was made with this HA1 (RFC 7616, with MD5)."""

from __future__ import annotations

import hmac
from hashlib import md5

import msgspec

from offhook.core.secret import Secret


class Proof(msgspec.Struct, frozen=True):
    """What a phone sent to prove that it knows its password; `qop` is empty where it follows RFC 2069."""

    method: str
    uri: str
    nonce: str
    response: str
    qop: str = ""
    cnonce: str = ""
    nc: str = ""

    def fits(self, ha1: Secret) -> bool:
        """Whether it was made with this hash; it takes the same time whatever differs."""
        ha2 = _md5(f"{self.method}:{self.uri}")
        between = f"{self.nonce}:{self.nc}:{self.cnonce}:{self.qop}" if self.qop else self.nonce
        expected = _md5(f"{ha1.reveal()}:{between}:{ha2}")
        return hmac.compare_digest(expected.encode(), self.response.lower().encode("utf-8", "replace"))


def _md5(text: str) -> str:
    return md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
