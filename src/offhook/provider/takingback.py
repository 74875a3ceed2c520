"""What phones keep although no rule sends it any more, and the rules that take it back from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, cast

import msgspec

from offhook.core.errors import Invalid
from offhook.policy.conditions import All, Any, AnyCondition, InSegment, Not, reach
from offhook.policy.effects import AddDialAction, AddQuickDial, AnyEffect, Blank, RemoveQuickDial, SetKey
from offhook.policy.resolution import Strength
from offhook.policy.rollout import Rollout, Stage
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import said, segments_of
from offhook.policy.view import Condition
from offhook.provider import template
from offhook.provider.subscriber import SIP_PASSWORD, SIP_USERNAME
from offhook.provider.tenant import Tenant

FULL: Final = 100.0
_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Left(NamedTuple):
    """A thing that phones keep since no rule sends it any more, the rule that sent it, and what takes it back."""

    rule: Rule
    what: str
    undo: Blank | RemoveQuickDial | None


def removed(tenant: Tenant, live: Policy | None, new: Policy) -> Iterator[Left]:
    """What a Live rule sends, and nothing any more to all whom it was for; defaults are the user's own."""
    for rule, sent, _ in _covered(tenant, live, new):
        for effect in rule.effects:
            if _is_sent(effect) and effect.target() not in sent and (left := _left(rule, effect)):
                yield left


def unlocked(tenant: Tenant, live: Policy | None, new: Policy) -> Iterator[tuple[Rule, str]]:
    """Keys that a Live rule enforces, and nobody any more for all whom it was for, though they are sent another way."""
    for rule, sent, enforced in _covered(tenant, live, new):
        for effect in filter(_is_enforced, rule.effects):
            if effect.target() in sent - enforced:
                yield rule, effect.target()[1]


def blanking(tenant: Tenant, live: Policy | None, new: Policy) -> Policy:
    """The policy with rules at its end that take back what is removed from those for whom it was set.

    They draw the lots of the rules before them, so that nobody else is blanked. What cannot be taken back is left as it
    is. Raises Invalid when a rule would have more conditions than one can have.
    """
    undone: dict[str, list[AnyEffect]] = {}
    by_id = {rule.id: rule for rule in live.rules} if live else {}
    for left in removed(tenant, live, new):
        if left.undo is not None:
            undone.setdefault(left.rule.id, []).append(left.undo)
    taken = {rule.id for rule in new.rules}
    before, after = segments_of(live or Policy()), segments_of(new)
    added = [
        Rule(
            _free(f"{identity[:52]}-blanked", taken),
            title=f"what {identity} set"[:200],
            takes_back=identity,
            when=_as_before(by_id[identity].when, before, after),
            rollout=_drawn_as(by_id[identity]),
            effects=tuple({effect.target(): effect for effect in effects}.values()),
        )
        for identity, effects in undone.items()
    ]
    for rule in added:
        if faults := [*rule.faults()]:
            raise Invalid.at(f"rule {rule.id}", f"would have all that its segments said: {faults[0].text}")
    return msgspec.structs.replace(new, rules=(*new.rules, *added))


def keeping_blanks(live: Policy | None, new: Policy) -> Policy:
    """The policy with the rules that take something back in the Live one, though a file does not know of them.

    Some phone may not have asked since; who is sure that all have withdraws the rule.
    """
    known = {rule.id for rule in new.rules}
    kept = [rule for rule in (live.rules if live else ()) if rule.takes_back and rule.id not in known]
    before, after = segments_of(live or Policy()), segments_of(new)
    rules = (msgspec.structs.replace(rule, when=_as_before(rule.when, before, after)) for rule in kept)
    return msgspec.structs.replace(new, rules=(*new.rules, *rules)) if kept else new


def _covered(
    tenant: Tenant, live: Policy | None, new: Policy
) -> Iterator[tuple[Rule, set[tuple[str, str]], set[tuple[str, str]]]]:
    """Each rule that is Live, with what all whom it is for are sent by the new policy, and what of that is enforced.

    As far as that can be told without asking about anybody.
    """
    always = {("key", key) for key in (*template.parse(tenant.template).entries, SIP_USERNAME, SIP_PASSWORD)}
    before, after = segments_of(live or Policy()), segments_of(new)
    alike: dict[Condition | None, list[Rule]] = {None: []}
    for one in new.rules:
        alike.setdefault(one.when, []).extend((one,) if one.active else ())
    for rule in live.rules if live else ():
        if rule.active:
            near = (one for when in {None, rule.when} for one in alike.get(when, ()))
            covering = [one for one in near if _covers(one, after, rule, before)]
            effects = [effect for one in covering for effect in one.effects if _is_sent(effect)]
            sent = always.union(effect.target() for effect in effects)
            yield rule, sent, {effect.target() for effect in effects if _is_enforced(effect)}


def _is_sent(effect: AnyEffect) -> bool:
    """Whether it reaches phones that ask again; a default that is given once does not."""
    return not (isinstance(effect, SetKey) and effect.strength is Strength.DEFAULT_ONCE)


def _is_enforced(effect: AnyEffect) -> bool:
    return isinstance(effect, SetKey | Blank) and effect.strength is Strength.ENFORCED


def _left(rule: Rule, effect: AnyEffect) -> Left | None:
    match effect:
        case SetKey():
            # Phones keep what has a higher rank, also when less is sent empty.
            blank = Blank(effect.key, effect.strength)
            return Left(rule, effect.key, None if [*blank.faults()] else blank)
        case AddQuickDial():
            return Left(rule, f"quick dial {effect.id}", RemoveQuickDial(effect.id))
        case AddDialAction():
            return Left(rule, f"dial action {effect.id}", None)
        case _:
            return None


def _covers(new: Rule, segments: Mapping[str, Condition], old: Rule, before: Mapping[str, Condition]) -> bool:
    """Whether a rule of the same words, or without any, is for all whom another one was for."""
    if new.when is not None and said(new, segments)[1] != said(old, before)[1]:
        return False
    ours, theirs = new.rollout, old.rollout
    if ours is None:
        return True
    if theirs is None or (ours.of, ours.salt or new.id) != (theirs.of, theirs.salt or old.id):
        return _begins_with(ours) == FULL
    held_back = ours.guard is not None and (theirs.guard is None or ours.opened < theirs.opened)
    return not held_back and all(
        any(one.since_s <= stage.since_s and one.percent >= stage.percent for one in _stages(ours))
        for stage in _stages(theirs)
    )


def _stages(rollout: Rollout) -> tuple[Stage, ...]:
    """A percentage is a stage that has always been."""
    return rollout.stages if rollout.percent is None else (Stage(_ALWAYS, rollout.percent),)


def _begins_with(rollout: Rollout) -> float:
    return 0.0 if rollout.percent is None else rollout.percent


def _as_before(
    condition: AnyCondition | None, before: Mapping[str, Condition], after: Mapping[str, Condition]
) -> AnyCondition | None:
    """The condition with what its segments said, where they are gone or say something else."""
    match condition:
        case All() | Any():
            parts = (_as_before(part, before, after) for part in condition.of)
            return msgspec.structs.replace(condition, of=tuple(part for part in parts if part is not None))
        case Not():
            return msgspec.structs.replace(condition, of=_as_before(condition.of, before, after))
        case InSegment() if any(before[one] != after.get(one) for one in _names(condition, before)):
            return _as_before(cast("AnyCondition", before[condition.segment]), before, after)
        case _:
            return condition


def _names(condition: InSegment, segments: Mapping[str, Condition]) -> Iterator[str]:
    return (one.segment for one in reach(condition, segments) if isinstance(one, InSegment))


def _drawn_as(rule: Rule) -> Rollout | None:
    """Its rollout, with its own lots wherever it stands, and as far as its guard has let it."""
    drawn = rule.rollout
    if drawn is None:
        return None
    stages = drawn.stages if drawn.guard is None else drawn.stages[: drawn.opened]
    return msgspec.structs.replace(drawn, salt=drawn.salt or rule.id, stages=stages, guard=None, opened=1)


def _free(identity: str, taken: set[str]) -> str:
    number = 1
    while (name := identity if number == 1 else f"{identity}-{number}") in taken:
        number += 1
    taken.add(name)
    return name
