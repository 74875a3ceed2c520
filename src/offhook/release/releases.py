"""Releases: app and policy of a Cloud ID planned, counted, approved, published and restored together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from offhook.core.base import Base
from offhook.core.errors import Conflict, NotFound, Refused
from offhook.core.theme import Theme
from offhook.policy import document
from offhook.policy.rules import Policy
from offhook.portal import base as bases
from offhook.portal.app import App
from offhook.portal.catalogue import Portal
from offhook.portal.versions import Signed, State
from offhook.provider.explain import BaseSource
from offhook.provider.policies import Policies
from offhook.provider.policyversion import State as PolicyState
from offhook.provider.population import Difference, PopulationStore, Tick, difference
from offhook.provider.ports import Clock, TenantStore
from offhook.provider.replacement import Bases
from offhook.provider.tenant import Tenant
from offhook.provider.vocabulary import Vocabulary
from offhook.release import records
from offhook.release.change import AppProposal, Change, Live, PolicyProposal
from offhook.release.ports import ReleaseStore, ReleaseTransaction
from offhook.release.records import Approval, Publication, Release, Signature

# An approval that was not used for so long says little of what its author thinks now.
APPROVED_FOR_S: Final = 30 * 86400
# What stands in these sections is the same for everybody. Keys and dials are counted user by user, and `name` and
# `cloud_id` are never sent; of licences, the keys count that they let in.
_FOR_EVERYBODY: Final = ("services", "preferences", "reprovisioning", "screen", "replace_quick_dials_below", "theme")


@dataclass(frozen=True)
class Releases:
    """The use cases, each one transaction."""

    store: ReleaseStore
    portal: Portal
    policies: Policies
    tenants: TenantStore
    population: PopulationStore
    live: BaseSource
    definitions: Callable[[str], Mapping[str, str]]
    clock: Clock

    def propose(
        self,
        cloud_id: str,
        app: tuple[App, Theme] | None,
        policy: str | None,
        author: str = "",
        *,
        blank_removed: bool = False,
        over: int | None = None,
    ) -> Change:
        """What publishing this content would change, None for what stays; raises Invalid, and NotFound.

        `over` is the Live policy that it may undo something of.
        """
        proposed = self.portal.propose(*app, live=True) if app else None
        base = self._base(proposed)
        ruled = (
            None
            if policy is None
            else self.policies.propose(cloud_id, policy, author, blank_removed=blank_removed, over=over, app=base)
        )
        return self.change(cloud_id, proposed, ruled)

    def propose_drafts(self, cloud_id: str, *, over: int | None = None) -> Change:
        """What publishing all that is drafted would change; `over` as in `propose`. Raises NotFound without any."""
        with self.store.read() as transaction:
            has_app = transaction.apps.standing(cloud_id, State.EDITABLE) is not None
            has_policy = transaction.policies.standing(cloud_id, PolicyState.EDITABLE) is not None
        if not has_app and not has_policy:
            raise NotFound(
                f"Nothing of {cloud_id} is drafted. Name a folder with app.toml or policy.toml, or make a draft: "
                f"offhook app edit {cloud_id}, offhook policy draft {cloud_id} FILE"
            )
        app = self.portal.propose_publishing(cloud_id) if has_app else None
        policy = self.policies.propose_draft(cloud_id, self._base(app), over=over) if has_policy else None
        return self.change(cloud_id, app, policy)

    def propose_restoring(self, cloud_id: str, number: int, author: str = "", *, blank_removed: bool = False) -> Change:
        """What going back to a release would change, both halves of it; raises NotFound."""
        release = self.find(cloud_id, number)
        app = None if release.app is None else self.portal.propose_restoring(cloud_id, release.app, live=True)
        base = self._base(app)
        if release.policy is not None:
            policy: PolicyProposal | None = self.policies.propose_restoring(
                cloud_id, release.policy, author, base, blank_removed=blank_removed
            )
        else:
            # There was no policy then: one without rules says as much.
            had = self.find(cloud_id).policy is not None
            policy = self.policies.propose(cloud_id, "", author, blank_removed=blank_removed, app=base) if had else None
        return self.change(cloud_id, app, policy)

    def change(self, cloud_id: str, app: AppProposal | None = None, policy: PolicyProposal | None = None) -> Change:
        """The change that these halves are; one that would make no difference is left out of it."""
        app = app if app and app.plan.lines else None
        policy = policy if policy and (policy.lines or policy.live is None or policy.draft) else None
        with self.store.read() as transaction:
            seen, standing = _live(transaction, cloud_id), transaction.policies.standing(cloud_id, PolicyState.LIVE)
        live = self.live.base(cloud_id, False)
        everybody = () if app is None else tuple(name for name in _FOR_EVERYBODY if name in app.plan.sections)
        return Change(
            cloud_id=cloud_id,
            seen=seen,
            tenant=self._tenant(cloud_id),
            app=app,
            policy=policy,
            live_policy=document.parse(standing.text) if standing else None,
            bases=Bases(live, self._base(app) or live, everybody),
        )

    def users(self, change: Change) -> int:
        """How many there are to be looked at."""
        return 0 if change.tenant is None else self.population.count(change.cloud_id)

    def count(self, change: Change, tick: Tick = lambda _: None) -> Difference | None:
        """What publishing would change now for whom; None where the users are not known. Raises Unavailable."""
        if change.tenant is None:
            return None
        live = change.live_policy
        new = (change.policy.policy if change.policy else live) or Policy()
        vocabulary = Vocabulary(live, new)
        members = vocabulary.heard(self.population.all_of(change.cloud_id))
        found = difference(change.tenant, live, new, members, self.clock.now_s(), bases=change.bases, tick=tick)
        return msgspec.structs.replace(found, hints=tuple(vocabulary.remarks()))

    def share(self, change: Change, counted: Difference | None) -> float | None:
        """The part of the users whom it concerns; None where an app has users who are not known here."""
        unknown = counted is None or (change.app is not None and change.seen.app is not None and not counted.users)
        return None if unknown or counted is None else counted.share

    def approve(self, change: Change, by: Signature) -> Approval:
        """Keep that somebody approves of exactly this; raises Refused when it is theirs, or Conflict."""
        if not by.author.strip() or by.is_one_of(change.drafters):
            raise Refused("A second person is somebody else than who wrote it. Say who approves with --author.")
        approval = Approval(change.cloud_id, change.digest, by, self.clock.now_s())
        with self.store.begin() as transaction:
            _unchanged(transaction, change)
            transaction.forget_approvals(change.cloud_id, approval.given_s - APPROVED_FOR_S)
            transaction.approve(approval)
        return approval

    def publish(self, change: Change, by: Signature, note: str = "", *, share: float | None = None) -> Release:
        """Let phones get it, in one transaction; what was Live stays in the history.

        `share` is the part of the users whom it concerns, None when nobody knows. Raises Conflict when something was
        changed since somebody looked, and Refused when a second person is needed.
        """
        theme = self.portal.keep_theme(change.app) if change.app else ""
        cloud_id = change.cloud_id
        with self.store.begin() as transaction:
            _unchanged(transaction, change)
            approval = self._approval(transaction, change, by, share)
            approved_by = approval.by if approval else records.NOBODY
            moment_s = self._moment_s(transaction, cloud_id)
            if change.app:
                self.portal.settle(transaction.apps, change.app, theme, Signed(by.author, note, moment_s))
            if change.policy:
                self.policies.settle(
                    transaction.policies,
                    change.policy,
                    by.author,
                    note,
                    moment_s=moment_s,
                    approved_by=approved_by.author,
                )
            given_s = approval.given_s if approval else None
            transaction.note(cloud_id, Publication(moment_s, by, note, approved_by, given_s))
            transaction.forget_approvals(cloud_id, moment_s + 1)
            return _history(transaction, cloud_id)[0]

    def find(self, cloud_id: str, number: int | None = None) -> Release:
        """A release by its number, left out the Live one; raises NotFound."""
        for release in self.history(cloud_id):
            if number in {None, release.number}:
                return release
        raise NotFound(f"{cloud_id} has no release {number}. See: offhook release history {cloud_id}")

    def history(self, cloud_id: str) -> list[Release]:
        """All releases, the newest first; raises NotFound when there is none."""
        with self.store.read() as transaction:
            found = _history(transaction, cloud_id)
        if not found:
            raise NotFound(f"Nothing of {cloud_id} was published yet. To make an app: offhook app create {cloud_id}")
        return found

    def _approval(
        self, transaction: ReleaseTransaction, change: Change, by: Signature, share: float | None
    ) -> Approval | None:
        """Who else approves of exactly this; raises Refused when nobody does and somebody has to."""
        now_s, digest = self.clock.now_s(), change.digest
        given = [one for one in transaction.approvals(change.cloud_id) if one.given_s > now_s - APPROVED_FOR_S]
        ours = [one for one in given if one.digest == digest]
        found = next((one for one in ours if not one.by.is_one_of({by.author, *change.drafters})), None)
        most = change.tenant.approval_share if change.tenant else None
        if found or most is None or (share is not None and share <= most):
            return found
        of = "an unknown part" if share is None else f"{share:.1%}"
        why = "Nobody has yet."
        if ours:
            why = f"{ours[0].by.author} did, and cannot be who writes or publishes it."
        elif given:
            why = f"{given[-1].by.author} approved of something else: it, or what is Live, was changed since."
        raise Refused(
            f"This changes what {of} of the users of {change.cloud_id} get. Beyond {most:.1%} a second person has to "
            f"approve of it. {why} To approve: {_command(change)}"
        )

    def _moment_s(self, transaction: ReleaseTransaction, cloud_id: str) -> int:
        """A moment that no change of either half has had."""
        latest = transaction.apps.latest(cloud_id)
        moments = (transaction.policies.latest(cloud_id)[1], latest.changed_s if latest else 0)
        return max(self.clock.now_s(), max(moments) + 1)

    def _base(self, app: AppProposal | None) -> Base | None:
        """What the portal will say."""
        return None if app is None else bases.compose(app.app, 0, self.definitions(app.app.cloud_id))

    def _tenant(self, cloud_id: str) -> Tenant | None:
        try:
            return self.tenants.get(cloud_id)
        except NotFound:
            return None


def _live(transaction: ReleaseTransaction, cloud_id: str) -> Live:
    app = transaction.apps.standing(cloud_id, State.LIVE)
    policy = transaction.policies.standing(cloud_id, PolicyState.LIVE)
    return Live(app.stamp if app else None, (policy.number, policy.changed_s) if policy else None)


def _unchanged(transaction: ReleaseTransaction, change: Change) -> None:
    if _live(transaction, change.cloud_id) != change.seen:
        raise Conflict(f"{change.cloud_id} was changed by somebody else meanwhile. Look at the difference again.")


def _history(transaction: ReleaseTransaction, cloud_id: str) -> list[Release]:
    apps, policies = transaction.apps_published(cloud_id), transaction.policies_published(cloud_id)
    return records.history(cloud_id, apps, policies, transaction.publications(cloud_id))


def _command(change: Change) -> str:
    """What a second person types to see and approve of the same."""
    halves = "release" if change.app and change.policy else "app" if change.app else "policy"
    content = "" if change.is_draft else f" {'FILE' if halves == 'policy' else 'FOLDER'}"
    return f"offhook {'release' if content and halves == 'app' else halves} approve {change.cloud_id}{content}"
