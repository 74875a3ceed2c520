"""A known key of an account, and the catalogue in which keys are looked up."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from offhook.core.kinds import Kind

# documented: a public page describes it. seen: it stands in shipped defaults or in somebody's running service.
# inferred: the name is certain, the meaning was read off the name.
Evidence: TypeAlias = Literal["documented", "seen", "inferred"]

_LIKE_ENOUGH: Final = 0.75
_LONGEST_GUESS: Final = 64
_SECRET: Final = re.compile(r"pass|secret|token|api[-_]?key|CustomHeaders", re.IGNORECASE)
# A PIN where it is a word of its own, as in `voicemailPin`; not in `spinning`.
_PIN: Final = re.compile(r"(?<![A-Za-z])pin(?:code)?(?![a-z])|(?-i:(?<=[a-z])P(?:in|IN)(?![a-z]))|pwd", re.IGNORECASE)


class Key(msgspec.Struct, frozen=True):
    """One key: what it holds, how well that is known, and what an app assumes when nobody sets it."""

    name: str
    kind: Kind
    evidence: Evidence
    summary: str
    default: str = ""
    required: bool = False

    def fault(self, content: str) -> str | None:
        """Why this text cannot be the value, as words that follow the key's name; None when it can.

        An empty text takes a value away, which only a required key does not bear.
        """
        if not content.strip():
            return "must not be empty: an app saves no account without it" if self.required else None
        return self.kind.fault(content)


class Section(msgspec.Struct, frozen=True):
    """Keys that belong together, under their heading."""

    title: str
    keys: tuple[Key, ...]


class Service(msgspec.Struct, frozen=True):
    """A web service of the app: every suffix behind its prefix is a key.

    `also` names keys of this service that do not follow the rule; `portal_only`, that an account never carries it.
    """

    prefix: str
    evidence: Evidence
    summary: str
    also: tuple[str, ...] = ()
    portal_only: bool = False


class Catalogue(msgspec.Struct, frozen=True):
    """All known keys."""

    sections: tuple[Section, ...]
    services: tuple[Service, ...]
    suffixes: tuple[Key, ...]
    by_name: dict[str, Key]

    @classmethod
    def of(cls, sections: Iterable[Section], services: Iterable[Service], suffixes: Iterable[Key]) -> Catalogue:
        """The catalogue of these rows: keys with a row of their own, and each service's prefix with each suffix."""
        sections, services, suffixes = tuple(sections), tuple(services), tuple(suffixes)
        by_name = {key.name: key for section in sections for key in section.keys}
        for service in services:
            for suffix in suffixes:
                name = service.prefix + suffix.name
                by_name.setdefault(name, Key(name, suffix.kind, service.evidence, suffix.summary, suffix.default))
        return cls(sections, services, suffixes, by_name)

    def find(self, name: str) -> Key | None:
        """The key of exactly this name: upper and lower case differ."""
        return self.by_name.get(name)

    def service(self, name: str) -> Service | None:
        """The web service that a key belongs to."""
        if name not in self.by_name:
            return None
        fitting = (one for one in self.services if name.startswith(one.prefix) or name in one.also)
        return max(fitting, key=lambda one: len(one.prefix), default=None)

    def parts(self, name: str) -> dict[str, Key]:
        """The keys that are children of this one, by the name of their element."""
        inside = f"{name}."
        return {key.removeprefix(inside): row for key, row in self.by_name.items() if key.startswith(inside)}

    def near(self, name: str) -> tuple[str, ...]:
        """Known names that this one may have been meant for, the nearest first, at most three."""
        return near(name, self.by_name)


def near(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that this one may have been meant for, the nearest first, at most three."""
    lowered = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name[:_LONGEST_GUESS].lower(), lowered, n=3, cutoff=_LIKE_ENOUGH)
    return tuple(lowered[match] for match in found)


def is_secret(name: str) -> bool:
    """Whether the value of a key must be masked, known or not: passwords, PINs, tokens, headers that may hold them."""
    # The definition of the service that reports tokens is no token itself.
    bare = name.removeprefix("pushTokenReporter")
    return _SECRET.search(bare) is not None or _PIN.search(bare) is not None
