"""How policies are shown: what would change and what to know first, versions as a table, and all as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from offhook.cli.exits import plain
from offhook.cli.moments import iso, shown
from offhook.provider.policies import Proposal
from offhook.provider.policydifference import Kind
from offhook.provider.policyversion import PolicyVersion, State

_STYLES: Final = {Kind.ADDITION: "green", Kind.CHANGE: "yellow", Kind.REMOVAL: "red"}
_PLAIN_WIDTH: Final = 200


def tell(text: str) -> None:
    """A line for a person."""
    console().print(Text(plain(text)), soft_wrap=True)


def show_proposal(proposal: Proposal) -> None:
    """What would change for phones, line by line, then the counts and what somebody should know."""
    out = console()
    for line in proposal.lines:
        out.print(Text(plain(str(line)), _STYLES[line.kind]), soft_wrap=True)
    for remark in proposal.remarks:
        out.print(Text.assemble(("Warning: ", "bold yellow"), plain(str(remark))), soft_wrap=True)
    out.print(Text(proposal.summary, "bold"), soft_wrap=True)


def proposal_record(proposal: Proposal) -> dict[str, Any]:
    """The same as an object."""
    counts = {f"{kind.value}s": sum(line.kind is kind for line in proposal.lines) for kind in Kind}
    return {
        **counts,
        "lines": msgspec.to_builtins(proposal.lines),
        "remarks": [{"place": one.place, "text": one.text} for one in proposal.remarks],
    }


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
    table = Table("Version", "State", "Published", "Author", "Approved by", "Note", box=None, pad_edge=False)
    for version in versions:
        live = version.state is State.LIVE
        never = "" if version.state is State.EDITABLE else "never"
        table.add_row(
            str(version.number),
            Text(version.state, "green" if live else ""),
            shown(version.published_s) if version.published_s else never,
            plain(version.author),
            plain(version.approved_by),
            plain(version.note),
        )
    console().print(table)


def print_list(records: Iterable[dict[str, Any]]) -> None:
    """A JSON array on the standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(list(records)), indent=2).decode() + "\n")


def console() -> Console:
    """Wide where no terminal says how wide."""
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
