"""The policy of a Cloud ID, and what people do with it: draft, plan, publish, look back, restore, pause."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from offhook.core.base import Base
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Conflict, NotFound
from offhook.core.features import Features
from offhook.policy import document
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import stamped
from offhook.provider import idle, policyremarks, rebasing, takingback
from offhook.provider.explain import BaseSource
from offhook.provider.policydifference import difference
from offhook.provider.policyversion import PolicyStore, PolicyTransaction, PolicyVersion, State
from offhook.provider.ports import Clock, TenantStore
from offhook.provider.proposal import Ground, Proposal, Undoing
from offhook.provider.tenant import Tenant

_MEANWHILE: Final = "The policy of {0} was changed by somebody else meanwhile. Look at the difference again."


@dataclass(frozen=True)
class Policies:
    """The use cases, each one transaction. Times are those of the clock, and never the same twice for a Cloud ID."""

    store: PolicyStore
    tenants: TenantStore
    portal: BaseSource
    clock: Clock
    # What users have values of, as far as that is known.
    columns: Callable[[str], Collection[str]] = lambda _: ()

    def propose(
        self,
        cloud_id: str,
        text: str,
        author: str = "",
        *,
        blank_removed: bool = False,
        over: int | None = None,
        app: Base | None = None,
    ) -> Proposal:
        """What publishing this text would change; raises Invalid with every fault in it, and NotFound.

        `over` is the Live version that it may undo something of, and `app` what the portal will say by then; left out,
        what it says now.
        """
        tenant, policy = self.tenants.get(cloud_id), document.parse(text)
        with self.store.read() as policies:
            base = self._base(policies, policies.numbered(cloud_id, policy.number))
            laid = self._laid(policies, tenant, policy, base, blank_removed=blank_removed)
            signed = self._signed(policies, cloud_id, laid, author)
            proposal = _resting(self._proposal(policies, tenant, signed, author, app), policy)
            return _unless_meant(policies, proposal, base, over)

    def propose_draft(self, cloud_id: str, app: Base | None = None, *, over: int | None = None) -> Proposal:
        """What publishing the Editable would change; `app` and `over` as in `propose`. Raises NotFound."""
        tenant = self.tenants.get(cloud_id)
        with self.store.read() as policies:
            draft = policies.standing(cloud_id, State.EDITABLE)
            if draft is None:
                live = policies.standing(cloud_id, State.LIVE)
                stands = f"; Live is policy {live.number}" if live else ""
                raise NotFound(
                    f"{cloud_id} has no draft of a policy{stands}. To make one: offhook policy draft {cloud_id} FILE"
                )
            base, written = self._base(policies, draft), document.parse(draft.text)
            policy = self._laid(policies, tenant, written, base)
            # What was decided of a rule meanwhile makes another text of it.
            policy = written if policy == written else self._signed(policies, cloud_id, policy, draft.author)
            proposal = _resting(self._proposal(policies, tenant, policy, draft.author, app), written)
            proposal = msgspec.structs.replace(proposal, draft=draft)
            return _unless_meant(policies, proposal, base, over)

    def propose_restoring(
        self, cloud_id: str, number: int, author: str = "", app: Base | None = None, *, blank_removed: bool = False
    ) -> Proposal:
        """What publishing an earlier version anew would change; `app` as in `propose`. Raises NotFound.

        A rule that is paused now stays paused.
        """
        tenant = self.tenants.get(cloud_id)
        with self.store.read() as policies:
            earlier = document.parse(_numbered(policies, cloud_id, number).text)
            policy = self._laid(policies, tenant, earlier, None, blank_removed=blank_removed)
            signed = self._signed(policies, cloud_id, policy, author)
            return _resting(self._proposal(policies, tenant, signed, author, app), earlier)

    def propose_pausing(
        self, cloud_id: str, rule: str, reason: str, author: str = "", *, blank_removed: bool = False
    ) -> Proposal:
        """What pausing a rule of the Live policy would change; raises NotFound."""

        def paused(one: Rule) -> Rule:
            return msgspec.structs.replace(one, paused=reason)

        return self._propose_for(cloud_id, rule, author, paused, blank_removed=blank_removed)

    def propose_resuming(self, cloud_id: str, rule: str, author: str = "") -> Proposal:
        """What letting a paused rule of the Live policy go on would change; raises NotFound."""
        return self._propose_for(cloud_id, rule, author, lambda one: msgspec.structs.replace(one, paused=""))

    def propose_withdrawing(
        self, cloud_id: str, rule: str, author: str = "", *, blank_removed: bool = False
    ) -> Proposal:
        """What taking a rule out of the Live policy would change; raises NotFound."""
        return self._propose_for(cloud_id, rule, author, lambda _: None, blank_removed=blank_removed)

    def propose_opening(self, cloud_id: str, rule: str, opened: int, author: str = "") -> Proposal:
        """What letting more stages of a guarded rollout begin would change; raises NotFound."""

        def more(one: Rule) -> Rule:
            return one if one.rollout is None else rebasing.opened(one, opened)

        return self._propose_for(cloud_id, rule, author, more)

    def keep_draft(self, proposal: Proposal, author: str = "", note: str = "") -> PolicyVersion:
        """Make it the Editable; the one before stays in the history. Raises Conflict as `settle` does."""
        cloud_id = proposal.tenant.cloud_id
        with self.store.begin() as policies:
            _unless_changed(policies, proposal)
            if draft := policies.standing(cloud_id, State.EDITABLE):
                policies.put(msgspec.structs.replace(draft, state=State.PAST))
            version = self._version(policies, proposal, author, note)
            policies.put(version)
        return version

    def publish(self, proposal: Proposal, author: str = "", note: str = "") -> PolicyVersion:
        """Let phones be answered by it, in one transaction. Nobody is asked whether a second person approves of it."""
        with self.store.begin() as policies:
            moment_s = self._moment_s(policies, proposal.tenant.cloud_id)
            return self.settle(policies, proposal, author, note, moment_s=moment_s)

    def settle(
        self,
        policies: PolicyTransaction,
        proposal: Proposal,
        author: str,
        note: str,
        *,
        moment_s: int,
        approved_by: str = "",
    ) -> PolicyVersion:
        """Let phones be answered by it, in somebody's transaction; the Live before it stays in the history.

        What is proposed as a draft leaves no draft; anything else leaves the draft as it is. Raises Conflict when
        something was changed since, or when it would undo what it was not written beside.
        """
        cloud_id = proposal.tenant.cloud_id
        _unless_changed(policies, proposal)
        live = policies.standing(cloud_id, State.LIVE)
        if live is not None:
            policies.put(msgspec.structs.replace(live, state=State.PAST))
        draft = proposal.draft
        if draft is not None and draft.number != proposal.policy.number:
            policies.put(msgspec.structs.replace(draft, state=State.PAST))
            draft = None
        version = draft or self._version(policies, proposal, author, note)
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

    def discard(self, cloud_id: str) -> PolicyVersion:
        """Let go of the Editable, which stays in the history; raises NotFound when there is none."""
        self.tenants.get(cloud_id)
        with self.store.begin() as policies:
            draft = policies.standing(cloud_id, State.EDITABLE)
            if draft is None:
                raise NotFound(f"{cloud_id} has no draft of a policy. See: offhook policy history {cloud_id}")
            policies.put(msgspec.structs.replace(draft, state=State.PAST))
        return draft

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

    def _propose_for(
        self,
        cloud_id: str,
        rule: str,
        author: str,
        change: Callable[[Rule], Rule | None],
        *,
        blank_removed: bool = False,
    ) -> Proposal:
        tenant = self.tenants.get(cloud_id)
        with self.store.read() as policies:
            live = _read(policies.standing(cloud_id, State.LIVE)) or Policy()
            if rule not in {one.id for one in live.rules}:
                there = ", ".join(one.id for one in live.rules[:20]) or "none"
                raise NotFound(f"The policy of {cloud_id} has no rule {rule[:80]}; there are {there}.")
            rules = ((change(one) if one.id == rule else one) for one in live.rules)
            policy = msgspec.structs.replace(live, rules=tuple(one for one in rules if one is not None))
            if blank_removed:
                policy = takingback.blanking(tenant, live, policy)
            return self._proposal(policies, tenant, self._signed(policies, cloud_id, policy, author), author)

    def _laid(
        self,
        policies: PolicyTransaction,
        tenant: Tenant,
        policy: Policy,
        base: PolicyVersion | None,
        *,
        blank_removed: bool = False,
    ) -> Policy:
        """The policy beside the Live one: with what was decided of that, and if wanted with what blanks its keys."""
        live = _read(policies.standing(tenant.cloud_id, State.LIVE))
        policy = takingback.keeping_blanks(live, rebasing.carried(live, _read(base), policy))
        return takingback.blanking(tenant, live, policy) if blank_removed else policy

    def _base(self, policies: PolicyTransaction, version: PolicyVersion | None) -> PolicyVersion | None:
        """The version beside which this one was written: itself when it was Live, else what was Live then."""
        while version is not None and version.published_s is None:
            version = policies.numbered(version.cloud_id, version.base)
        return version

    def _proposal(
        self, policies: PolicyTransaction, tenant: Tenant, policy: Policy, drafter: str, app: Base | None = None
    ) -> Proposal:
        live = _read(policies.standing(tenant.cloud_id, State.LIVE))
        now, now_s = self.portal.base(tenant.cloud_id, False), self.clock.now_s()
        columns = self.columns(tenant.cloud_id)

        def noted(live: Policy | None, policy: Policy, base: Base | None) -> Iterator[Diagnostic]:
            yield from policyremarks.remarks(tenant, live, policy, _features(base), columns)
            yield from idle.remarks(policy, now_s)

        known = set(noted(None, live, now)) if live else set()
        return Proposal(
            tenant,
            policy,
            live,
            difference(live, policy),
            tuple(remark for remark in noted(live, policy, app or now) if remark not in known),
            _ground(policies, tenant.cloud_id),
            drafter,
            replaces=policies.standing(tenant.cloud_id, State.EDITABLE),
        )

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
            base=proposal.seen.live[0] if proposal.seen.live else 0,
            created_s=moment_s,
            changed_s=moment_s,
        )

    def _moment_s(self, policies: PolicyTransaction, cloud_id: str) -> int:
        return max(self.clock.now_s(), policies.latest(cloud_id)[1] + 1)


def _features(base: Base | None) -> Features | None:
    return None if base is None else Features.received(base.features)[0]


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


def _resting(proposal: Proposal, written: Policy) -> Proposal:
    """The proposal with a remark upon each rule that stays paused though its text says nothing of that."""
    cloud_id = proposal.tenant.cloud_id
    remarks = tuple(
        Diagnostic(
            f"rule {rule.id}",
            f"stays paused, because {rule.paused}. To let it go on: offhook policy resume {cloud_id} {rule.id}",
        )
        for rule, said in zip(proposal.policy.rules, written.rules, strict=False)
        if rule.paused and not said.paused
    )
    return msgspec.structs.replace(proposal, remarks=(*remarks, *proposal.remarks))


def _unless_changed(policies: PolicyTransaction, proposal: Proposal) -> None:
    cloud_id = proposal.tenant.cloud_id
    if _ground(policies, cloud_id) != proposal.seen:
        raise Conflict(_MEANWHILE.format(cloud_id))
    proposal.unless_undoing()


def _unless_meant(
    policies: PolicyTransaction, proposal: Proposal, base: PolicyVersion | None, over: int | None
) -> Proposal:
    """The proposal with what it would undo of the Live policy, unless that is meant. Raises Conflict.

    A file that was not written beside any version says all that is meant; a draft was written at some time.
    """
    live = policies.standing(proposal.tenant.cloud_id, State.LIVE)
    if over is not None and (live is None or live.number != over):
        stands = f"policy {live.number}" if live else "none"
        raise Conflict(f"--over {over} is not what is Live now: that is {stands}. Look at the difference again.")
    number = base.number if base else 0
    if live is None or live.number == number or (base is None and proposal.draft is None):
        return proposal
    is_draft = proposal.draft is not None
    read = document.parse(live.text)
    found = tuple(rebasing.undone(_read(base) or Policy(), read, proposal.policy, strictly=is_draft))
    beside = f"beside policy {number}" if number else "before there was any"
    remarks = proposal.remarks
    if is_draft:
        remarks = (Diagnostic("draft", f"was written {beside}, and Live is policy {live.number} by now"), *remarks)
    undoing = Undoing(found, beside, live.number) if found else None
    told = undoing.diagnostics if undoing else ()
    return msgspec.structs.replace(proposal, remarks=(*told, *remarks), undoing=None if over else undoing)


def _by_publishing(versions: list[PolicyVersion]) -> Iterator[PolicyVersion]:
    return iter(sorted(versions, key=lambda one: one.published_s or 0, reverse=True))
