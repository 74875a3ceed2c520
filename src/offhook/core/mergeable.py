"""Mergeable XML: named values that come from several sources and settle by rank (D5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

import msgspec
from lxml import etree

from offhook.core import xml
from offhook.core.secret import Discreet

DEFAULT: Final = 0
PORTAL: Final = 10
PROVIDER: Final = 20
USER: Final = 40

# A key remembers this many earlier values and refusals, one for each source at most.
REMEMBERED: Final = 8
# A value is never larger than a document; to look into it, an element is put around it.
_MOST_BYTES: Final = xml.MAX_BYTES + len("<value></value>")


class Value(Discreet, frozen=True):
    """What a key holds: a text, or a sub-tree that counts as one value."""

    content: str
    rank: int
    source: str
    markup: bool = False
    attributes: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{len(self.content)} characters, rank {self.rank}, {self.source}"

    def children(self) -> list[etree._Element]:
        """The elements of a sub-tree; none for a text."""
        return list(xml.parse(f"<value>{self.content}</value>", limit_bytes=_MOST_BYTES)) if self.markup else []


class KeptOut(msgspec.Struct, frozen=True):
    """A value that did not get in, and why."""

    value: Value
    reason: str


class Settled(msgspec.Struct, frozen=True):
    """The value of a key and those it replaced, the latest first."""

    value: Value
    replaced: tuple[Value, ...] = ()


class Document(msgspec.Struct, frozen=True):
    """Settled keys with their provenance, in the order in which they first came."""

    keys: dict[str, Settled] = {}
    kept_out: dict[str, tuple[KeptOut, ...]] = {}

    def get(self, key: str) -> Value | None:
        """The value of a key, or None when nobody ever set it."""
        settled = self.keys.get(key)
        return settled.value if settled else None

    def text(self, key: str) -> str:
        """The content of a key; empty when it is absent or blanked."""
        settled = self.keys.get(key)
        return settled.value.content if settled else ""

    def values(self) -> dict[str, Value]:
        """The values alone."""
        return {key: settled.value for key, settled in self.keys.items()}


Admit: TypeAlias = Callable[[str, Value], "str | None"]


def everything(key: str, value: Value) -> str | None:  # noqa: ARG001 - the shape of Admit
    """Admit every value."""
    return None


def merge(
    stored: Document, incoming: Mapping[str, Value], admit: Admit = everything, *, beneath: bool = False
) -> Document:
    """A value gives way to one of its own rank or higher; what is not mentioned stays; an empty one blanks.

    `admit` may keep a value out for a reason of its own, such as a missing licence (D18). `beneath`: what comes in
    belongs under the values of other sources, which lie over it already, so at equal rank it does not count.
    """
    keys, kept_out = dict(stored.keys), dict(stored.kept_out)
    for key, value in incoming.items():
        settled = keys.get(key)
        reason = admit(key, value) or (_outranked(settled.value, value, beneath=beneath) if settled else None)
        if reason is not None:
            kept_out[key] = _remember(KeptOut(value, reason), kept_out.get(key, ()))
            continue
        if settled is None:
            keys[key] = Settled(value)
        elif settled.value != value:
            keys[key] = Settled(value, _replaced(settled, value))
        if key in kept_out:
            _forget(kept_out, key, value.source)
    return Document(keys, kept_out)


def settle(values: Mapping[str, Value]) -> Document:
    """A document of first values, before anybody else had a say."""
    return Document({key: Settled(value) for key, value in values.items()})


def _outranked(stored: Value, incoming: Value, *, beneath: bool) -> str | None:
    if incoming.rank == stored.rank and beneath and incoming.source != stored.source:
        return f"rank {incoming.rank} ({incoming.source}) lies under the same rank of {stored.source}"
    if incoming.rank >= stored.rank:
        return None
    return f"rank {incoming.rank} ({incoming.source}) is below rank {stored.rank} ({stored.source})"


def _replaced(settled: Settled, value: Value) -> tuple[Value, ...]:
    others = (old for old in settled.replaced if old.source not in {settled.value.source, value.source})
    return (settled.value, *others)[:REMEMBERED]


def _remember(refusal: KeptOut, known: Iterable[KeptOut]) -> tuple[KeptOut, ...]:
    others = (old for old in known if old.value.source != refusal.value.source)
    return (refusal, *others)[:REMEMBERED]


def _forget(kept_out: dict[str, tuple[KeptOut, ...]], key: str, source: str) -> None:
    remaining = tuple(refusal for refusal in kept_out[key] if refusal.value.source != source)
    if remaining:
        kept_out[key] = remaining
    else:
        del kept_out[key]
