"""Apps on a real store, with a clock that is set by hand, and random apps for laws."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import hypothesis.strategies as st
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from offhook.core.catalogue import KEYS
from offhook.core.dialplan import QuickDial, QuickDials, Removal
from offhook.core.features import FEATURES
from offhook.core.theme import Manifest, Theme
from offhook.portal import app as apps
from offhook.portal.app import App
from offhook.portal.catalogue import Portal
from offhook.portal.published import Published
from offhook.portal.reading import from_document
from offhook.storage.apps import AppStore, PublishedStore
from offhook.storage.database import Database
from offhook.storage.themes import ThemeStore

KEY: Final = Ed25519PrivateKey.from_private_bytes(b"a key for the tests, 32 bytes in")
DEFINITIONS: Final = {"InitialProvisioningUrl": "https://prov.example.com/prov?cloud_id=%fullcode%"}
NOON_S: Final = 1_700_000_000


def a_png(width: int = 1, height: int = 1, text: bytes = b"") -> bytes:
    """A picture of this size, all black, with a text that nobody sees."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(width)) * height)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", head), chunk(b"tEXt", text), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    )


LOGO: Final = a_png(text=b"a logo")


class HandSetClock:
    """Says what it was told."""

    def __init__(self, now_s: int = NOON_S) -> None:
        self.time_s = now_s

    def now_s(self) -> int:
        return self.time_s


class Desk:
    """A portal on a data folder, and what it serves; a second one on the same folder is another process."""

    def __init__(self, folder: Path) -> None:
        (folder / "themes").mkdir(exist_ok=True)
        self.folder = folder
        self.clock = HandSetClock()
        self.database = Database(folder / "db")
        self.themes = ThemeStore(folder / "themes")
        self.portal = Portal(AppStore(self.database), self.themes, self.clock)
        self.store = PublishedStore(self.database)
        self.definitions = dict(DEFINITIONS)
        self.published = Published(self.store, self.themes, self._defined, KEY, self.clock)

    def _defined(self, cloud_id: str) -> dict[str, str]:
        return self.definitions

    def live(self, app: App, theme: Theme | None = None) -> None:
        """Put an app on the portal and publish it, whatever is there."""
        self.portal.accept(self.portal.propose(app, theme or Theme()))
        self.portal.publish(app.cloud_id)


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """A desk, closed at the end."""
    opened = Desk(folder)
    try:
        yield opened
    finally:
        opened.database.close()


def an_app(cloud_id: str = "EXAMPLE", **account: str | int) -> App:
    """An app with a few keys of the account."""
    return from_document({"cloud_id": cloud_id, "name": "Example", "account": {"title": "Example", **account}})


def a_theme(name: str = "Sunrise") -> Theme:
    """A small theme."""
    return Theme(Manifest(name=name, colours={"accent": "#0B5FFF"}, images={"logo": "logo.png"}), {"logo.png": LOGO})


# What XML can carry; carriage returns and the like are part of it.
TEXTS: Final = st.text(
    st.characters(
        exclude_categories=["Cs"],
        exclude_characters=[*map(chr, range(9)), "\x0b", "\x0c", *map(chr, range(14, 32)), "\ufffe", "\uffff"],
    ),
    max_size=30,
)
NAMES: Final = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,12}", fullmatch=True)
PRIORITIES: Final = st.sampled_from([None, 0, 20, 50])
MARKUP: Final = st.sampled_from(
    ['<rule><a b="1"/></rule>', '<value lang="cs">Ahoj</value><value>Hello</value>', "<a>one <b/> two</a>", "<a> </a>"]
)
VALUES: Final = st.builds(apps.value, TEXTS, PRIORITIES) | st.builds(lambda xml: apps.value(xml, markup=True), MARKUP)
FREE_KEYS: Final = NAMES.map(lambda name: f"X-{name}").filter(lambda name: KEYS.find(name) is None)
ACCOUNTS: Final = st.dictionaries(FREE_KEYS, VALUES, max_size=5).map(apps.in_order)


@st.composite
def quick_dials(draw: st.DrawFn) -> QuickDials:
    """Items and removals, each id once."""
    identities = draw(st.lists(TEXTS.filter(bool), unique=True, max_size=5))
    split = draw(st.integers(0, len(identities)))
    ranks = st.sampled_from([10, 20, 50])
    removals = tuple(Removal(identity, draw(ranks), "portal") for identity in identities[:split])
    items = tuple(
        QuickDial(identity, draw(TEXTS), draw(TEXTS), draw(TEXTS), draw(ranks), "portal")
        for identity in identities[split:]
    )
    return QuickDials(items, removals, draw(st.none() | st.integers(0, 100)))


@st.composite
def random_apps(draw: st.DrawFn) -> App:
    """Any app that a portal may hold."""
    names = [feature.name for feature in FEATURES if not feature.bounded]
    switched = draw(st.sets(st.sampled_from(names)))
    return App(
        cloud_id="EXAMPLE",
        name=draw(TEXTS),
        account=draw(ACCOUNTS),
        provider=draw(st.booleans()),
        services=draw(st.sampled_from([{}, {"dialActionWsUrl": "https://a.example.com/?x=%username%"}])),
        preferences=dict(sorted(draw(st.dictionaries(NAMES, VALUES, max_size=3)).items())),
        features={name: "1" for name in names if name in switched},
        quick_dials=draw(quick_dials()),
        dial_actions=draw(
            st.dictionaries(
                TEXTS.filter(bool),
                st.dictionaries(NAMES, VALUES, max_size=3).map(lambda keys: dict(sorted(keys.items()))),
                max_size=3,
            )
        ),
    )
