"""What all kinds of upstreams share: an end in time, telling step by step, what an answer may be like, its limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final, Protocol, TypeAlias

from offhook.core.errors import Unavailable
from offhook.provider.upstream import Upstream

MAX_NAME: Final = 256
MAX_PASSWORD: Final = 4096
MAX_VALUE: Final = 2000
MAX_GROUPS: Final = 1000
# What is kept of a user's groups has this much room.
MAX_GROUPS_TEXT: Final = 15_000
# Told what happens, step by step, for the operator who tries it: names, never a password.
Told: TypeAlias = Callable[[str], None]


class Source(Upstream, Protocol):
    """An upstream that was opened: what the provider asks of it, and what its operator does."""

    def faults(self) -> tuple[str, ...]:
        """What is wrong with how it is set up, each with how to mend it; none when it can be used. It asks it."""

    def close(self) -> None:
        """Let go of its connections; the next use opens new ones."""


class Untold(Unavailable):
    """The upstream answers, but of this user nothing is known: that says nothing against the upstream."""


class Late(Unavailable):
    """The time that there was is used up."""


class Deadline:
    """So many seconds for all steps of one question."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock() + seconds

    def left_s(self, most: float = 60.0) -> float:
        """What is left, but not more than `most`. Raises Late when nothing is."""
        left = self._until - self._clock()
        if left <= 0:
            raise Late("Nobody can check your password right now: it takes too long. Please try again later.")
        return min(left, most)


def silent(step: str) -> None:
    """Nobody is told."""


def may_be(username: str, password: str = "-") -> bool:
    """Whether it is worth asking: nobody has an empty name or password, or one that is endless or no text."""
    if not username or not password or len(username) > MAX_NAME or len(password) > MAX_PASSWORD:
        return False
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return username.isprintable()


def named(found: Mapping[str, str | None], wanted: Mapping[str, str]) -> dict[str, str]:
    """Their attributes under our names; what is not there, empty or endless is left out."""
    said = {ours: found.get(theirs) for ours, theirs in wanted.items()}
    return {ours: text for ours, text in said.items() if text and len(text) <= MAX_VALUE}


def kept(groups: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """The groups that fit a pattern, each once and in order, so that the same ones are always the same. Raises Untold.

    Some of very many would be others each time, and rules would make of it what nobody meant.
    """
    patterns = tuple(patterns)
    names = {name for name in groups if name and any(fnmatchcase(name, pattern) for pattern in patterns)}
    if len(names) > MAX_GROUPS or sum(map(len, names)) + len(names) > MAX_GROUPS_TEXT:
        raise Untold("This user is in too many groups: your provider has to say with groups_like which of them count.")
    return tuple(sorted(names))
