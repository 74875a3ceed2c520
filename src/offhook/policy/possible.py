"""Which rules may match a user at some time, on some phone and from some network, and which do at every one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from offhook.policy.conditions import All, Any, InSegment, Not
from offhook.policy.during import During
from offhook.policy.effects import AnyEffect, AtMostDevices, SetKey
from offhook.policy.evaluate import Compiled
from offhook.policy.resolution import Strength
from offhook.policy.rollout import WHOLE, Of, Rollout
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import said, segments_of
from offhook.policy.subject import Subject
from offhook.policy.view import NEVER, Condition, Truth, View

_FAR_S: Final = 2**60
# What is the same of everybody whom a rule takes in now, and for ever.
_IN: Final = "in"


class Stance(NamedTuple):
    """What a rule may do to a user: `surely` when it matches at every time and on every phone, by its condition.

    Two rules with equal stances do the same to the user, whenever that is.
    """

    surely: bool
    effects: tuple[AnyEffect, ...]
    when: object
    drawn: object

    @property
    def is_open(self) -> bool:
        """Whether what it does may become another thing by itself, or with the phone."""
        return not self.surely or any(map(_of_sign_in, self.effects))


class Possible:
    """The rules of a policy, with everything left open that can differ at another time or on another phone."""

    def __init__(self, policy: Policy) -> None:
        self._rules = {rule.id: rule for rule in policy.rules}
        self._said = {rule.id: said(rule, segments_of(policy))[1] for rule in policy.rules}
        segments = tuple(msgspec.structs.replace(one, when=_loose(one.when)) for one in policy.segments)
        rules = tuple(
            msgspec.structs.replace(rule, when=None if rule.when is None else _loose(rule.when), rollout=None)
            for rule in policy.rules
        )
        self._compiled = Compiled(Policy(policy.number, segments, rules))

    def stances(self, subject: Subject) -> Iterator[tuple[str, Stance]]:
        """Each rule that may match this user now or later, by its id."""
        for loose, truth in self._compiled.tried(subject):
            rule = self._rules[loose.id]
            drawn = _drawn(rule, subject)
            if truth is not False and drawn is not None:
                surely = truth is True and drawn == _IN
                wanted = None if truth is True else (rule.when, self._said[rule.id])
                yield rule.id, Stance(surely, rule.effects, wanted, drawn)


class _Sometime(Condition, frozen=True):
    """Hours that come again leave open what they are; those that are over, or go on for ever, do not."""

    hours: During

    def holds(self, view: View) -> Truth:
        span = self.hours.span(view.subject.now_s)
        return span.truth if span.until_s is NEVER else None


# It is neither true nor false, whatever it is asked about.
_OPEN: Final = Condition()


def _loose(condition: Condition) -> Condition:
    """The condition, with all that can differ left open."""
    match condition:
        case All() | Any():
            return msgspec.structs.replace(condition, of=tuple(map(_loose, condition.of)))
        case Not():
            return msgspec.structs.replace(condition, of=_loose(condition.of))
        case During():
            return _Sometime(condition)
        case InSegment():
            return condition
        case _:
            return _OPEN if any(condition.uses()) else condition


def _drawn(rule: Rule, subject: Subject) -> object:
    """How the rollout takes this user: None for never, in, from a moment on, or one phone and not the other."""
    rollout = rule.rollout
    if rollout is None:
        return _IN
    whole: Rollout = msgspec.structs.replace(rollout, guard=None)
    if rollout.of is Of.INSTALLS:
        if not whole.share(_FAR_S):
            return None
        return _IN if rollout.share(subject.now_s) == WHOLE else (whole, whole.salt or rule.id)
    lot = rollout.lot(subject, rule.id)
    if rollout.takes(lot, subject.now_s):
        return _IN
    # A stage whose time has come may still wait for its guard.
    return (whole.flips_s(lot, subject.now_s),) if whole.takes(lot, _FAR_S) else None


def _of_sign_in(effect: AnyEffect) -> bool:
    """Whether what it does depends on whether the phone signs in, or on how many there are."""
    match effect:
        case AtMostDevices():
            return True
        case SetKey():
            return effect.strength is Strength.DEFAULT_ONCE
        case _:
            return False
