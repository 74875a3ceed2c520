"""Whom the administrators sent away, and how many at once: what the fleet guard is measured against (D22)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from offhook.policy.fleetguard import Limits
from tests.simulation.clock import DAY_S

if TYPE_CHECKING:
    from tests.simulation.truth import Install, User

# So small that it matters among some dozen users.
LIMITS: Final = Limits(floor=3)
# A date that comes due is decided on when somebody asks, which may be long after it was set.
DUE_WITHIN_S: Final = 8 * DAY_S


class Decision:
    """One act that sends users away, at a time of the server's clock; `told` are those who were told to leave."""

    def __init__(self, cloud_id: str, users: int, made_s: int) -> None:
        self.cloud_id, self.users, self.made_s = cloud_id, users, made_s
        self.told: set[User] = set()
        self.settled = False

    @property
    def is_large(self) -> bool:
        """Whether the guard has to look at it, whatever else happens."""
        return self.users > LIMITS.floor


class Departures:
    """All such decisions."""

    def __init__(self) -> None:
        self.made: list[Decision] = []
        self.dates: list[tuple[str, int]] = []
        self._of: dict[User | Install, Decision] = {}

    def decide(self, gone: Sequence[User | Install], cloud_id: str, users: int, now_s: int) -> None:
        """One act that concerns so many users: these accounts, or these installs of theirs."""
        decision = Decision(cloud_id, users, now_s)
        self.made.append(decision)
        self._of.update(dict.fromkeys(gone, decision))

    def date(self, cloud_id: str, now_s: int) -> None:
        """Somebody's account was given a date."""
        self.dates.append((cloud_id, now_s))

    def settle(self, cloud_id: str) -> None:
        """An administrator has let them go, or withdrawn them."""
        for decision in self._of_a_tenant(cloud_id):
            decision.settled = True

    def behind(self, install: Install) -> Decision | None:
        """Why an install is to go."""
        return self._of.get(install if install.ended else install.user)

    def told(self, install: Install) -> Decision | None:
        """An install was told to leave: the decision that has to stay within the limit, if there is one."""
        decision = self.behind(install)
        if decision is None or not decision.is_large or decision.settled or install.user.expires_s is not None:
            return None
        decision.told.add(install.user)
        return decision

    def is_due(self, install: Install) -> bool:
        """Whether an install is to go by a decision that the guard has no business with."""
        decision = self.behind(install)
        return decision is not None and self.is_lone(decision)

    def is_lone(self, decision: Decision) -> bool:
        """Whether it is one of so few that the guard has no business with it."""
        if decision.is_large:
            return False
        lately = sum(
            other.users
            for other in self._of_a_tenant(decision.cloud_id)
            if not other.is_large and abs(other.made_s - decision.made_s) <= LIMITS.window_s
        )
        due = sum(of == decision.cloud_id and abs(set_s - decision.made_s) <= DUE_WITHIN_S for of, set_s in self.dates)
        return lately + due <= LIMITS.floor

    def _of_a_tenant(self, cloud_id: str) -> Iterable[Decision]:
        return (decision for decision in self.made if decision.cloud_id == cloud_id)
