"""The device a phone runs on: what it tells web services about itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from offhook import __version__
from offhook.core.webservice import Request

# The version that the sample request of the provisioning documents names; services choose by it what they answer.
APP_VERSION: Final = "1.5.6"

_OWN: Final = frozenset({"connection", "cache-control", "user-agent"})


class Device(msgspec.Struct, frozen=True):
    """One installation of the app. `install_id` is made at the first start and lives as long as the installation."""

    install_id: str
    platform: str = "linux"
    platform_version: str = ""
    model: str = ""
    cpu: str = ""
    locale: str = "en"
    version: str = APP_VERSION

    def names(self) -> dict[str, str]:
        """The global placeholders, which every web service may use."""
        return {
            "installid": self.install_id,
            "platform": self.platform,
            "platformversion": self.platform_version,
            "device": self.model,
            "cpu": self.cpu,
            "locale": self.locale,
            "version": self.version,
            "build": __version__,
        }

    def dress(self, request: Request) -> Request:
        """Put the app's own headers into a request, except those that it brings along.

        They are the three of the documents' sample; behind the app's name stands who is really calling.
        """
        brought = {name.lower() for name, _ in request.headers}
        own = _own_headers(self.version)
        added = own if brought.isdisjoint(_OWN) else tuple(one for one in own if one[0].lower() not in brought)
        return msgspec.structs.replace(request, headers=(*added, *request.headers))


@lru_cache(maxsize=8)
def _own_headers(version: str) -> tuple[tuple[str, str], ...]:
    """Made once for all requests of a version, of which one machine hardly ever has two."""
    agent = f"CloudSoftphone/{version} offhook/{__version__}"
    return (("Connection", "close"), ("Cache-Control", "max-age=0"), ("User-Agent", agent))
