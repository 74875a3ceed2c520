"""Records of many phones of one app, most of whose parts are equal, share them in memory."""

from __future__ import annotations

import sys
from typing import Final

import msgspec

from offhook.core.mergeable import Document
from offhook.phone.saved import Saved

_PARTS: Final = (
    *("quick_dials", "dial_actions", "preferences", "features", "services", "diagnostics"),
    *("portal", "portal_key", "theme", "reprovisioning"),
)


def shared(saved: Saved, other: Saved) -> Saved:
    """A record equal to `saved`, which has in common with `other` whatever is equal in both."""
    alike = {name: getattr(other, name) for name in _PARTS if getattr(saved, name) == getattr(other, name)}
    return msgspec.structs.replace(saved, account=_document(saved.account, other.account), **alike)


def _document(document: Document, other: Document) -> Document:
    keys = {
        sys.intern(key): theirs if (theirs := other.keys.get(key)) == settled and theirs is not None else settled
        for key, settled in document.keys.items()
    }
    kept_out = other.kept_out if document.kept_out == other.kept_out else document.kept_out
    return Document(keys, kept_out)
