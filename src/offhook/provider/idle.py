"""Rules that decide nothing, or decide for everybody: what somebody who publishes them would rather know first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from offhook.core.diagnostics import Diagnostic
from offhook.policy.clock import day_and_time
from offhook.policy.conditions import All, walk
from offhook.policy.during import During
from offhook.policy.effects import LogOut, Refuse
from offhook.policy.rules import Policy, Rule
from offhook.policy.view import Condition

# Rules that are not for a part alone, by whom they are for and what they decide.
_Above: TypeAlias = dict[tuple[Condition | None, tuple[str, str]], list[Rule]]


def remarks(policy: Policy, now_s: int) -> Iterator[Diagnostic]:
    """All of them, by rule; of rules that rest, nothing is said."""
    above: _Above = {}
    for rule in policy.rules:
        if rule.active:
            yield from (Diagnostic(f"rule {rule.id}", said) for said in _of(rule, above, now_s))
            for effect in rule.effects if rule.rollout is None else ():
                above.setdefault((rule.when, effect.target()), []).append(rule)


def _of(rule: Rule, above: _Above, now_s: int) -> Iterator[str]:
    if not rule.effects:
        yield "decides nothing: `then` is missing or empty"
    elif by := _taken(rule, above):
        yield f"decides nothing: rule {by} stands above it, is for the same users at least, and decides the same"
    if (until_s := _over_s(rule.when)) is not None and until_s <= now_s:
        yield f"is over since {day_and_time(until_s)}, and decides nothing any more"
    elif rule.when is not None and any(isinstance(one, During) for one in walk(rule.when)):
        yield "begins and ends by the clock; each phone gets that when it next asks"
    yield from _of_rollout(rule)
    if rule.when is None and rule.rollout is None:
        for effect in rule.effects:
            if isinstance(effect, Refuse):
                yield "refuses everybody: nobody can sign in, and phones that are signed in get nothing new"
            elif isinstance(effect, LogOut):
                yield "logs everybody out"


def _of_rollout(rule: Rule) -> Iterator[str]:
    if rule.rollout is None:
        return
    if rule.rollout.percent == 0:
        yield "is for nobody: its percent is 0"
    for percent in (rule.rollout.percent, *(stage.percent for stage in rule.rollout.stages)):
        if percent is not None and 0 < percent < 1:
            meant = f"if a share of {percent:g} is meant, write {100 * percent:g}"
            yield f"is for {percent:g}%, one of {100 / percent:,.0f}; {meant}"


def _taken(rule: Rule, above: _Above) -> str:
    """The rule above that decides all that this one would, before it, for whomever it is for; empty without any."""
    things = {effect.target() for effect in rule.effects}
    for when in dict.fromkeys((None, rule.when)):
        for one in above.get((when, rule.effects[0].target()), ()):
            if things <= {effect.target() for effect in one.effects}:
                return one.id
    return ""


def _over_s(condition: Condition | None) -> int | None:
    """The moment from which a condition holds no more, if it says one."""
    if isinstance(condition, During):
        return None if condition.until is None else int(condition.until.timestamp())
    if isinstance(condition, All):
        return min((found for part in condition.of if (found := _over_s(part)) is not None), default=None)
    return None
