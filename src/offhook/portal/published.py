"""What phones are served: each part of each app, composed and signed once, and again when something has changed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from offhook.core.errors import NotFound
from offhook.core.login import CloudId
from offhook.portal.base import Definitions, Package, Part, base_bytes, digest, package, screen_bytes
from offhook.portal.ports import Clock, PublishedStore, ThemeStore
from offhook.portal.versions import Stamp, State, Version

MOST_BYTES: Final = 64 * 1024 * 1024
_ENTRY_BYTES: Final = 4096

Address: TypeAlias = tuple[str, bool, Part]


class _Kept(msgspec.Struct):
    """A package, its moment, what it was made from, and the pulse of the store when that was last seen to be so."""

    package: Package
    moment_s: int
    made_from: tuple[Stamp, Mapping[str, str]]
    pulse: int


class Published:
    """Serves from memory while nothing is written anywhere; after any write, by anybody, it looks before it answers.

    So what another process publishes is served with the very next request. `definitions` gives the web service
    definitions of our own provider service; they are part of the base, and looked at whenever the version is.
    """

    def __init__(
        self,
        store: PublishedStore,
        themes: ThemeStore,
        definitions: Definitions,
        key: Ed25519PrivateKey,
        clock: Clock,
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._store, self._themes, self._definitions = store, themes, definitions
        self._key, self._clock, self._most_bytes = key, clock, most_bytes
        self._kept: OrderedDict[Address, _Kept] = OrderedDict()
        self._kept_bytes = 0

    async def part(self, cloud_id: CloudId, part: Part) -> Package:
        """A part of an app as it is now; raises NotFound, Unavailable."""
        address = (cloud_id.name, cloud_id.editable, part)
        # Read before what it vouches for: a change in between is then seen with the next request.
        pulse = self._store.pulse()
        kept = self._kept.get(address)
        if kept and kept.pulse == pulse:
            return self._again(address, kept)
        stamp, moment_s = self._served(cloud_id, part)
        made_from = stamp, self._definitions(cloud_id.name) if part is Part.BASE else {}
        if kept and kept.made_from == made_from and kept.moment_s == moment_s:
            kept.pulse = pulse
            return self._again(address, kept)
        made = await self._make(cloud_id, part, made_from[1])
        self._keep(address, _Kept(*made, made_from, pulse))
        return made[0]

    async def _make(self, cloud_id: CloudId, part: Part, definitions: Mapping[str, str]) -> tuple[Package, int]:
        state = _state(cloud_id)
        version = self._store.read(cloud_id.name, state)
        if version is None:
            raise self._missing(cloud_id)
        body = await self._body(version, part, definitions)
        moment_s = await self._store.moment(cloud_id.name, state, part, digest(body), self._clock.now_s())
        return package(CloudId(cloud_id.name, cloud_id.editable), part, body, moment_s, self._key), moment_s

    async def _body(self, version: Version, part: Part, definitions: Mapping[str, str]) -> bytes:
        match part:
            case Part.BASE:
                return base_bytes(version.app, version.number, definitions)
            case Part.SCREEN:
                return screen_bytes(version.app)
            case Part.THEME:
                # Megabytes from a disk: the event loop must not wait for them.
                return await asyncio.to_thread(self._themes.get, version.theme)

    def _served(self, cloud_id: CloudId, part: Part) -> tuple[Stamp, int]:
        found = self._store.served(cloud_id.name, _state(cloud_id), part)
        if found is None:
            raise self._missing(cloud_id)
        return found

    def _missing(self, cloud_id: CloudId) -> NotFound:
        """Says which of the three it is: no such app, no Editable, never published (D1)."""
        name = cloud_id.name
        if cloud_id.editable and self._store.stamp(name, State.LIVE):
            return NotFound(f"The app {name} has no Editable version now. Sign in to {name}, without the star.")
        if not cloud_id.editable and self._store.stamp(name, State.EDITABLE):
            return NotFound(f"The app {name} is not published yet. To test it, sign in to {name}*, with a star.")
        return NotFound(f"There is no app with the Cloud ID {name}. Please check how it is spelt.")

    def _again(self, address: Address, kept: _Kept) -> Package:
        self._kept.move_to_end(address)
        return kept.package

    def _keep(self, address: Address, kept: _Kept) -> None:
        """Keep a package, and let go of those that were not asked for the longest while there are too many bytes."""
        if former := self._kept.pop(address, None):
            self._kept_bytes -= _size(former)
        self._kept[address] = kept
        self._kept_bytes += _size(kept)
        while self._kept_bytes > self._most_bytes and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= _size(oldest)


def _state(cloud_id: CloudId) -> State:
    return State.EDITABLE if cloud_id.editable else State.LIVE


def _size(kept: _Kept) -> int:
    return len(kept.package.body) + _ENTRY_BYTES
