"""A policy that somebody looks at before it is kept: how it differs from the Live one, and what it stands beside."""

from __future__ import annotations

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.difference import Line, summary
from offhook.core.errors import Conflict
from offhook.policy.rules import Policy
from offhook.provider.policyversion import PolicyVersion
from offhook.provider.tenant import Tenant


class Ground(msgspec.Struct, frozen=True):
    """What stood there when somebody looked: number and moment of change of the Editable and the Live, if any."""

    editable: tuple[int, int] | None
    live: tuple[int, int] | None


class Undoing(msgspec.Struct, frozen=True):
    """It would take back what became Live after it was written: which rules and segments, and beside what that was."""

    what: tuple[str, ...]
    written: str
    live: int

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The same, one by one, to be read before anything happens."""
        said = f"was changed in what is Live, policy {self.live}, after this was written {self.written}; this undoes it"
        return tuple(Diagnostic(one, said) for one in self.what)


class Proposal(msgspec.Struct, frozen=True):
    """A policy that was looked at: how it differs from the Live one, what to know first, and what it was seen beside.

    Its rules are signed as they would be if it was kept. `draft` is the Editable that it is, if it is one, and
    `replaces` the one in whose place it would be kept as a draft. `undoing` is None when it is meant, too.
    """

    tenant: Tenant
    policy: Policy
    live: Policy | None
    lines: tuple[Line, ...]
    remarks: tuple[Diagnostic, ...]
    seen: Ground
    drafter: str
    draft: PolicyVersion | None = None
    replaces: PolicyVersion | None = None
    undoing: Undoing | None = None

    @property
    def summary(self) -> str:
        """The counts in one line."""
        return summary(self.lines)

    def unless_undoing(self) -> None:
        """Raise Conflict when it would take back what it was not written beside, and nobody said that this is meant."""
        if self.undoing is None:
            return
        found = self.undoing
        raise Conflict(
            f"Live is policy {found.live} by now, and this was written {found.written}: it would undo what "
            f"was published meanwhile ({_listed(found.what)}). Bring that in, as from `offhook policy export "
            f"{self.tenant.cloud_id} FILE --version live`; or say that it is meant with --over {found.live}."
        )


def _listed(names: tuple[str, ...]) -> str:
    most = 5
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
