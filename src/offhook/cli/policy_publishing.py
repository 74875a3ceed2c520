"""What all commands do that publish a policy or keep one: show it, ask, do it, and say what is Live then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from offhook.cli import policy_view, publishing, showing
from offhook.cli.exits import print_object
from offhook.provider.policyversion import PolicyVersion, State
from offhook.release.records import Signature

if TYPE_CHECKING:
    from offhook.provider.proposal import Proposal
    from offhook.release.change import Change
    from offhook.wiring import Desk

BlankOption: TypeAlias = Annotated[
    bool, typer.Option("--blank-removed", help="Send keys empty that are set no more; else phones keep what they have.")
]
OverOption: TypeAlias = Annotated[
    int | None,
    typer.Option("--over", help="The Live policy of which it may undo what it does not know.", metavar="VERSION"),
]


def change(desk: Desk, proposal: Proposal) -> Change:
    """The change that this policy alone is."""
    return desk.releases.change(proposal.tenant.cloud_id, policy=proposal)


def publish(
    desk: Desk, proposal: Proposal, by: Signature, note: str, *, yes: bool, json: bool, urgent: bool = False
) -> None:
    """Show it, ask, and publish it, unless nothing changes. Raises Conflict."""
    shown, changed = show(proposal, json=json), change(desk, proposal)
    release, told = publishing.publish(desk, changed, by, note, yes=yes, json=json, urgent=urgent)
    version = desk.policies.show(changed.cloud_id, State.LIVE)
    nothing = "" if release else "Nothing changes: policy"
    text = f"{nothing or 'Policy'} {version.number} of {changed.cloud_id} is Live."
    done(version, text, {"plan": shown["plan"] | told}, json=json)


def show(proposal: Proposal, *, json: bool) -> dict[str, Any]:
    """Show what it would change, and return that as an object."""
    if not json:
        policy_view.show_proposal(proposal)
    return {"plan": policy_view.proposal_record(proposal)}


def done(version: PolicyVersion, text: str, record: dict[str, Any], *, json: bool) -> None:
    """Say what was done: a sentence, or the version as an object."""
    if json:
        print_object(policy_view.version_record(version) | record)
    else:
        showing.tell(text)
