"""What a policy says about one subject, and why: the values, what they beat, and whether the subject is let in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from offhook.core.dialplan import QuickDial
from offhook.core.mergeable import PROVIDER, USER

MAX_MESSAGE: Final = 500


class Strength(StrEnum):
    """What becomes of a value when the user changes it in the app (D5).

    `default_once`: given at the sign-in only, so that it is the user's from then on; it lies over the portal's values
    as any other of the provider's, or the next download of the app would take it back. `ordinary`: the user's own
    change stays. `enforced`: it has the user's rank, so it replaces the user's own change every time.
    """

    DEFAULT_ONCE = "default_once"
    ORDINARY = "ordinary"
    ENFORCED = "enforced"

    @property
    def rank(self) -> int:
        """The rank that such a value travels with."""
        return USER if self is Strength.ENFORCED else PROVIDER


class Overflow(StrEnum):
    """What happens to a device too many."""

    REFUSE = "refuse"
    END_OLDEST = "end_oldest"


class Signature(msgspec.Struct, frozen=True):
    """The rule that something comes from: which, in what version, by whom and when (0 is not known)."""

    rule: str
    title: str = ""
    version: int = 1
    author: str = ""
    changed_s: int = 0


class Beaten(msgspec.Struct, frozen=True):
    """What a later rule wanted and did not get; `value` is None when it wanted the thing taken away."""

    by: Signature
    value: str | None
    reason: str
    markup: bool = False


class Setting(msgspec.Struct, frozen=True):
    """The value of one key; an empty one blanks it.

    One that is not `sent` is decided all the same: the phone has it since its sign-in, and no layer below may send one.
    """

    value: str
    rank: int
    markup: bool
    sent: bool
    by: Signature
    reason: str
    beaten: tuple[Beaten, ...] = ()


class Dial(msgspec.Struct, frozen=True):
    """One quick dial: set, or removed when there is no item."""

    item: QuickDial | None
    by: Signature
    reason: str
    beaten: tuple[Beaten, ...] = ()


class Action(msgspec.Struct, frozen=True):
    """One dial action: set to these values, or left out of the answer when there are none."""

    values: Mapping[str, str] | None
    by: Signature
    reason: str
    beaten: tuple[Beaten, ...] = ()


class DeviceLimit(msgspec.Struct, frozen=True):
    """How many active installs a user may have. It is looked at when one more signs in, and logs out nobody else."""

    count: int
    then: Overflow
    message: str
    by: Signature
    reason: str

    def too_many(self, installs: int) -> int:
        """How many installs are beyond the limit, of so many."""
        return max(0, installs - self.count)


class LetIn(msgspec.Struct, frozen=True, tag="let_in"):
    """The subject gets an account."""


class Refusal(msgspec.Struct, frozen=True, tag="refused"):
    """The subject gets an error with this message; a phone that has an account keeps it."""

    message: str
    by: Signature
    reason: str


class Logout(msgspec.Struct, frozen=True, tag="logged_out"):
    """The phone is logged out, with this message (D21)."""

    message: str
    by: Signature
    reason: str


Verdict: TypeAlias = LetIn | Refusal | Logout
LET_IN: Final = LetIn()


class Resolution(msgspec.Struct, frozen=True):
    """All that a policy says about one subject.

    `lots` tells, for each rollout whose condition is true of the subject, whether the subject is in. `next_flip_s` is
    the first moment from which this may be different without anybody changing anything; None when there is none.
    """

    settings: Mapping[str, Setting] = {}
    quick_dials: Mapping[str, Dial] = {}
    dial_actions: Mapping[str, Action] = {}
    device_limit: DeviceLimit | None = None
    verdict: Verdict = LET_IN
    matched: tuple[Signature, ...] = ()
    lots: Mapping[str, bool] = {}
    next_flip_s: int | None = None
