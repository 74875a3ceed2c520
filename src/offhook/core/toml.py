"""Names and texts as TOML has them, for files that people keep in git: as they are where that is possible."""

from __future__ import annotations

import re
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\x7f-\x9f\ud800-\udfff]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def name(text: str) -> str:
    """A key, bare if it can be."""
    return text if _BARE.fullmatch(text) else _basic(text)


def text(written: str) -> str:
    """A value; one of several lines keeps them, unless it has what cannot stand there."""
    lines = written.split("\n")
    printable = len(lines) > 1 and all(line.isprintable() for line in lines)
    if printable and "'''" not in written and not written.endswith("'"):
        return f"'''\n{written}'''"
    return _basic(written)


def _basic(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda found: _SHORT.get(found[0], f"\\u{ord(found[0]):04X}"), text) + '"'
