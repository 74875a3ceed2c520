"""The one evaluator: a policy compiled once, a subject resolved, and the trace of every rule when somebody asks why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from offhook.policy import cel
from offhook.policy.conditions import Any, Expression, InSegment, Not, reach, walk
from offhook.policy.draft import Draft
from offhook.policy.during import During
from offhook.policy.effects import AddDialAction, AddQuickDial, AtMostDevices, RemoveDialAction, RemoveQuickDial
from offhook.policy.index import Index
from offhook.policy.resolution import Resolution, Signature
from offhook.policy.rollout import Of
from offhook.policy.rules import Policy, Rule, named
from offhook.policy.strokes import Striking, Strokes
from offhook.policy.subject import Fact, Subject
from offhook.policy.view import NEVER, Condition, Span, Truth, View

EVERYBODY: Final = "it is for everybody"
_DIALS: Final = (AddQuickDial, RemoveQuickDial, AddDialAction, RemoveDialAction)


class Trace(msgspec.Struct, frozen=True):
    """What became of one rule: whether it matched (None: that is not known, so it did not), and why, as a sentence."""

    by: Signature
    matched: Truth
    reason: str


class _Ready:
    """A rule with what does not depend on the subject worked out."""

    __slots__ = ("head", "reason", "rule", "signature", "timed", "varies")

    def __init__(self, rule: Rule, segments: Mapping[str, Condition]) -> None:
        self.rule = rule
        self.signature = rule.signature
        self.head = named(self.signature)
        self.reason = f"{self.head}: {EVERYBODY if rule.when is None else rule.when}."
        reached = () if rule.when is None else reach(rule.when, segments)
        parts = () if rule.when is None else walk(rule.when)
        self.varies = any(isinstance(one, Any | Not | InSegment) for one in parts)
        self.timed = any(isinstance(one, During) for one in reached)

    def holds(self, view: View) -> Truth:
        """Whether the rule matches."""
        if not self.rule.active:
            return False
        truth: Truth = True if self.rule.when is None else self.rule.when.holds(view)
        if truth is not True or self.rule.rollout is None:
            return truth
        return self.rule.rollout.takes(self.rule.rollout.lot(view.subject, self.rule.id), view.subject.now_s)

    def told(self, view: View) -> str:
        """Why it matches, or does not: a sentence."""
        return f"{self.head}: {self._why(view)}."

    def _why(self, view: View) -> str:
        rule = self.rule
        if not rule.enabled:
            return "it is not enabled"
        if rule.paused:
            return f"it is paused, because {rule.paused}"
        why = EVERYBODY if rule.when is None else rule.when.told(view)
        if rule.rollout is None or (rule.when is not None and rule.when.holds(view) is not True):
            return why
        drawn = rule.rollout.told(rule.rollout.lot(view.subject, rule.id), view.subject.now_s)
        return drawn if rule.when is None else f"{why}, {drawn}"


class Compiled:
    """A policy ready to be asked. Equal policies and subjects give equal answers, whoever asks; asking never raises.

    `uses` are the facts beside the user that an answer to a phone which asks again may depend on: its validator has to
    cover them. What a device limit or a default says at the sign-in is not asked again. `dials` says whether any rule
    is about quick dials or dial actions, `limits` whether any counts devices,
    `draws_installs` whether any is for a part of the installs, and so asks which install it is.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._segments: dict[str, Condition] = {segment.id: segment.when for segment in policy.segments}
        self._ready = [_Ready(rule, self._segments) for rule in policy.rules]
        self._index = Index(policy.rules, policy.segments)
        conditions = [*self._segments.values(), *(rule.when for rule in policy.rules if rule.when is not None)]
        expressions = [one for condition in conditions for one in walk(condition) if isinstance(one, Expression)]
        self._programs: dict[str, cel.Program] = {one.cel: cel.compile(one.cel) for one in expressions}
        self._spans: dict[Condition, Span] = {}
        self.uses = _uses(policy, self._segments)
        active = [rule for rule in policy.rules if rule.active]
        effects = [effect for rule in active for effect in rule.effects]
        self.dials = any(isinstance(effect, _DIALS) for effect in effects)
        self.limits = any(isinstance(effect, AtMostDevices) for effect in effects)
        rollouts = [rule.rollout for rule in active if rule.rollout is not None]
        self.draws_installs = any(rollout.of is Of.INSTALLS for rollout in rollouts)
        hours = {
            one
            for rule in active
            if rule.when is not None
            for one in reach(rule.when, self._segments)
            if isinstance(one, During)
        }
        clocks: tuple[Striking, ...] = (*hours, *(rollout for rollout in rollouts if rollout.stages))
        self._strokes = Strokes(clocks, self._spans)
        self._timed = bool(clocks)

    @property
    def varies(self) -> bool:
        """Whether an answer to one user may differ from another one although nobody has changed anything."""
        return self._timed or bool(self.uses)

    def changed_s(self, now_s: int) -> int:
        """The last moment up to now at which anybody's answer may have become another one by itself; 0 for none."""
        return self._strokes.changed_s(now_s)

    def candidates(self, subject: Subject) -> tuple[Rule, ...]:
        """The rules that are tried for a subject; no other one can match."""
        return tuple(self._ready[position].rule for position in self._index.find(subject))

    def tried(self, subject: Subject) -> Iterator[tuple[Rule, Truth]]:
        """The same, each with whether its condition holds; no rollout is looked at."""
        view = self._view(subject)
        for rule in self.candidates(subject):
            yield rule, True if rule.when is None else rule.when.holds(view)

    def resolve(self, subject: Subject) -> Resolution:
        """What the policy says about a subject."""
        view, draft = self._view(subject), Draft(subject)
        matched: list[Signature] = []
        lots: dict[str, bool] = {}
        next_s: int | None = NEVER
        for position in self._index.find(subject):
            ready = self._ready[position]
            rule = ready.rule
            truth = True if rule.when is None else rule.when.holds(view)
            if ready.timed or rule.rollout is not None:
                next_s = _earlier(next_s, _flips_s(rule, view))
            if truth is not True:
                continue
            if rule.rollout is not None:
                lot = rule.rollout.lot(subject, rule.id)
                lots[rule.id] = rule.rollout.takes(lot, subject.now_s) is True
                if not lots[rule.id]:
                    continue
            reason = ready.told(view) if ready.varies or rule.rollout is not None else ready.reason
            matched.append(ready.signature)
            for effect in rule.effects:
                effect.lay(draft, ready.signature, reason)
        return draft.finish(matched, lots, next_s)

    def trace(self, subject: Subject) -> Iterator[Trace]:
        """Every rule in its order, whether it matched this subject, and why or why not."""
        view = self._view(subject)
        for ready in self._ready:
            yield Trace(ready.signature, ready.holds(view), ready.told(view))

    def _view(self, subject: Subject) -> View:
        return View(subject, self._segments, self._programs, self._spans)


def _flips_s(rule: Rule, view: View) -> int | None:
    """When a rule may begin or cease to match by itself: never, if one half of it stays false."""
    own_s: int | None = NEVER
    if rule.when is not None:
        own_s = rule.when.flips_s(view)
        if own_s is NEVER and rule.when.holds(view) is not True:
            return NEVER
    if rule.rollout is None:
        return own_s
    now_s = view.subject.now_s
    lot = rule.rollout.lot(view.subject, rule.id)
    stage_s = rule.rollout.flips_s(lot, now_s)
    # Whoever is in stays in, but whoever is out and has no stage to come stays out.
    if stage_s is NEVER and rule.rollout.takes(lot, now_s) is not True:
        return NEVER
    return _earlier(own_s, stage_s)


def _earlier(one_s: int | None, other_s: int | None) -> int | None:
    if one_s is NEVER or other_s is NEVER:
        return other_s if one_s is NEVER else one_s
    return min(one_s, other_s)


def _uses(policy: Policy, segments: Mapping[str, Condition]) -> frozenset[Fact]:
    conditions = [rule.when for rule in policy.rules if rule.active and rule.when is not None]
    return frozenset(fact for condition in conditions for one in reach(condition, segments) for fact in one.uses())
