"""How policies are shown: what would change and what to know first, versions as a table, and all as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.text import Text

from offhook.cli.exits import plain
from offhook.cli.moments import iso, shown
from offhook.cli.showing import console, counts, show_lines, table
from offhook.provider.policyversion import PolicyVersion, State
from offhook.provider.proposal import Proposal


def show_proposal(proposal: Proposal) -> None:
    """What would change for phones, line by line, then what somebody should know, then the counts."""
    remarks = (Text.assemble(("Warning: ", "bold yellow"), plain(str(remark))) for remark in proposal.remarks)
    show_lines(proposal.lines, between=remarks)


def proposal_record(proposal: Proposal) -> dict[str, Any]:
    """The same as an object."""
    remarks = [{"place": one.place, "text": one.text} for one in proposal.remarks]
    return {**counts(proposal.lines), "remarks": remarks}


def headline(version: PolicyVersion) -> str:
    """A version in one line."""
    when = f"published {shown(version.published_s)}" if version.published_s else f"written {shown(version.changed_s)}"
    by = f" by {version.author}" if version.author else ""
    approved = f", approved by {version.approved_by}" if version.approved_by else ""
    note = f": {version.note}" if version.note else ""
    return f"Policy {version.number} of {version.cloud_id} ({version.state}), {when}{by}{approved}{note}"


def version_record(version: PolicyVersion, *, whole: bool = False) -> dict[str, Any]:
    """A version as an object; the `whole` one with its text."""
    record: dict[str, Any] = {
        "cloud_id": version.cloud_id,
        "version": version.number,
        "state": version.state.value,
        "author": version.author,
        "note": version.note,
        "approved_by": version.approved_by,
        "changed_at": iso(version.changed_s),
        "published_at": iso(version.published_s),
    }
    return record | ({"policy": version.text} if whole else {})


def show_history(versions: Iterable[PolicyVersion]) -> None:
    """All versions, the newest first."""
    shown_as = table("Version", "State", "Published", "Author", "Approved by", "Note")
    shown_as.columns[2].no_wrap = True
    for version in versions:
        live = version.state is State.LIVE
        never = "" if version.state is State.EDITABLE else "never"
        shown_as.add_row(
            str(version.number),
            Text(version.state, "green" if live else ""),
            shown(version.published_s) if version.published_s else never,
            plain(version.author),
            plain(version.approved_by),
            plain(version.note),
        )
    console().print(shown_as)
