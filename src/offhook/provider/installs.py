"""The installs of a Cloud ID as an administrator sees them: listed, and revoked one by one or all of a user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from offhook.provider.ports import Clock, Ending, SubscriberStore, TenantStore
from offhook.provider.subscriber import username_key


class Install(msgspec.Struct, frozen=True):
    """One phone of one user. Times are seconds since 1970, 0 for never; `user` is empty when the user was removed.

    `held_s` is the date of the account that the phone said it had when it last asked, `modified_s` of the one it would
    get now.
    """

    id: str
    cloud_id: str
    user: str
    user_agent: str
    device: str
    created_s: int
    seen_s: int
    held_s: int
    modified_s: int
    ended: Ending | None
    ended_s: int
    has_push_token: bool

    @property
    def is_current(self) -> bool:
        """Whether the phone had the newest account when it last asked."""
        return self.held_s >= self.modified_s


class InstallStore(Protocol):
    """Administration's view of installs."""

    def all_of(self, cloud_id: str, username_key: str | None) -> Iterator[Install]:
        """Those of a Cloud ID or of one of its users, by age, read in pages so that memory stays bounded."""

    def get(self, install_id: str) -> Install:
        """Find one; raises NotFound."""

    def revoke(self, install_id: str, now_s: int) -> bool:
        """End an active one; False when it has ended already."""

    def revoke_all(self, cloud_id: str, username_key: str, now_s: int) -> int:
        """End all active ones of a user; returns how many."""


@dataclass(frozen=True)
class Installs:
    """The use cases."""

    store: InstallStore
    subscribers: SubscriberStore
    tenants: TenantStore
    clock: Clock

    def of_cloud_id(self, cloud_id: str) -> Iterator[Install]:
        """All of a Cloud ID; raises NotFound."""
        self.tenants.get(cloud_id)
        return self.store.all_of(cloud_id, None)

    def of_user(self, cloud_id: str, username: str) -> Iterator[Install]:
        """All of one user; raises NotFound."""
        user = self.subscribers.get(cloud_id, username_key(username))
        return self.store.all_of(cloud_id, username_key(user.username))

    def get(self, install_id: str) -> Install:
        """Find one; raises NotFound."""
        return self.store.get(install_id)

    def revoke(self, install_id: str) -> tuple[Install, bool]:
        """End an install: its phone is logged out when it next asks. Whether it was active; raises NotFound."""
        revoked = self.store.revoke(install_id, self.clock.now_s())
        return self.store.get(install_id), revoked

    def revoke_user(self, cloud_id: str, username: str) -> int:
        """End all installs of a user, who may sign in anew; returns how many. Raises NotFound."""
        user = self.subscribers.get(cloud_id, username_key(username))
        return self.store.revoke_all(cloud_id, username_key(user.username), self.clock.now_s())
