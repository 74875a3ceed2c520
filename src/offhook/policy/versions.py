"""Dotted version numbers, compared as numbers: 9.10 is newer than 9.9, and 9.1 is 9.1.0."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from offhook.core.kinds import quoted

# What follows the number (a build, "-beta") does not count.
_LEADING: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,7}")


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[int, ...] | None:
    """The numbers that a text begins with, without zeros at the end; None when it begins with none."""
    found = _LEADING.match(text.strip())
    if found is None:
        return None
    numbers = [int(part) for part in found[0].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def fault(text: str) -> str | None:
    """Why this cannot be a version to compare with, or None."""
    return None if _LEADING.fullmatch(text) else f"{quoted(text)} is not a version, such as 9.1 or 9.1.3"
