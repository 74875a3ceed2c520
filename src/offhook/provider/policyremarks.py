"""What somebody should know before a policy is published: values that apps ignore, keep, or that reach 112."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from offhook.core.catalogue import KEYS
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid
from offhook.core.features import Features, gate
from offhook.core.lint.rewriting import EMERGENCY_NUMBERS
from offhook.core.mergeable import PROVIDER, USER, Value
from offhook.policy.conditions import InSegment, reach, walk
from offhook.policy.effects import AddDialAction, AddQuickDial, AnyEffect, Blank, LogOut, SetKey
from offhook.policy.resolution import Strength
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import segments_of
from offhook.policy.subject import Fact
from offhook.provider import settling, template
from offhook.provider.compose import POLICY
from offhook.provider.evidence import INTERVAL_KEY
from offhook.provider.subscriber import SIP_PASSWORD, SIP_USERNAME
from offhook.provider.tenant import Tenant

# A guard counts phones that were let in before, and where they asked from is not kept.
_UNSEEN: Final = frozenset({Fact.NETWORK, Fact.OCCASION})
_DIGITS: Final = re.compile(r"(?<![0-9])[0-9]{3,4}(?![0-9])")
# Names that operators make up for themselves, which the app keeps and no catalogue knows.
_OWN: Final = re.compile(r"^[Xx][-_]|^[a-z]+[-_]")


def remarks(tenant: Tenant, live: Policy | None, new: Policy, features: Features | None) -> Iterator[Diagnostic]:
    """All of them; without `features`, licences are not judged (D18)."""
    for rule in new.rules:
        for position, effect in enumerate(rule.effects, 1):
            place = f"rule {rule.id}, then[{position}]"
            yield from (Diagnostic(place, said) for said in _of_effect(effect, features))
        yield from (Diagnostic(f"rule {rule.id}", said) for said in _of_guard(rule, new))
    yield from _taken_back(live, new)
    for rule, key in removed(tenant, live, new):
        said = f"{key} is not set any more for all whom the rule was for, and phones keep it: what is not sent stays"
        yield Diagnostic(f"rule {rule.id}", f"{said}. --blank-removed sends it empty to them")
    for rule, key in unlocked(tenant, live, new):
        said = f"{key} is not enforced any more for all whom the rule was for. {settling.why_kept(USER)}"
        yield Diagnostic(f"rule {rule.id}", said.partition(": --priority")[0] + ', with strength = "enforced"')


def _of_guard(rule: Rule, policy: Policy) -> Iterator[str]:
    if rule.rollout is None or rule.rollout.guard is None or rule.when is None:
        return
    asked = {fact for one in reach(rule.when, segments_of(policy)) for fact in one.uses()}
    if unseen := sorted(asked & _UNSEEN):
        said = "the guard looks at phones as they ask again, and is not told of"
        yield f"{said} {' or '.join(unseen)}: it may wait for ever, and never pause"


def _taken_back(live: Policy | None, new: Policy) -> Iterator[Diagnostic]:
    """What was decided of a Live rule and is not known to a text that was written before."""
    known = {rule.id: rule for rule in live.rules} if live else {}
    for rule in new.rules:
        before = known.get(rule.id)
        if before is None or not before.enabled or not rule.enabled:
            continue
        if before.paused and not rule.paused:
            by = f" by {before.author}" if before.author else ""
            yield Diagnostic(f"rule {rule.id}", f"was paused{by}, because {before.paused}; this lets it go on")
        elif rule.rollout and before.rollout and not rule.paused and rule.rollout.opened < before.rollout.opened:
            said = f"has {before.rollout.opened} stages open, and {rule.rollout.opened} with this"
            yield Diagnostic(f"rule {rule.id}", f"{said}: users may be taken out of it")


def removed(tenant: Tenant, live: Policy | None, new: Policy) -> Iterator[tuple[Rule, str]]:
    """Keys that a Live rule sends, and nothing any more to all whom it was for; defaults are the user's own."""
    always = {*template.parse(tenant.template).entries, SIP_USERNAME, SIP_PASSWORD}
    for rule in live.rules if live else ():
        if rule.active:
            sent = always.union(*(_keys(one) for one in new.rules if one.active and _covers(one, rule)))
            yield from ((rule, key) for key in _set(rule) if key not in sent)


def unlocked(tenant: Tenant, live: Policy | None, new: Policy) -> Iterator[tuple[Rule, str]]:
    """Keys that a Live rule enforces, and nobody any more for all whom it was for, though they are sent another way."""
    gone = {(rule.id, key) for rule, key in removed(tenant, live, new)}
    for rule in live.rules if live else ():
        if rule.active:
            still = set[str]().union(*(_enforced(one) for one in new.rules if one.active and _covers(one, rule)))
            keys = (key for key in _set(rule) if key in _enforced(rule) and key not in still)
            yield from ((rule, key) for key in keys if (rule.id, key) not in gone)


def _covers(new: Rule, old: Rule) -> bool:
    """Whether a rule is for all whom another one was for, as far as that can be told without asking about anybody."""
    return new.when in {None, old.when} and (new.rollout is None or old.rollout is not None)


def blanking(tenant: Tenant, live: Policy | None, new: Policy) -> Policy:
    """The policy with rules at its end that send removed keys empty to those for whom they were set.

    What was enforced is enforced when it is empty, too, since phones keep what has a higher rank. A key that cannot be
    empty is left as it is. Raises Invalid when a rule would speak of a segment that is gone.
    """
    keys: dict[str, list[str]] = {}
    by_id = {rule.id: rule for rule in live.rules} if live else {}
    for rule, key in removed(tenant, live, new):
        if not list(Blank(key).faults()):
            keys.setdefault(rule.id, []).append(key)
    taken = {rule.id for rule in new.rules}
    added = [
        Rule(
            _free(f"{identity[:52]}-blanked", taken),
            title=f"what {identity} set"[:200],
            when=by_id[identity].when,
            effects=tuple(_emptied(by_id[identity], key) for key in dict.fromkeys(names)),
        )
        for identity, names in keys.items()
    ]
    gone = {segment.id for segment in live.segments} - {segment.id for segment in new.segments} if live else set()
    for rule in added:
        spoken_of = (one.segment for one in walk(rule.when) if isinstance(one, InSegment)) if rule.when else ()
        if named := sorted(gone.intersection(spoken_of)):
            raise Invalid.at(f"rule {rule.id}", f"would speak of the segment {named[0]}; leave that in for now")
    return msgspec.structs.replace(new, rules=(*new.rules, *added))


def _free(identity: str, taken: set[str]) -> str:
    number = 1
    while (name := identity if number == 1 else f"{identity}-{number}") in taken:
        number += 1
    taken.add(name)
    return name


def _keys(rule: Rule) -> set[str]:
    return {effect.key for effect in rule.effects if isinstance(effect, SetKey | Blank)}


def _enforced(rule: Rule) -> set[str]:
    return {one.key for one in rule.effects if isinstance(one, SetKey) and one.strength is Strength.ENFORCED}


def _emptied(rule: Rule, key: str) -> SetKey | Blank:
    return SetKey(key, "", strength=Strength.ENFORCED) if key in _enforced(rule) else Blank(key)


def _set(rule: Rule) -> list[str]:
    return [
        effect.key
        for effect in rule.effects
        if isinstance(effect, SetKey) and effect.strength is not Strength.DEFAULT_ONCE
    ]


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


def _of_key(effect: SetKey | Blank, features: Features | None) -> Iterator[str]:
    key, text = effect.key, effect.value if isinstance(effect, SetKey) else ""
    if KEYS.find(key) is None and not _OWN.match(key):
        meant = KEYS.near(key)
        yield f"{key} is no key that we know" + (f"; did you mean {meant[0]}?" if meant else "")
    if features is not None and (reason := gate(features)(key, Value(text, PROVIDER, POLICY))):
        yield f"{key} has no effect now: it {reason}"
    if key == INTERVAL_KEY and not text.strip("0 "):
        yield f"{key} {text or 'empty'} means that phones ask only when their account is made or edited"
    if key == "rewriting":
        found = [number for number in dict.fromkeys(_DIGITS.findall(text)) if number in EMERGENCY_NUMBERS]
        if found:
            yield f"rewrites {', '.join(found)}: emergency numbers; try it out first"
