"""Rollouts: a rule for a part of the users or installs, growing in stages, with a guard that pauses it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Final, TypeAlias

import msgspec

from offhook.core.errors import Fault
from offhook.policy.checking import Checked
from offhook.policy.clock import DAY_S, day_and_time, moment_fault
from offhook.policy.during import Moment
from offhook.policy.subject import Subject
from offhook.policy.view import NEVER, Truth

# A share is counted in hundredths of a percent.
WHOLE: Final = 10_000
MAX_STAGES: Final = 50
MAX_SALT_BYTES: Final = 64

Percent: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=100)]


class Of(StrEnum):
    """Who draws a lot: each user, with all their installs, or each install by itself."""

    USERS = "users"
    INSTALLS = "installs"


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From this moment on, the rule is for so many percent."""

    since: Moment
    percent: Percent

    @property
    def since_s(self) -> int:
        """The moment in seconds."""
        return int(self.since.timestamp())


class Guard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Pause when, of at least so many phones, the share in trouble is this many percent points above the others'.

    The phones are those that asked within the window, and the shares in trouble are those that failed to come back,
    failed to register, and were refused, each by itself.
    """

    phones: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 100
    excess: Annotated[float, msgspec.Meta(ge=0, le=100)] = 2.0
    window_s: Annotated[int, msgspec.Meta(ge=60, le=30 * DAY_S)] = DAY_S


class Rollout(Checked, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """For whom a rule is: a percentage, or stages that grow.

    A user or install has one lot for ever, drawn by `salt` (the id of the rule when there is none): whoever was in
    stays in when the percentage grows, and who comes late is in or out like everybody else. With a guard, a stage
    begins when its time has come and it is among the `opened` ones.
    """

    percent: Percent | None = None
    stages: Annotated[tuple[Stage, ...], msgspec.Meta(max_length=MAX_STAGES)] = ()
    of: Of = Of.USERS
    salt: str = ""
    guard: Guard | None = None
    opened: Annotated[int, msgspec.Meta(ge=1, le=MAX_STAGES)] = 1

    def faults(self) -> Iterator[Fault]:
        if (self.percent is None) is not bool(self.stages):
            yield Fault("", "needs either percent or stages")
        shares = {f"stages[{position}], percent": stage.percent for position, stage in enumerate(self.stages, 1)}
        if self.percent is not None:
            shares["percent"] = self.percent
        for place, percent in shares.items():
            if abs(percent * 100 - _hundredths(percent)) > 1e-6:
                yield Fault(place, f"{percent} is finer than a hundredth of a percent")
        for position, stage in enumerate(self.stages, 1):
            if fault := moment_fault(stage.since):
                yield Fault(f"stages[{position}], since", fault)
        for position, (earlier, later) in enumerate(zip(self.stages, self.stages[1:], strict=False), start=2):
            if later.since_s <= earlier.since_s or later.percent < earlier.percent:
                yield Fault(f"stages[{position}]", "comes before the one above it, or is smaller; stages only grow")
        if len(self.salt.encode("utf-8", "surrogatepass")) > MAX_SALT_BYTES:
            yield Fault("salt", f"is longer than {MAX_SALT_BYTES} bytes")

    def share(self, now_s: int) -> int:
        """The share of those who are in, in hundredths of a percent."""
        if self.percent is not None:
            return _hundredths(self.percent)
        return max((_hundredths(stage.percent) for stage in self._begun(now_s)), default=0)

    def stage(self, now_s: int) -> int:
        """How many stages have begun."""
        return len(self._begun(now_s))

    def _begun(self, now_s: int) -> tuple[Stage, ...]:
        return tuple(stage for stage in self._open() if stage.since_s <= now_s)

    def _open(self) -> tuple[Stage, ...]:
        return self.stages if self.guard is None else self.stages[: self.opened]

    def lot(self, subject: Subject, rule: str) -> int | None:
        """The lot of a user or install: a number below WHOLE; None when it is not known who draws."""
        drawer = subject.username_key if self.of is Of.USERS else subject.install_id
        return lot(drawer, self.salt or rule) if drawer else None

    def takes(self, lot: int | None, now_s: int) -> Truth:
        """Whether the rule is for whoever has this lot."""
        share = self.share(now_s)
        if lot is None:
            # Whoever draws, nobody is outside of all, and nobody within nothing.
            return share == WHOLE if share in {0, WHOLE} else None
        return lot < share

    def flips_s(self, lot: int | None, now_s: int) -> int | None:
        """When the one with this lot gets in, if by itself."""
        if lot is None or lot < self.share(now_s):
            return NEVER
        ahead = (stage.since_s for stage in self._open() if stage.since_s > now_s and lot < _hundredths(stage.percent))
        return min(ahead, default=NEVER)

    def changed_s(self, now_s: int) -> int:
        """When the stage of now began; 0 when none did."""
        return max((stage.since_s for stage in self._begun(now_s)), default=0)

    def changes_s(self, now_s: int) -> int | None:
        """When the next one begins, if by itself."""
        return min((stage.since_s for stage in self._open() if stage.since_s > now_s), default=NEVER)

    def told(self, lot: int | None, now_s: int) -> str:
        """Why somebody is in, or is not: a clause."""
        share = f"the first {self.share(now_s) / 100:g}% of {self.of}"
        if lot is None:
            taken = {True: "", False: "not ", None: "not known whether "}[self.takes(lot, now_s)]
            return f"{taken}among {share}"
        number = f"number {lot / 100:05.2f} of 100"
        if lot < self.share(now_s):
            return f"among {share} ({number})"
        flips_s = self.flips_s(lot, now_s)
        later = f"; in from {day_and_time(flips_s)}" if flips_s is not NEVER else ""
        return f"not among {share} ({number}{later})"


def lot(drawer: str, salt: str) -> int:
    """A number below WHOLE, always the same for the same two texts, and unrelated between salts."""
    digest = blake2b(drawer.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()[:MAX_SALT_BYTES])
    return int.from_bytes(digest.digest()) % WHOLE


def _hundredths(percent: float) -> int:
    return round(percent * 100)
