"""Which keys of an account are never the user's to change: they say who asks whom for it, and what ends it."""

from __future__ import annotations

from typing import Final

from offhook.core import webservice
from offhook.core.catalogue import KEYS

# What a re-provisioning request shows that it comes from this install (D20).
_PROOFS: Final = frozenset({"X-install-id", "cloud_id", "cloud_username", "cloud_password"})
_PREFIXES: Final = (
    webservice.INITIAL,
    webservice.GLOBAL,
    webservice.REPROVISIONING,
    webservice.GLOBAL_REPROVISIONING,
    webservice.REMOVAL_REPORTER,
    webservice.PUSH_TOKEN_REPORTER,
)


def why_not_the_users(key: str) -> str:
    """Why a key is the provider's alone; empty when the user may change it.

    Who could change these would be out of reach of a logout for good: a user's rank beats the provider's.
    """
    if key in _PROOFS:
        return "it says whose account this is, and comes with the sign-in"
    if key.startswith(_PREFIXES) or KEYS.service(key) is not None:
        return "it belongs to a web service of the provider"
    return ""
