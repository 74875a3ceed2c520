"""Where the portal answers: an address for its key, and one for each part of an app (D16)."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from offhook.core.errors import Invalid
from offhook.core.login import CloudId

DEFAULT: Final = "http://127.0.0.1:8080"
MAX_URL: Final = 1024

_PORTS: Final = {"http": 80, "https": 443}


class Portal(msgspec.Struct, frozen=True):
    """One portal, by its address: however that was spelt, the same portal has the same one."""

    url: str

    @classmethod
    def parse(cls, text: str) -> Portal:
        """Read an address; raises Invalid."""
        url = text.strip()
        parts = _parts(url)
        if parts is None or len(url) > MAX_URL or any(mark in url for mark in " ?#@") or not url.isprintable():
            raise Invalid.at("portal", f"is not an address such as {DEFAULT} or https://portal.example.com")
        return cls(_canonical(parts))

    @property
    def key_url(self) -> str:
        """Where the public key is, for a phone that sees this portal for the first time."""
        return f"{self.url}/portal/key"

    def part_url(self, cloud_id: CloudId, part: str) -> str:
        """Where a part of an app is: it is addressed by the Cloud ID alone."""
        return f"{self.url}/portal/{cloud_id}/{part}"


def _parts(url: str) -> SplitResult | None:
    """The parts of a web address, or None when it is none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _canonical(parts: SplitResult) -> str:
    """Lower case where case does not count, no port that is meant anyway, no slash at the end."""
    scheme, host = parts.scheme, (parts.hostname or "").rstrip(".")
    named = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _PORTS[scheme]} else f":{parts.port}"
    return f"{scheme}://{named}{port}{parts.path.rstrip('/')}"
