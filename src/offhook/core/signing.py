"""Signed portal answers, which any cache may carry (D16): a digest (RFC 9530) under a signature (RFC 9421)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)
from http_message_signatures.exceptions import HTTPMessageSignaturesException, InvalidSignature
from http_message_signatures.structures import VerifyResult

from offhook.core.errors import Invalid
from offhook.core.webservice import Response

KEY_ID: Final = "portal"
CLOUD_ID_HEADER: Final = "Offhook-Cloud-Id"
PART_HEADER: Final = "Offhook-Part"
COVERED: Final = (
    "@status",
    "content-type",
    "etag",
    "last-modified",
    CLOUD_ID_HEADER.lower(),
    PART_HEADER.lower(),
    "content-digest",
)
_COVERED: Final = frozenset(f'"{name}"' for name in COVERED)
_SIGNATURE: Final = ("signature", "signature-input")
# The same few answers come again and again, and to many phones where these share a process.
_MOST_KNOWN: Final = 256


class _Message:
    """An answer as the signature library wants to see it."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.headers = dict(headers)


class _OneKey(HTTPSignatureKeyResolver):
    """Knows the portal's key and no other."""

    def __init__(self, key: Ed25519PrivateKey | Ed25519PublicKey) -> None:
        self.key = key

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey | Ed25519PublicKey | None:
        return self.key if key_id == KEY_ID else None

    resolve_public_key = resolve_private_key


class _Verifier(HTTPMessageVerifier):
    """Looks at no clock: a configuration stays genuine however old, and its Last-Modified keeps it from going back."""

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """Accept any age."""


def sign(headers: Mapping[str, str], body: bytes, created: datetime, key: Ed25519PrivateKey) -> dict[str, str]:
    """The headers of a 200, with digest and signature added; equal input gives equal output.

    `headers` hold Content-Type, ETag, Last-Modified and our two that name the Cloud ID and the part.
    """
    message = _Message(200, headers)
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=_OneKey(key))
    signer.sign(message, key_id=KEY_ID, created=created, label="portal", covered_component_ids=COVERED, body=body)
    return message.headers


def verify(response: Response, cloud_id: str, part: str, key: Ed25519PublicKey) -> None:
    """Raise Invalid unless the pinned key signed this very body for this Cloud ID and part."""
    try:
        _verify_signed(response, key)
    except HTTPMessageSignaturesException as error:
        what = "the answer is not signed by the pinned portal key, or was changed on its way"
        raise Invalid.at(f"portal {part}", f"{what} ({str(error) or 'the signature does not fit'})") from None
    signed_for = response.header(CLOUD_ID_HEADER), response.header(PART_HEADER)
    if signed_for != (cloud_id, part):
        raise Invalid.at(f"portal {part}", f"the answer was signed for the {signed_for[1]} of {signed_for[0]}")


def _verify_signed(response: Response, key: Ed25519PublicKey) -> None:
    """The signature is that of the key, covers what it has to, and the digest that it covers is that of the body."""
    named = response.header("signature-input")
    signed = [(name, text) for name, text in response.headers.items() if name in _SIGNATURE or f'"{name}"' in named]
    results = _verified(response.status, tuple(signed), key.public_bytes_raw())
    if not all(result.covered_components.keys() >= _COVERED for result in results):
        raise InvalidSignature("it does not cover all that it has to")
    _verifier(key).verify_body(_Message(response.status, dict(signed)), results, response.body)


@lru_cache(_MOST_KNOWN)
def _verified(status: int, signed: tuple[tuple[str, str], ...], key: bytes) -> tuple[VerifyResult, ...]:
    """What the signatures over these headers cover; a signature that fitted once always fits."""
    verifier = _verifier(Ed25519PublicKey.from_public_bytes(key))
    return tuple(verifier.verify(_Message(status, dict(signed)), max_age=None))


def _verifier(key: Ed25519PublicKey) -> _Verifier:
    return _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=_OneKey(key))


def public_text(key: Ed25519PublicKey) -> str:
    """A public key as one line of text, for pinning."""
    return "ed25519:" + base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def parse_public(text: str) -> Ed25519PublicKey:
    """Read what `public_text` wrote; raises Invalid."""
    kind, _, encoded = text.strip().partition(":")
    try:
        if kind != "ed25519":
            raise ValueError(kind)
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded, validate=True))
    except ValueError:
        raise Invalid.at("portal key", "is not of the form ed25519:BASE64, as `offhook portal-key` prints it") from None
