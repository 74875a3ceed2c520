"""The policy of a Cloud ID, and what people do with it: draft, plan, publish, look back, restore, pause."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Conflict, NotFound, Refused
from offhook.core.features import Features
from offhook.policy import document
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import stamped
from offhook.provider import policyremarks
from offhook.provider.explain import BaseSource
from offhook.provider.policydifference import Line, difference, summary
from offhook.provider.policyversion import PolicyStore, PolicyTransaction, PolicyVersion, State
from offhook.provider.ports import Clock, TenantStore
from offhook.provider.tenant import Tenant

_MEANWHILE: Final = "The policy of {0} was changed by somebody else meanwhile. Look at the difference again."


class Ground(msgspec.Struct, frozen=True):
    """What stood there when somebody looked: number and moment of change of the Editable and the Live, if any."""

    editable: tuple[int, int] | None
    live: tuple[int, int] | None


class Proposal(msgspec.Struct, frozen=True):
    """A policy that was looked at: how it differs from the Live one, what to know first, and what it was seen beside.

    Its rules are signed as they would be if it was kept. `draft` is the Editable that it is, if it is one.
    """

    tenant: Tenant
    policy: Policy
    live: Policy | None
    lines: tuple[Line, ...]
    remarks: tuple[Diagnostic, ...]
    seen: Ground
    drafter: str
    draft: PolicyVersion | None = None

    @property
    def summary(self) -> str:
        """The counts in one line."""
        return summary(self.lines)


@dataclass(frozen=True)
class Policies:
    """The use cases, each one transaction. Times are those of the clock, and never the same twice for a Cloud ID."""

    store: PolicyStore
    tenants: TenantStore
    portal: BaseSource
    clock: Clock
    # What users have values of, as far as that is known.
    columns: Callable[[str], Collection[str]] = lambda _: ()

    def propose(self, cloud_id: str, text: str, author: str = "", *, blank_removed: bool = False) -> Proposal:
        """What publishing this text would change; raises Invalid with every fault in it, and NotFound."""
        tenant, policy = self.tenants.get(cloud_id), document.parse(text)
        with self.store.read() as policies:
            live = _read(policies.standing(cloud_id, State.LIVE))
            policy = policyremarks.keeping_blanks(live, policy)
            if blank_removed:
                policy = policyremarks.blanking(tenant, live, policy)
            return self._proposal(policies, tenant, self._signed(policies, cloud_id, policy, author), author)

    def propose_draft(self, cloud_id: str) -> Proposal:
        """What publishing the Editable would change; raises NotFound."""
        tenant = self.tenants.get(cloud_id)
        with self.store.read() as policies:
            draft = policies.standing(cloud_id, State.EDITABLE)
            if draft is None:
                raise NotFound(
                    f"{cloud_id} has no draft of a policy. To make one: offhook policy draft {cloud_id} FILE"
                )
            proposal = self._proposal(policies, tenant, document.parse(draft.text), draft.author)
        return msgspec.structs.replace(proposal, draft=draft)

    def propose_restoring(self, cloud_id: str, number: int, author: str = "") -> Proposal:
        """What publishing an earlier version anew would change; raises NotFound."""
        tenant = self.tenants.get(cloud_id)
        with self.store.read() as policies:
            policy = document.parse(_numbered(policies, cloud_id, number).text)
            return self._proposal(policies, tenant, self._signed(policies, cloud_id, policy, author), author)

    def propose_pausing(self, cloud_id: str, rule: str, reason: str, author: str = "") -> Proposal:
        """What pausing a rule of the Live policy would change; raises NotFound."""
        return self._propose_for(cloud_id, rule, author, lambda one: msgspec.structs.replace(one, paused=reason))

    def propose_withdrawing(self, cloud_id: str, rule: str, author: str = "") -> Proposal:
        """What taking a rule out of the Live policy would change; raises NotFound."""
        return self._propose_for(cloud_id, rule, author, lambda _: None)

    def keep_draft(self, proposal: Proposal, author: str = "", note: str = "") -> PolicyVersion:
        """Make it the Editable; the one before stays in the history. Raises Conflict when that was changed since."""
        cloud_id = proposal.tenant.cloud_id
        with self.store.begin() as policies:
            if _ground(policies, cloud_id) != proposal.seen:
                raise Conflict(_MEANWHILE.format(cloud_id))
            if draft := policies.standing(cloud_id, State.EDITABLE):
                policies.put(msgspec.structs.replace(draft, state=State.PAST))
            version = self._version(policies, proposal, author, note)
            policies.put(version)
        return version

    def publish(
        self,
        proposal: Proposal,
        author: str = "",
        note: str = "",
        *,
        approved_by: str = "",
        affected_share: float | None = None,
    ) -> PolicyVersion:
        """Let phones be answered by it, in one transaction; the Live before it stays in the history.

        What is proposed as a draft leaves no draft; anything else leaves the draft as it is. `affected_share` is the
        part of the users whose answers it changes, None when nobody has looked. Raises Conflict when something was
        changed since, and Refused when a second person is needed.
        """
        cloud_id = proposal.tenant.cloud_id
        _check_approval(proposal, author, approved_by, affected_share)
        with self.store.begin() as policies:
            if _ground(policies, cloud_id) != proposal.seen:
                raise Conflict(_MEANWHILE.format(cloud_id))
            live = policies.standing(cloud_id, State.LIVE)
            if live is not None:
                policies.put(msgspec.structs.replace(live, state=State.PAST))
            version = proposal.draft or self._version(policies, proposal, author, note)
            moment_s = self._moment_s(policies, cloud_id)
            version = msgspec.structs.replace(
                version,
                state=State.LIVE,
                note=note or version.note,
                approved_by=approved_by,
                changed_s=moment_s,
                published_s=moment_s,
            )
            policies.put(version)
            policies.serve(cloud_id, version.number)
        return version

    def show(self, cloud_id: str, which: State | int | None = None) -> PolicyVersion:
        """A version by number, the Live or the Editable; without a choice the Editable, else Live. Raises NotFound."""
        self.tenants.get(cloud_id)
        with self.store.read() as policies:
            if isinstance(which, int):
                return _numbered(policies, cloud_id, which)
            found = policies.standing(cloud_id, which or State.EDITABLE)
            found = found or (None if which else policies.standing(cloud_id, State.LIVE))
        if found is None:
            raise NotFound(f"{cloud_id} has no {which or 'policy'} now. See: offhook policy history {cloud_id}")
        return found

    def history(self, cloud_id: str) -> list[PolicyVersion]:
        """All versions, the newest first; raises NotFound."""
        self.tenants.get(cloud_id)
        with self.store.read() as policies:
            return list(policies.newest_first(cloud_id))

    def at(self, cloud_id: str, moment_s: int) -> PolicyVersion:
        """The version that was Live at a moment, and for one to come the Live one; raises NotFound.

        Versions that are published within one second have times that lie ahead of the clock.
        """
        if moment_s >= self.clock.now_s():
            return self.show(cloud_id, State.LIVE)
        published = [one for one in self.history(cloud_id) if one.published_s is not None]
        found = (one for one in _by_publishing(published) if (one.published_s or 0) <= moment_s)
        for one in found:
            return one
        raise NotFound(f"{cloud_id} had no policy then. See: offhook policy history {cloud_id}")

    def _propose_for(self, cloud_id: str, rule: str, author: str, change: Callable[[Rule], Rule | None]) -> Proposal:
        tenant = self.tenants.get(cloud_id)
        with self.store.read() as policies:
            live = _read(policies.standing(cloud_id, State.LIVE)) or Policy()
            if rule not in {one.id for one in live.rules}:
                there = ", ".join(one.id for one in live.rules[:20]) or "none"
                raise NotFound(f"The policy of {cloud_id} has no rule {rule[:80]}; there are {there}.")
            rules = ((change(one) if one.id == rule else one) for one in live.rules)
            policy = msgspec.structs.replace(live, rules=tuple(one for one in rules if one is not None))
            return self._proposal(policies, tenant, self._signed(policies, cloud_id, policy, author), author)

    def _proposal(self, policies: PolicyTransaction, tenant: Tenant, policy: Policy, drafter: str) -> Proposal:
        live = _read(policies.standing(tenant.cloud_id, State.LIVE))
        columns = self.columns(tenant.cloud_id)
        known = set(policyremarks.remarks(tenant, None, live, self._features(tenant), columns)) if live else set()
        noted = policyremarks.remarks(tenant, live, policy, self._features(tenant), columns)
        return Proposal(
            tenant,
            policy,
            live,
            difference(live, policy),
            tuple(remark for remark in noted if remark not in known),
            _ground(policies, tenant.cloud_id),
            drafter,
        )

    def _features(self, tenant: Tenant) -> Features | None:
        base = self.portal.base(tenant.cloud_id, False)
        return None if base is None else Features.received(base.features)[0]

    def _signed(self, policies: PolicyTransaction, cloud_id: str, policy: Policy, author: str) -> Policy:
        """Signed beside the Live and the Editable: whoever changes nothing of a rule does not become its author."""
        earlier = (_read(policies.standing(cloud_id, state)) for state in (State.LIVE, State.EDITABLE))
        number = policies.latest(cloud_id)[0] + 1
        moment_s = self._moment_s(policies, cloud_id)
        return stamped(policy, tuple(one for one in earlier if one is not None), number, author, moment_s)

    def _version(self, policies: PolicyTransaction, proposal: Proposal, author: str, note: str) -> PolicyVersion:
        """The proposal as an Editable. Its number is that by which its rules are signed, so it is never another one."""
        cloud_id, moment_s = proposal.tenant.cloud_id, self._moment_s(policies, proposal.tenant.cloud_id)
        return PolicyVersion(
            cloud_id=cloud_id,
            number=proposal.policy.number,
            state=State.EDITABLE,
            text=document.dumps(proposal.policy),
            author=author,
            note=note,
            created_s=moment_s,
            changed_s=moment_s,
        )

    def _moment_s(self, policies: PolicyTransaction, cloud_id: str) -> int:
        return max(self.clock.now_s(), policies.latest(cloud_id)[1] + 1)


def _check_approval(proposal: Proposal, author: str, approved_by: str, affected_share: float | None) -> None:
    """Whether it needs a second person; that is neither who wrote it nor who publishes it. Raises Refused."""
    most = proposal.tenant.approval_share
    if most is None or (affected_share is not None and affected_share <= most):
        return
    if approved_by and approved_by not in {author, proposal.drafter}:
        return
    of = "an unknown part" if affected_share is None else f"{affected_share:.1%}"
    who = "It cannot be who wrote or publishes it" if approved_by else "Name one with --approved-by"
    raise Refused(
        f"This changes what {of} of the users of {proposal.tenant.cloud_id} get. Beyond {most:.1%} a second person "
        f"has to approve of it. {who}."
    )


def _read(version: PolicyVersion | None) -> Policy | None:
    return None if version is None else document.parse(version.text)


def _numbered(policies: PolicyTransaction, cloud_id: str, number: int) -> PolicyVersion:
    found = policies.numbered(cloud_id, number)
    if found is None:
        raise NotFound(f"{cloud_id} has no policy {number}. See: offhook policy history {cloud_id}")
    return found


def _ground(policies: PolicyTransaction, cloud_id: str) -> Ground:
    editable, live = (policies.standing(cloud_id, state) for state in (State.EDITABLE, State.LIVE))
    return Ground(
        (editable.number, editable.changed_s) if editable else None, (live.number, live.changed_s) if live else None
    )


def _by_publishing(versions: list[PolicyVersion]) -> Iterator[PolicyVersion]:
    return iter(sorted(versions, key=lambda one: one.published_s or 0, reverse=True))
