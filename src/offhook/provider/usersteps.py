"""The first and the last step of making a user: they are there, and they may come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from offhook.provider.ports import Clock
from offhook.provider.saga import Activate, Enter, Saga


class PendingUsers(Protocol):
    """Users who are being made. Every method is one durable transaction, and may raise Unavailable."""

    def forget(self, cloud_id: str, subscriber_id: int, now_s: int) -> None:
        """Forget a user who was never let in; of anybody else nothing changes."""

    def activate(self, cloud_id: str, subscriber_id: int, given: Mapping[str, str], now_s: int) -> None:
        """Let a pending user in, with further attributes; of anybody else nothing changes. Raises NotFound."""


class EnterStep:
    """The user was added together with the saga, so there is nothing to do, and something to undo."""

    def __init__(self, users: PendingUsers, clock: Clock) -> None:
        self._users, self._clock = users, clock

    def do(self, saga: Saga, step: Enter, key: str) -> Mapping[str, str]:
        """As the port says."""
        return {}

    def undo(self, saga: Saga, step: Enter, key: str) -> None:
        """As the port says."""
        self._users.forget(saga.cloud_id, saga.subscriber_id, self._clock.now_s())


class ActivateStep:
    """The user may come in. Who was let in is not sent away by a saga that turns back: it is its last step."""

    def __init__(self, users: PendingUsers, clock: Clock) -> None:
        self._users, self._clock = users, clock

    def do(self, saga: Saga, step: Activate, key: str) -> Mapping[str, str]:
        """As the port says."""
        self._users.activate(saga.cloud_id, saga.subscriber_id, saga.given, self._clock.now_s())
        return {}

    def undo(self, saga: Saga, step: Activate, key: str) -> None:
        """As the port says."""
