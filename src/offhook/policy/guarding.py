"""What the guard of a rollout decides from what became of the phones: pause, wait, or go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from offhook.policy.clock import day_and_time
from offhook.policy.rollout import Guard, Rollout

_TROUBLES: Final = {
    "missing": "did not come back",
    "unregistered": "failed to register",
    "refused": "were refused",
}


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Phones that asked within the guard's window, and how many of them got into trouble afterwards.

    One that asked and may still come back in time is not among them: what becomes of it is not known.
    """

    asked: int
    missing: int = 0
    unregistered: int = 0
    refused: int = 0

    def share(self, trouble: str) -> float:
        """The percentage of those that asked; none of nobody."""
        count: int = getattr(self, trouble)
        return 100 * count / self.asked if self.asked else 0.0


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """The rule is to be paused: it then applies to nobody, until a person says otherwise."""

    reason: str

    def __str__(self) -> str:
        return f"is paused, because {self.reason}"


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """The rollout stays at its stage for now."""

    reason: str

    def __str__(self) -> str:
        return f"waits: {self.reason}"


class Open(msgspec.Struct, frozen=True, tag="open"):
    """The next stage may begin: `opened` is what the rollout's field of that name becomes."""

    opened: int

    def __str__(self) -> str:
        return f"goes on to stage {self.opened}"


class Steady(msgspec.Struct, frozen=True, tag="steady"):
    """There is nothing to do."""

    def __str__(self) -> str:
        return "goes on as it is"


Ruling: TypeAlias = Pause | Wait | Open | Steady


def judge(rollout: Rollout, treated: Counts, others: Counts, now_s: int, known_s: int = 0) -> Ruling:
    """What is to become of a guarded rollout.

    `treated` are the phones that got the rule since its present stage began, `others` those that its condition is true
    of and that drew a lot outside, in the same time; both within the window. With nobody outside, the bound is for the
    share itself. A stage begins only after the one before it was looked at: too few phones never open the next one, and
    neither do those that come back soon, before `known_s`, when it is known of all its first ones what became of them.
    """
    guard = rollout.guard
    if guard is None:
        return Steady()
    if treated.asked >= guard.phones and (reason := next(_troubles(guard, treated, others), None)):
        return Pause(reason)
    if rollout.stage(now_s) < rollout.opened or rollout.opened >= len(rollout.stages):
        return Steady()
    if treated.asked < guard.phones:
        return Wait(f"{treated.asked:,} phones of at least {guard.phones:,} were looked at since this stage began")
    due_s = max(rollout.stages[rollout.opened].since_s, known_s)
    return Wait(f"the next stage begins at {day_and_time(due_s)}") if now_s < due_s else Open(rollout.opened + 1)


def _troubles(guard: Guard, treated: Counts, others: Counts) -> Iterator[str]:
    for trouble, verb in _TROUBLES.items():
        ours, theirs = treated.share(trouble), others.share(trouble)
        if ours - theirs > guard.excess:
            compared = f"{theirs:.1f}% of {others.asked:,} others" if others.asked else "there are no others"
            yield (
                f"{ours:.1f}% of {treated.asked:,} phones with this rule {verb}, {compared}: "
                f"more than {guard.excess:g} points above"
            )
