"""Publishing at a terminal, whatever is published: whom it concerns, who approves, and asking before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offhook.cli import asking, population_view
from offhook.cli.exits import print_object
from offhook.cli.showing import tell

if TYPE_CHECKING:
    from offhook.provider.population import Difference
    from offhook.release.change import Change
    from offhook.release.records import Release, Signature
    from offhook.wiring import Desk


def count(desk: Desk, change: Change, *, json: bool) -> tuple[Difference | None, dict[str, Any]]:
    """Count whom a change concerns, show it, and return it with its record."""
    with population_view.progress(desk.releases.users(change)) as tick:
        counted = desk.releases.count(change, tick)
    if counted is None:
        return None, {"population": None}
    if not json:
        population_view.show(counted)
    return counted, {"population": population_view.record(counted)}


def publish(
    desk: Desk, change: Change, by: Signature, note: str, *, yes: bool, json: bool, urgent: bool = False
) -> tuple[Release | None, dict[str, Any]]:
    """Count whom it concerns, ask, and publish; None when there is nothing to publish. Returns what to tell of it.

    What is `urgent` is not kept waiting for a second person, nor for a count. Raises Conflict when it would undo what
    it was not written beside.
    """
    if change.is_empty:
        return None, {}
    if change.policy:
        change.policy.unless_undoing()
    counted, record = (None, {}) if urgent else count(desk, change, json=json)
    asking.confirm(f"{change.cloud_id}: Publish this to all phones?", yes=yes)
    share = 0.0 if urgent else desk.releases.share(change, counted)
    release = desk.releases.publish(change, by, note, share=share)
    record["release"] = release.number
    if release.publication.approved_by.author:
        record["approved_by"] = release.publication.approved_by.author
        if not json:
            tell(_approved(release))
    return release, record


def approve(desk: Desk, change: Change, by: Signature, record: dict[str, Any], *, yes: bool, json: bool) -> None:
    """Count whom it concerns, ask, and keep that somebody approves of exactly what was shown."""
    if change.is_empty:
        _say(record | {"approved_by": None}, "Nothing changes, so there is nothing to approve of.", json=json)
        return
    _, counted = count(desk, change, json=json)
    asking.confirm(f"{change.cloud_id}: Do you, {by}, approve of this?", yes=yes)
    approval = desk.releases.approve(change, by)
    approved = {"cloud_id": change.cloud_id, "digest": approval.digest, "approved_by": by.author, "account": by.account}
    what = f"{by} approves of {approval.digest[:12]}, exactly as it is shown above."
    _say(record | counted | approved, what, json=json)


def _approved(release: Release) -> str:
    publication = release.publication
    alike = publication.approved_by.account and publication.approved_by.account == publication.by.account
    same = ", from the same account of this machine as whoever publishes it" if alike else ""
    return f"{publication.approved_by} approved of it{same}."


def _say(record: dict[str, Any], text: str, *, json: bool) -> None:
    if json:
        print_object(record)
    else:
        tell(text)
