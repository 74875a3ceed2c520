"""The census: what publishing a policy would change, counted over the users of its Cloud ID."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from offhook.provider.policies import Proposal
from offhook.provider.population import Difference, Member, Tick, difference
from offhook.provider.ports import Clock


class PopulationStore(Protocol):
    """Administration's view of users together with their phones. Every method may raise Unavailable."""

    def all_of(self, cloud_id: str) -> Iterator[Member]:
        """All users of a Cloud ID by username with their active installs, in pages so that memory stays bounded."""

    def count(self, cloud_id: str) -> int:
        """How many users there are."""


@dataclass(frozen=True)
class Census:
    """The use case. Users who come, go or change while they are counted are counted before or after that."""

    store: PopulationStore
    clock: Clock

    def users(self, proposal: Proposal) -> int:
        """How many there are to be looked at."""
        return self.store.count(proposal.tenant.cloud_id)

    def take(self, proposal: Proposal, tick: Tick = lambda _: None) -> Difference:
        """What publishing would change now; raises Unavailable."""
        members = self.store.all_of(proposal.tenant.cloud_id)
        return difference(proposal.tenant, proposal.live, proposal.policy, members, self.clock.now_s(), tick=tick)
