"""What an administrator does about held decisions: look, let their users go, or undo them (D22)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from offhook.provider.ports import Clock, Ending, SubscriberStore, TenantStore
from offhook.provider.subscriber import username_key


class Decision(msgspec.Struct, frozen=True):
    """What somebody decided at once: who, when, on how many users, and how many of them are gone.

    `author` is empty when accounts came due by themselves. While it is not `held`, its users go one by one. `examples`
    are some of those users whom it still concerns. `rule` is the id and version of the rule that decided, if one did:
    then `users` are all there are, since nobody knows whom it will meet.
    """

    no: int
    reason: Ending
    author: str
    made_s: int
    users: int
    gone: int
    held: bool
    examples: tuple[str, ...]
    rule: str = ""


class Report(msgspec.Struct, frozen=True):
    """What is held at one Cloud ID: how many decisions, on how many users that wait, and the first of those judged."""

    cloud_id: str
    held: int
    count: int
    decisions: tuple[Decision, ...]


class Cancellation(msgspec.Struct, frozen=True):
    """What withdrawing does: users resumed, accounts with their earlier date, installs active again.

    The installs of removed users are `staying`, held as before: a removal cannot be undone. `rules` log nobody out
    any more until they are changed.
    """

    cloud_id: str
    resumed: int
    prolonged: int
    reactivated: int
    staying: int
    rules: int = 0


class GuardStore(Protocol):
    """Administration's view of the guard. Every method is one transaction; `no` 0 means all held decisions."""

    def reports(self, cloud_id: str | None) -> list[Report]:
        """Those Cloud IDs that hold decisions, or the one asked for, whatever it does."""

    def release(self, cloud_id: str, no: int, now_s: int) -> int:
        """Let everything go that a decision, or any till now, has decided; returns how many users were waiting.

        Raises NotFound, as `plan` and `cancel` do, when nothing is held, or not this decision.
        """

    def release_user(self, cloud_id: str, username_key: str, now_s: int) -> int:
        """Let the logouts of one user go, the others being held; returns how many installs that concerns."""

    def plan(self, cloud_id: str, no: int, now_s: int) -> Cancellation:
        """What `cancel` would do."""

    def cancel(self, cloud_id: str, no: int, now_s: int) -> Cancellation:
        """Undo what was decided, for phones that asked and for those that did not."""


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

    def release(self, cloud_id: str, no: int = 0) -> int:
        """Let the users of a held decision go, or of all that was decided till now; raises NotFound."""
        self.tenants.get(cloud_id)
        return self.store.release(cloud_id, no, self.clock.now_s())

    def release_user(self, cloud_id: str, username: str) -> int:
        """Let the logouts of one user go; raises NotFound."""
        user = self.subscribers.get(cloud_id, username_key(username))
        return self.store.release_user(cloud_id, username_key(user.username), self.clock.now_s())

    def plan(self, cloud_id: str, no: int = 0) -> Cancellation:
        """What `cancel` would do; raises NotFound."""
        self.tenants.get(cloud_id)
        return self.store.plan(cloud_id, no, self.clock.now_s())

    def cancel(self, cloud_id: str, no: int = 0) -> Cancellation:
        """Undo a held decision, or all of them; raises NotFound."""
        self.tenants.get(cloud_id)
        return self.store.cancel(cloud_id, no, self.clock.now_s())
