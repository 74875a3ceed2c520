"""What phones get of a version: base document, screen and theme package, each signed and with its validators."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from offhook.core import accountxml, base, signing, theme
from offhook.core.base import Base
from offhook.core.dialplan import GlobalPart
from offhook.core.login import CloudId
from offhook.portal.app import SERVICES, App

# Gives the definitions of our own provider service for a Cloud ID; it answers for every Cloud ID that has an app.
Definitions: TypeAlias = Callable[[str], dict[str, str]]

_XML: Final = f"{accountxml.CONTENT_TYPE}; charset=utf-8"


class Part(StrEnum):
    """What a phone asks for, by the Cloud ID alone (D16)."""

    BASE = "base"
    THEME = "theme"
    SCREEN = "screen"


CONTENT_TYPES: Final[Mapping[Part, str]] = {
    Part.BASE: _XML,
    Part.THEME: theme.CONTENT_TYPE,
    Part.SCREEN: "application/json",
}


class Package(msgspec.Struct, frozen=True):
    """One part, ready to be sent: the headers of a 200, signature included, and the body."""

    headers: dict[str, str]
    body: bytes
    etag: str
    modified_s: int

    def __repr__(self) -> str:
        return f"Package({self.etag}, {len(self.body)} bytes)"


def compose(app: App, number: int, definitions: Mapping[str, str]) -> Base:
    """The base configuration of a version; `definitions` are those of our own provider service."""
    return Base(
        cloud_id=app.cloud_id,
        version=number,
        account=app.account,
        services=_services(app, definitions),
        features=app.features,
        reprovisioning=app.reprovisioning,
        common=GlobalPart(
            quick_dials=app.quick_dials,
            dial_actions=app.dial_actions,
            preferences=app.preferences,
        ),
    )


def base_bytes(app: App, number: int, definitions: Mapping[str, str]) -> bytes:
    """The base document; equal input gives equal bytes."""
    return base.dumps(compose(app, number, definitions)).encode()


def screen_bytes(app: App) -> bytes:
    """The initial screen as JSON, as `core.screen.Screen` reads it."""
    return msgspec.json.encode(app.screen)


def digest(body: bytes) -> str:
    """The name of some content: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(body).hexdigest()


def package(cloud_id: CloudId, part: Part, body: bytes, modified_s: int, key: Ed25519PrivateKey) -> Package:
    """A part with its validators and signature.

    The signature is dated like the content, so that equal content has equal headers whoever serves it.
    """
    etag = f'"{digest(body)[:32]}"'
    modified = datetime.fromtimestamp(modified_s, UTC)
    headers = {
        "Content-Type": CONTENT_TYPES[part],
        "ETag": etag,
        "Last-Modified": format_datetime(modified, usegmt=True),
        signing.CLOUD_ID_HEADER: str(cloud_id),
        signing.PART_HEADER: part.value,
    }
    return Package(signing.sign(headers, body, modified, key), body, etag, modified_s)


def _services(app: App, definitions: Mapping[str, str]) -> dict[str, str]:
    """The app's own services; ours for those it does not define."""
    own = {prefix for prefix in SERVICES if f"{prefix}Url" in app.services}
    ours = {key: text for key, text in definitions.items() if app.provider and not key.startswith(tuple(own))}
    return {**ours, **app.services}
