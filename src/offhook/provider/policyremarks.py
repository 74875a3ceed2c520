"""What somebody should know before a policy is published: values that apps ignore, keep, or that reach 112."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, cast

import msgspec

from offhook.core.catalogue import KEYS
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid
from offhook.core.features import Features, gate
from offhook.core.keys import is_secret, near
from offhook.core.lint.rewriting import EMERGENCY_NUMBERS
from offhook.core.mergeable import PROVIDER, Value
from offhook.core.webservice import REPROVISIONING
from offhook.policy.conditions import All, Any, AnyCondition, InSegment, Not, reach
from offhook.policy.effects import AddDialAction, AddQuickDial, AnyEffect, Blank, LogOut, RemoveQuickDial, SetKey
from offhook.policy.resolution import Strength
from offhook.policy.rollout import Rollout, Stage
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import said, segments_of
from offhook.policy.view import Condition
from offhook.provider import template
from offhook.provider.compose import INSTALL_KEY, POLICY
from offhook.provider.subscriber import SIP_PASSWORD, SIP_USERNAME
from offhook.provider.tenant import Tenant

CLOUD_USERNAME: Final = "cloud_username"
CLOUD_PASSWORD: Final = "cloud_password"
LEAST_INTERVAL_S: Final = 60
INTERVAL_KEY: Final = f"{REPROVISIONING}Interval"
FULL: Final = 100.0
_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS: Final = re.compile(r"(?<![0-9])[0-9]{3,4}(?![0-9])")
# Names that operators make up for themselves, which the app keeps and no catalogue knows.
_OWN: Final = re.compile(r"^[Xx][-_]|^[a-z]+[-_]")


def remarks(
    tenant: Tenant, live: Policy | None, new: Policy, features: Features | None, columns: Collection[str] = ()
) -> Iterator[Diagnostic]:
    """All of them; without `features`, licences are not judged (D18), and names without the users' `columns`."""
    for rule in new.rules:
        for position, effect in enumerate(rule.effects, 1):
            place = f"rule {rule.id}, then[{position}]"
            told = (*_of_effect(effect, features), *_of_columns(effect, columns))
            yield from (Diagnostic(place, said) for said in told)
    before = {rule.id for rule in live.rules} if live else set()
    for rule in new.rules:
        if rule.takes_back and rule.id in before:
            said = f"goes on taking back what {rule.takes_back} set, though the file need not have it"
            why = "phones that have not asked since still have it"
            how = f"When all have asked: offhook policy withdraw {tenant.cloud_id} {rule.id}"
            yield Diagnostic(f"rule {rule.id}", f"{said}: {why}. {how}")
    for left in removed(tenant, live, new):
        said = (
            f"{left.what} is not set any more for all whom the rule was for, and phones keep it: what is not sent stays"
        )
        how = "--blank-removed sends it empty to them" if left.undo else "Nothing in the protocol can take it back"
        yield Diagnostic(f"rule {left.rule.id}", f"{said}. {how}")
    yield from _redrawn(live, new)


class Left(NamedTuple):
    """A thing that phones keep since no rule sends it any more, the rule that sent it, and what takes it back."""

    rule: Rule
    what: str
    undo: Blank | RemoveQuickDial | None


def removed(tenant: Tenant, live: Policy | None, new: Policy) -> Iterator[Left]:
    """What a Live rule sends, and nothing any more to all whom it was for; defaults are the user's own."""
    always = {("key", key) for key in (*template.parse(tenant.template).entries, SIP_USERNAME, SIP_PASSWORD)}
    before = segments_of(live or Policy())
    for rule in live.rules if live else ():
        if rule.active:
            covering = (one for one in new.rules if one.active and _covers(one, segments_of(new), rule, before))
            sent = always.union(*(map(_target, filter(_is_sent, one.effects)) for one in covering))
            for effect in rule.effects:
                if _is_sent(effect) and _target(effect) not in sent and (left := _left(rule, effect)):
                    yield left


def _target(effect: AnyEffect) -> tuple[str, str]:
    return effect.target()


def _is_sent(effect: AnyEffect) -> bool:
    """Whether it reaches phones that ask again; a default that is given once does not."""
    return not (isinstance(effect, SetKey) and effect.strength is Strength.DEFAULT_ONCE)


def _left(rule: Rule, effect: AnyEffect) -> Left | None:
    match effect:
        case SetKey():
            return Left(rule, effect.key, None if [*Blank(effect.key).faults()] else Blank(effect.key))
        case AddQuickDial():
            return Left(rule, f"quick dial {effect.id}", RemoveQuickDial(effect.id))
        case AddDialAction():
            return Left(rule, f"dial action {effect.id}", None)
        case _:
            return None


def _covers(new: Rule, segments: Mapping[str, Condition], old: Rule, before: Mapping[str, Condition]) -> bool:
    """Whether a rule is for all whom another one was for, as far as that can be told without asking about anybody."""
    if new.when is not None and (new.when, said(new, segments)[1]) != (old.when, said(old, before)[1]):
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


def _redrawn(live: Policy | None, new: Policy) -> Iterator[Diagnostic]:
    """Rollouts that do not take in again whom they had."""
    known = {rule.id: rule for rule in live.rules if rule.active and rule.rollout is not None} if live else {}
    for rule in new.rules:
        old, ours = known.get(rule.id), rule.rollout
        if old is None or old.rollout is None or ours is None or not rule.active:
            continue
        if (ours.of, ours.salt) != (old.rollout.of, old.rollout.salt):
            said = f"draws its {ours.of} anew: some who have it fall out, and others come in"
            yield Diagnostic(f"rule {rule.id}", f"{said}. To keep them, leave of and salt as they are")
        elif ours.stages and old.rollout.percent:
            first = f"{ours.stages[0].percent:g}% from {ours.stages[0].since.isoformat()}"
            yield Diagnostic(f"rule {rule.id}", f"begins anew with {first}; before that it is for nobody")


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


def _of_effect(effect: AnyEffect, features: Features | None) -> Iterator[str]:
    match effect:
        case SetKey() | Blank():
            yield from _of_key(effect, features)
        case AddQuickDial() | AddDialAction():
            texts = effect.values.values() if isinstance(effect, AddDialAction) else (effect.uri,)
            for number in dict.fromkeys(found for text in texts for found in _DIGITS.findall(text)):
                if number in EMERGENCY_NUMBERS:
                    yield f"dials {number}, an emergency number ({EMERGENCY_NUMBERS[number]}): try it out first"
        case LogOut():
            yield "logs phones out; the fleet guard lets few go until somebody confirms it"
        case _:
            pass


def _of_columns(effect: AnyEffect, columns: Collection[str]) -> Iterator[str]:
    """Placeholders that no user has a value for, and secrets that would stand where people see them."""
    known = {*columns, *template.BUILT_IN}
    for column in effect.columns() if columns else ():
        if column not in known:
            meant = near(column, known)
            hint = f"; did you mean {{{meant[0]}}}?" if meant else ""
            yield f"{{{column}}} is no attribute or secret of any user that was looked at{hint}"
    match effect:
        case SetKey():
            texts = {effect.key: effect.value}
        case AddDialAction():
            texts = dict(effect.values)
        case AddQuickDial():
            texts = {"quick dial": f"{effect.display_name} {effect.uri} {effect.portrait_url}"}
        case _:
            texts = {}
    for name, text in texts.items():
        for column in template.columns(text):
            if is_secret(column) and not is_secret(name):
                yield f"puts {{{column}}}, a secret, into {name}, which phones do not hide"


def _of_key(effect: SetKey | Blank, features: Features | None) -> Iterator[str]:
    key, text = effect.key, effect.value if isinstance(effect, SetKey) else ""
    if KEYS.find(key) is None and not _OWN.match(key):
        meant = KEYS.near(key)
        yield f"{key} is no key that we know" + (f"; did you mean {meant[0]}?" if meant else "")
    if features is not None and (reason := gate(features)(key, Value(text, PROVIDER, POLICY))):
        yield f"{key} has no effect now: it {reason}"
    if key in {INSTALL_KEY, CLOUD_USERNAME, CLOUD_PASSWORD}:
        yield f"{key} is set for each install, or is what it signs in with: leave it to the Cloud ID"
    if key == INTERVAL_KEY and not text.strip("0 "):
        yield f"{key} {text or 'empty'} means that phones ask only when their account is made or edited"
    elif key == INTERVAL_KEY and text.isdecimal() and int(text) < LEAST_INTERVAL_S:
        yield f"{key} lets every phone ask every {int(text)} seconds, and empties its battery"
    elif key.startswith(REPROVISIONING) and key != INTERVAL_KEY:
        asks = "a phone that gets it asks there, and no more here" if text else "no phone that has it asks again"
        yield f"{key} is how phones find this service: {asks}, so nothing can take it back"
    if key == "rewriting":
        found = [number for number in dict.fromkeys(_DIGITS.findall(text)) if number in EMERGENCY_NUMBERS]
        if found:
            yield f"rewrites {', '.join(found)}: emergency numbers; try it out first"
