"""New SIP passwords on demand: for one user, one phone, or all of a Cloud ID over some time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offhook.core.errors import Conflict, NotFound
from offhook.provider.ports import Clock, SubscriberStore, TenantStore
from offhook.provider.sipregister import Entry, Rotating, SipRegister, Wanted
from offhook.provider.subscriber import username_key


@dataclass(frozen=True)
class SipRotation:
    """The use cases. They only want it: a server that runs does it, as soon as the SIP system answers."""

    register: SipRegister
    subscribers: SubscriberStore
    tenants: TenantStore
    clock: Clock

    def of_user(self, cloud_id: str, username: str, *, at_once: bool = False) -> int:
        """New passwords for the accounts of a user; for how many.

        With an overlap unless `at_once`: then phones cannot register until they have asked again. Raises NotFound,
        Conflict when nothing can be rotated now.
        """
        user = self.subscribers.get(cloud_id, username_key(username))
        entries = [one for one in self.register.of_user(cloud_id, user.id) if one.wanted is Wanted.ACTIVE]
        if not entries:
            raise NotFound(f"{user.name} has no account in a SIP system.")
        return self._rotated(entries, at_once=at_once)

    def of_install(self, cloud_id: str, install_id: str, *, at_once: bool = False) -> int:
        """The same for one phone that has an account of its own."""
        entries = [one for one in self.register.of_install(cloud_id, install_id) if one.wanted is Wanted.ACTIVE]
        if not entries:
            raise NotFound(f"The install {install_id[:80]} has no SIP account of its own.")
        return self._rotated(entries, at_once=at_once)

    def of_cloud_id(self, cloud_id: str, within_s: int) -> int:
        """New passwords for all of a Cloud ID, each at a time of its own within so many seconds; for how many."""
        self.tenants.get(cloud_id)
        return self.register.spread(cloud_id, within_s, self.clock.now_s())

    def _rotated(self, entries: Sequence[Entry], *, at_once: bool) -> int:
        if not at_once and all(one.is_forgotten for one in entries):
            raise Conflict("The password is not kept, so phones cannot go on with it meanwhile. Use --at-once.")
        how = Rotating.AT_ONCE if at_once else Rotating.OVERLAP
        wanted = [one.id for one in entries if at_once or not one.is_forgotten]
        count = self.register.rotate(wanted, how, self.clock.now_s())
        if not count:
            raise Conflict(
                "The password is being changed already, and phones may still have the one of before. Wait until all "
                "have asked again, or use --at-once."
            )
        return count
