"""A change of what phones of a Cloud ID get: another app, another policy, or both at once, as somebody looked at it."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import msgspec

from offhook.core.theme import pack
from offhook.policy import document
from offhook.policy.rules import Policy
from offhook.portal import catalogue
from offhook.portal.versions import Stamp
from offhook.provider import proposal
from offhook.provider.replacement import Bases
from offhook.provider.tenant import Tenant

AppProposal: TypeAlias = catalogue.Proposal
PolicyProposal: TypeAlias = proposal.Proposal


class Live(msgspec.Struct, frozen=True):
    """What was Live when somebody looked: number and moment of change of the app and the policy, if any."""

    app: Stamp | None
    policy: tuple[int, int] | None


class Change(msgspec.Struct, frozen=True):
    """The halves that would change, each with its difference; None for one that stays as it is.

    Without a `tenant`, the provider service is elsewhere, and nobody knows the users.
    """

    cloud_id: str
    seen: Live
    tenant: Tenant | None = None
    app: AppProposal | None = None
    policy: PolicyProposal | None = None
    live_policy: Policy | None = None
    bases: Bases = Bases()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to publish."""
        return self.app is None and self.policy is None

    @property
    def is_draft(self) -> bool:
        """Whether it is what was drafted, so that nobody else needs a file to see the same."""
        return all(one is None or one.draft is not None for one in (self.app, self.policy))

    @property
    def drafters(self) -> frozenset[str]:
        """Who wrote it, as far as that is known; it may be an empty name."""
        app = self.app.draft.author if self.app and self.app.draft else ""
        return frozenset({app, self.policy.drafter if self.policy else ""})

    @property
    def digest(self) -> str:
        """Names exactly this change: what would be Live, and what is. Whose it is does not count."""
        said: list[object] = [self.cloud_id, self.seen]
        if self.app is not None:
            said += ["app", self.app.app, hashlib.sha256(pack(self.app.theme)).hexdigest()]
        if self.policy is not None:
            said += ["policy", document.dumps(_unsigned(self.policy.policy))]
        return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()

    def __repr__(self) -> str:
        return f"Change({self.cloud_id}, {self.digest[:12]})"


def _unsigned(policy: Policy) -> Policy:
    blank = Policy().number
    rules = (msgspec.structs.replace(rule, version=1, author="", changed_s=0) for rule in policy.rules)
    return msgspec.structs.replace(policy, number=blank, rules=tuple(rules))
