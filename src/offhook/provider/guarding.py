"""What an administrator does about held logouts: look, let them go, or withdraw what decided them (D22)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from offhook.core.errors import NotFound
from offhook.provider.ports import Clock, Ending, SubscriberStore, TenantStore
from offhook.provider.subscriber import username_key


class HeldLogout(msgspec.Struct, frozen=True):
    """One logout that waits: whose phone, why it would be logged out, and when it first asked."""

    install_id: str
    user: str
    reason: Ending
    first_s: int


class Report(msgspec.Struct, frozen=True):
    """What waits at one Cloud ID: since when, how many by reason, and the first of them."""

    cloud_id: str
    holding: bool
    since_s: int
    reasons: Mapping[Ending, int]
    examples: tuple[HeldLogout, ...]

    @property
    def count(self) -> int:
        """How many wait."""
        return sum(self.reasons.values())


class Cancellation(msgspec.Struct, frozen=True):
    """What withdrawing does: how many users are resumed, how many installs are active again, how many stay as they are.

    Who was removed or has expired stays so: that is undone by hand, if at all.
    """

    cloud_id: str
    resumed: int
    reactivated: int
    staying: int


class GuardStore(Protocol):
    """Administration's view of the guard. Every method is one transaction."""

    def reports(self, cloud_id: str | None) -> list[Report]:
        """Those Cloud IDs that hold logouts back, or the one asked for, whatever it does."""

    def release(self, cloud_id: str, now_s: int) -> int:
        """Let everything go that is decided by now; returns how many were waiting."""

    def release_user(self, cloud_id: str, username_key: str, now_s: int) -> int:
        """Let the logouts of one user go, the guard holding the others; returns how many installs that concerns."""

    def plan(self, cloud_id: str) -> Cancellation:
        """What `cancel` would do."""

    def cancel(self, cloud_id: str, now_s: int) -> Cancellation:
        """Withdraw the decisions behind the waiting logouts, and hold nothing back any more."""


@dataclass(frozen=True)
class Guarding:
    """The use cases."""

    store: GuardStore
    subscribers: SubscriberStore
    tenants: TenantStore
    clock: Clock

    def show(self, cloud_id: str | None = None) -> list[Report]:
        """What waits everywhere, or at one Cloud ID; raises NotFound."""
        if cloud_id is not None:
            self.tenants.get(cloud_id)
        return self.store.reports(cloud_id)

    def release(self, cloud_id: str) -> int:
        """Let the waiting logouts go, and those that were decided till now and wait to be asked for."""
        self._holding(cloud_id)
        return self.store.release(cloud_id, self.clock.now_s())

    def release_user(self, cloud_id: str, username: str) -> int:
        """Let the logouts of one user go; raises NotFound."""
        user = self.subscribers.get(cloud_id, username_key(username))
        return self.store.release_user(cloud_id, username_key(user.username), self.clock.now_s())

    def plan(self, cloud_id: str) -> Cancellation:
        """What `cancel` would do; raises NotFound."""
        self._holding(cloud_id)
        return self.store.plan(cloud_id)

    def cancel(self, cloud_id: str) -> Cancellation:
        """Resume the suspended users and reactivate the revoked installs among the waiting; raises NotFound."""
        self._holding(cloud_id)
        return self.store.cancel(cloud_id, self.clock.now_s())

    def _holding(self, cloud_id: str) -> None:
        if not any(report.holding for report in self.show(cloud_id)):
            raise NotFound(f"No logouts of {cloud_id} are being held back.")
