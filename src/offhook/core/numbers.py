"""Whole numbers in texts from outside: read in one way everywhere, and never longer than the place bears."""

from __future__ import annotations

import re
from typing import Final

# What fits into 32 bits, as intervals, ranks and versions have to.
DIGITS: Final = 9

_WHOLE: Final = re.compile("-?[0-9]+")


def whole(written: str | None, digits: int = DIGITS) -> int | None:
    """The whole number that stands there, blanks around it or not; None for anything else or more digits."""
    bare = (written or "").strip()
    if len(bare) > digits + len("-") or _WHOLE.fullmatch(bare) is None or len(bare.lstrip("-")) > digits:
        return None
    return int(bare)
