"""The SIP user agent of a phone behind a small port, and the one that only says what it would do."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from offhook.core.mergeable import Document


class Registration(Enum):
    """How a phone stands with its SIP server, in the words that are shown."""

    NONE = "not registered"
    NOT_POSSIBLE = "provisioned; this phone does not register with a SIP server"
    REGISTERED = "registered"


class UserAgent(Protocol):
    """Registers an account. Nothing here raises: what goes wrong is in `state`, and is tried again by the agent."""

    @property
    def state(self) -> Registration:
        """How things stand."""

    async def register(self, account: Document) -> None:
        """Register with this account from now on, in the place of an earlier one; returns without waiting for it."""

    async def unregister(self) -> None:
        """End the registration; returns when that is done."""


class NoUserAgent:
    """Provisions, and does not register."""

    def __init__(self) -> None:
        self.state = Registration.NONE

    async def register(self, account: Document) -> None:
        self.state = Registration.NOT_POSSIBLE

    async def unregister(self) -> None:
        self.state = Registration.NONE
