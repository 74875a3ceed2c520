"""Where the portal answers: an address for its key, and one for each part of an app (D16)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from offhook.core.errors import Invalid
from offhook.core.login import CloudId

DEFAULT: Final = "http://127.0.0.1:8080"
MAX_URL: Final = 1024


class Portal(msgspec.Struct, frozen=True):
    """One portal, by its address without a slash at the end."""

    url: str

    @classmethod
    def parse(cls, text: str) -> Portal:
        """Read an address; raises Invalid."""
        url = text.strip().rstrip("/")
        try:
            parts = urlsplit(url)
            usable = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or len(url) > MAX_URL or any(mark in url for mark in " ?#@") or not url.isprintable():
            raise Invalid.at("portal", f"is not an address such as {DEFAULT} or https://portal.example.com")
        return cls(url)

    @property
    def key_url(self) -> str:
        """Where the public key is, for a phone that sees this portal for the first time."""
        return f"{self.url}/portal/key"

    def part_url(self, cloud_id: CloudId, part: str) -> str:
        """Where a part of an app is: it is addressed by the Cloud ID alone."""
        return f"{self.url}/portal/{cloud_id}/{part}"
