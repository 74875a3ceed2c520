"""The versions of an app (D17): at most one Editable and one Live, and every Live that was, each a full copy."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from offhook.portal.app import App


class State(StrEnum):
    """Where a version stands."""

    EDITABLE = "editable"
    LIVE = "live"
    PAST = "past"


class Stamp(msgspec.Struct, frozen=True):
    """Which version, and as of which change: two equal stamps of an app mean equal content."""

    number: int
    changed_s: int


class Ground(msgspec.Struct, frozen=True):
    """What stood there when somebody looked, None for what there was not: a difference is worth nothing beside it."""

    editable: Stamp | None
    live: Stamp | None

    @property
    def basis(self) -> Stamp | None:
        """What an Editable is changed from."""
        return self.editable or self.live


class Signed(msgspec.Struct, frozen=True):
    """Who made a change, why, and when."""

    author: str
    note: str
    at_s: int


class Version(msgspec.Struct, frozen=True):
    """One version; `theme` is the digest of its package, and `changed_s` is never the same twice within an app."""

    cloud_id: str
    number: int
    state: State
    app: App
    theme: str
    author: str
    note: str
    created_s: int
    changed_s: int
    published_s: int | None = None

    @property
    def stamp(self) -> Stamp:
        """What tells whether it changed meanwhile."""
        return Stamp(self.number, self.changed_s)

    def __str__(self) -> str:
        return f"version {self.number} of {self.cloud_id} ({self.state})"


def editable(app: App, theme: str, number: int, signed: Signed) -> Version:
    """A new Editable version."""
    return Version(
        cloud_id=app.cloud_id,
        number=number,
        state=State.EDITABLE,
        app=app,
        theme=theme,
        author=signed.author,
        note=signed.note,
        created_s=signed.at_s,
        changed_s=signed.at_s,
    )


def changed(version: Version, app: App, theme: str, signed: Signed) -> Version:
    """The Editable with other content."""
    assert version.state is State.EDITABLE
    return msgspec.structs.replace(
        version, app=app, theme=theme, author=signed.author, note=signed.note, changed_s=signed.at_s
    )


def promoted(version: Version, signed: Signed) -> Version:
    """The Editable as the new Live; the note of its last change stays when there is no other."""
    assert version.state is State.EDITABLE
    return msgspec.structs.replace(
        version,
        state=State.LIVE,
        author=signed.author,
        note=signed.note or version.note,
        changed_s=signed.at_s,
        published_s=signed.at_s,
    )


def retired(version: Version) -> Version:
    """The Live as part of the history."""
    assert version.state is State.LIVE
    return msgspec.structs.replace(version, state=State.PAST)
