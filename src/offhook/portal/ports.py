"""What the portal needs from outside, each port as small as its user."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from offhook.portal.versions import Stamp, State, Version


class Clock(Protocol):
    """The time."""

    def now_s(self) -> int:
        """Whole seconds since 1970."""


class AppTransaction(Protocol):
    """The versions of all apps within one transaction."""

    def standing(self, cloud_id: str, state: State) -> Version | None:
        """The Live or the Editable of an app, or None."""

    def numbered(self, cloud_id: str, number: int) -> Version | None:
        """A version by its number, or None."""

    def latest(self, cloud_id: str) -> Stamp | None:
        """The highest number of an app and the latest moment of any change of it or its policy; None without an app."""

    def newest(self, cloud_id: str, limit: int) -> list[Version]:
        """The newest versions of an app, the newest first; none for an app that does not exist."""

    def everywhere(self) -> list[Version]:
        """The Live and the Editable of every app, by Cloud ID."""

    def put(self, version: Version) -> None:
        """Keep a version, new or changed, under its Cloud ID and number."""

    def redate(self, now_s: int) -> int:
        """Give every part that phones were ever served a later moment than it had; returns how many there are."""


class AppStore(Protocol):
    """Administration's view of the apps."""

    def begin(self) -> AbstractContextManager[AppTransaction]:
        """One transaction: all of it happens, or nothing. Raises Unavailable."""

    def read(self) -> AbstractContextManager[AppTransaction]:
        """One transaction that only looks, and waits for nobody who writes. Raises Unavailable."""


class ThemeStore(Protocol):
    """Theme packages by digest. A package is kept for good before any version names it."""

    def put(self, package: bytes) -> str:
        """Keep a package and return its digest, SHA-256 in hexadecimal digits; whole or not at all, also in a crash."""

    def get(self, digest: str) -> bytes:
        """The package of a digest; raises Unavailable when it is missing or damaged."""


class PublishedStore(Protocol):
    """The device plane's view of the versions."""

    def pulse(self) -> int:
        """Another number than last time whenever anything may have been written, by whomever."""

    def stamp(self, cloud_id: str, state: State) -> Stamp | None:
        """The stamp of the Live or Editable of an app, or None when there is none."""

    def served(self, cloud_id: str, state: State, part: str) -> tuple[Stamp, int] | None:
        """The stamp and the moment of a part, 0 before it was served; None when there is no such version."""

    def read(self, cloud_id: str, state: State) -> Version | None:
        """The Live or Editable itself, or None when there is none."""

    async def moment(self, cloud_id: str, state: State, part: str, digest: str, now_s: int) -> int:
        """When the content of this digest was first served as this part: later than that of any other content before.

        The first to ask decides: it is `now_s`, or the second after the moment of the content before. Durable. Raises
        Unavailable.
        """
