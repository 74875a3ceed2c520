"""The portals that this phone has met: one file beside the vault, which neither a logout nor a lost vault takes away.

Nothing in it is secret. It is JSON, so that a person who knows that a portal has another key can take a line out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from offhook.core.errors import Invalid
from offhook.phone import files
from offhook.phone.files import Files
from offhook.phone.trust import Trust

MAX_BYTES: Final = 4 * 1024 * 1024
# The portal that was not met for longest is forgotten first.
MAX_PORTALS: Final = 100


class Portals:
    """What is trusted, by the address of the portal."""

    __slots__ = ("files", "path")

    def __init__(self, path: Path, disk: Files) -> None:
        self.path, self.files = path, disk

    def find(self, url: str) -> Trust:
        """What is known of a portal; raises Invalid when that cannot be read, since nobody must be trusted then."""
        return self._all().get(url, Trust())

    def keep(self, url: str, learned: Trust, *, earlier: bool = False) -> None:
        """Add what was learned of a portal; `earlier`: before what is known of it now."""
        known = self._all()
        before = known.pop(url, Trust())
        after = learned.and_also(before) if earlier else before.and_also(learned)
        if after == before:
            return
        latest = dict([*known.items(), (url, after)][-MAX_PORTALS:])
        self.files.make_folder(self.path.parent)
        files.put(self.files, self.path, msgspec.json.format(msgspec.json.encode(latest), indent=2) + b"\n")

    def _all(self) -> dict[str, Trust]:
        written = self.files.read(self.path, MAX_BYTES)
        if written is None:
            return {}
        try:
            return msgspec.json.decode(written, type=dict[str, Trust])
        except (msgspec.DecodeError, UnicodeDecodeError):
            how = "Bring back a copy of it, or remove it to trust every portal anew"
            raise Invalid.at(str(self.path), f"holds the keys of trusted portals and cannot be read. {how}") from None
