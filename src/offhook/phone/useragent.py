"""The SIP user agent of a phone behind a small port, how things stand with it, and the one that does nothing."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import msgspec

from offhook.core.mergeable import Document


class NotRegistered(msgspec.Struct, frozen=True):
    """There is nothing to register, or it was ended."""

    def __str__(self) -> str:
        return "not registered"


class NotPossible(msgspec.Struct, frozen=True):
    """This phone provisions, and leaves the registration be."""

    why: str = "this phone does not register with a SIP server"

    def __str__(self) -> str:
        return f"provisioned; {self.why}"


class Registering(msgspec.Struct, frozen=True):
    """The SIP server has been asked, and has not answered yet."""

    def __str__(self) -> str:
        return "registering"


class Registered(msgspec.Struct, frozen=True):
    """Calls reach this phone."""

    address: str = ""

    def __str__(self) -> str:
        return f"registered as {self.address}" if self.address else "registered"


class Failed(msgspec.Struct, frozen=True):
    """The SIP server refused with a status, or there is another reason and `status` is 0; it is tried again."""

    status: int
    reason: str

    def __str__(self) -> str:
        return f"failed: {self.status} {self.reason}" if self.status else f"failed: {self.reason}"


Registration: TypeAlias = NotRegistered | NotPossible | Registering | Registered | Failed


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

    def __init__(self, why: NotPossible = NotPossible()) -> None:  # noqa: B008 - it never changes
        self.state: Registration = NotRegistered()
        self._why = why

    async def register(self, account: Document) -> None:
        self.state = self._why

    async def unregister(self) -> None:
        self.state = NotRegistered()
