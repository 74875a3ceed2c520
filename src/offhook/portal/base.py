"""What phones get of a version: base document, screen and theme package, each signed and with its validators."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from offhook.core import accountxml, base, mergeable, signing, theme, webservice
from offhook.core.base import Base
from offhook.core.dialplan import GlobalPart
from offhook.core.login import CloudId
from offhook.core.mergeable import Value
from offhook.portal.app import SERVICES, App, in_order

# Gives the definitions of our own provider service for a Cloud ID; it answers for every Cloud ID that has an app.
Definitions: TypeAlias = Callable[[str], Mapping[str, str]]

# Services that are called once there is an account. The second of them is ours (D24).
ACCOUNT_SERVICES: Final = (
    webservice.REPROVISIONING,
    webservice.GLOBAL_REPROVISIONING,
    webservice.REMOVAL_REPORTER,
    webservice.PUSH_TOKEN_REPORTER,
)
# The source of values that no app.toml holds.
OURS: Final = "provider service"

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
    """The base configuration of a version; `definitions` are those of our own provider service.

    Those of services that are called once there is an account belong into the account.
    """
    return Base(
        cloud_id=app.cloud_id,
        version=number,
        account=_account(app, definitions),
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
    return {**_ours(app, definitions, SERVICES, app.services), **app.services}


def _account(app: App, definitions: Mapping[str, str]) -> dict[str, Value]:
    """The app's own keys; the services that it does not define are ours, but for the keys it sets."""
    ours = _ours(app, definitions, ACCOUNT_SERVICES, app.account)
    if not ours:
        return app.account
    return in_order({**{key: Value(text, mergeable.PORTAL, OURS) for key, text in ours.items()}, **app.account})


def _ours(
    app: App, definitions: Mapping[str, str], prefixes: Sequence[str], defined: Collection[str]
) -> dict[str, str]:
    """Those of our definitions with one of these prefixes whose service the app does not define itself."""
    missing = tuple(prefix for prefix in prefixes if f"{prefix}Url" not in defined)
    return {key: text for key, text in definitions.items() if app.provider and key.startswith(missing)}
