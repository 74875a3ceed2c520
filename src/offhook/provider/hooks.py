"""Hooks: what the operator's own systems do when an account is made, changed or removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Wish(msgspec.Struct, frozen=True):
    """One thing that a hook is asked to do or to undo. What it needs to know holds no secret."""

    step: str
    cloud_id: str
    username: str
    undo: bool = False
    attributes: Mapping[str, str] = {}


class Hook(Protocol):
    """One system of the operator's. It waits, so it belongs into a thread, and has an end in time."""

    def perform(self, wish: Wish, key: str) -> Mapping[str, str]:
        """Do it, or undo it, and return the attributes that it gave the user.

        Asked again with the same `key`, it answers as before and does nothing more. Raises Refused when the system
        says no for good, with a text for the person; Unavailable when nobody knows whether it happened.
        """
