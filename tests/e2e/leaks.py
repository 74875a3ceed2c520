"""Looks for secrets in whatever was written, in every spelling in which a program may have written them down."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

# What is shorter is found by chance.
MIN_LENGTH: Final = 8


def spellings(secret: str) -> frozenset[bytes]:
    """A secret as it stands in a file, an address, JSON, XML, a shell's word, hexadecimal, or anywhere in base64."""
    raw = secret.encode()
    texts = (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower(),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        escape(secret),
        quoteattr(secret)[1:-1],
        repr(secret)[1:-1],
        raw.hex(),
        raw.hex().upper(),
    )
    return frozenset((*(text.encode() for text in texts), *_base64(raw), secret.encode("utf-16-le")))


def _base64(raw: bytes) -> Iterator[bytes]:
    """What stays the same of it wherever it begins within a longer text, in both alphabets."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw + bytes(3))
        # The first characters hold what comes before as well, the last ones what comes behind.
        inner = whole[-(-before * 4 // 3) : (before + len(raw)) * 4 // 3]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


class Evidence:
    """Secrets that were used, and everything that was written meanwhile: texts at once, folders when it is scanned."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}
        self._texts: list[tuple[str, bytes]] = []
        self._folders: list[tuple[Path, frozenset[str]]] = []

    def secret(self, what: str, secret: str) -> str:
        """Nobody may write this down."""
        assert len(secret) >= MIN_LENGTH, f"{what} is too short to be looked for"
        self._secrets[secret] = what
        return secret

    def text(self, place: str, text: str) -> str:
        """Something that was shown to somebody."""
        self._texts.append((place, text.encode(errors="surrogateescape")))
        return text

    def folder(self, path: Path, but: frozenset[str] = frozenset()) -> None:
        """All files below it, except those of these names."""
        self._folders.append((path, but))

    @property
    def used(self) -> Mapping[str, str]:
        """What each secret is."""
        return self._secrets

    def leaks(self) -> list[str]:
        """Where a secret stands: which, and not what it is."""
        wanted = [(what, spelling) for secret, what in self._secrets.items() for spelling in spellings(secret)]
        return sorted(
            {f"{what}, in {place}" for place, text in self._written() for what, spelling in wanted if spelling in text}
        )

    def _written(self) -> Iterator[tuple[str, bytes]]:
        yield from self._texts
        for folder, but in self._folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name not in but:
                    yield str(path.relative_to(folder.parent)), path.read_bytes()
