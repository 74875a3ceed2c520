"""What somebody should know before a policy is published: values that apps ignore, keep, or that reach 112."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from offhook.core.catalogue import KEYS
from offhook.core.diagnostics import Diagnostic
from offhook.core.features import Features, gate
from offhook.core.keys import is_secret, near
from offhook.core.lint.rewriting import EMERGENCY_NUMBERS
from offhook.core.mergeable import PROVIDER, USER, Value
from offhook.core.webservice import REPROVISIONING
from offhook.policy.conditions import reach
from offhook.policy.effects import AddDialAction, AddQuickDial, AnyEffect, Blank, LogOut, SetKey
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import segments_of
from offhook.policy.subject import Fact
from offhook.provider import settling, template
from offhook.provider.compose import INSTALL_KEY, POLICY
from offhook.provider.evidence import INTERVAL_KEY
from offhook.provider.takingback import removed, unlocked
from offhook.provider.tenant import Tenant

CLOUD_USERNAME: Final = "cloud_username"
CLOUD_PASSWORD: Final = "cloud_password"
LEAST_INTERVAL_S: Final = 60
# A guard counts phones that were let in before, and where they asked from is not kept.
_UNSEEN: Final = frozenset({Fact.NETWORK, Fact.OCCASION})
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
            told = (*_of_effect(effect, tenant, features), *_of_columns(effect, columns))
            yield from (Diagnostic(place, said) for said in told)
        yield from (Diagnostic(f"rule {rule.id}", said) for said in _of_guard(rule, new))
    yield from _decided(live, new)
    yield from _kept(tenant, live, new)
    yield from _redrawn(live, new)


def _kept(tenant: Tenant, live: Policy | None, new: Policy) -> Iterator[Diagnostic]:
    """What phones keep of rules that go, and which rules take something back from them."""
    before = {rule.id for rule in live.rules} if live else set()
    for rule in new.rules:
        if rule.takes_back and rule.id in before:
            said = f"goes on taking back what {rule.takes_back} set, though the file need not have it"
            why = "phones that have not asked since still have it"
            how = f"When all have asked: offhook policy withdraw {tenant.cloud_id} {rule.id}"
            yield Diagnostic(f"rule {rule.id}", f"{said}: {why}. {how}")
    for left in removed(tenant, live, new):
        said = f"{left.what} is not set any more for all whom the rule was for, and phones keep it"
        how = "--blank-removed sends it empty to them" if left.undo else "Nothing in the protocol can take it back"
        yield Diagnostic(f"rule {left.rule.id}", f"{said}: what is not sent stays. {how}")
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


def _decided(live: Policy | None, new: Policy) -> Iterator[Diagnostic]:
    """What was decided of a Live rule and is not known to a text that was written before."""
    known = {rule.id: rule for rule in live.rules} if live else {}
    for rule in new.rules:
        before = known.get(rule.id)
        if before is None or not before.enabled or not rule.enabled:
            continue
        if before.paused and not rule.paused:
            by = f" by {before.author}" if before.author else ""
            yield Diagnostic(f"rule {rule.id}", f"was paused{by}, because {before.paused}; this lets it go on")
            continue
        ours, theirs = rule.rollout, before.rollout
        if ours and theirs and ours.guard and not rule.paused and ours.opened < theirs.opened:
            said = f"has {theirs.opened} stages open, and {ours.opened} with this"
            yield Diagnostic(f"rule {rule.id}", f"{said}: users may be taken out of it")


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


def _of_effect(effect: AnyEffect, tenant: Tenant, features: Features | None) -> Iterator[str]:
    match effect:
        case SetKey() | Blank():
            yield from _of_key(effect, features)
        case AddQuickDial() | AddDialAction():
            texts = effect.values.values() if isinstance(effect, AddDialAction) else (effect.uri,)
            for number in dict.fromkeys(found for text in texts for found in _DIGITS.findall(text)):
                if number in EMERGENCY_NUMBERS:
                    yield f"dials {number}, an emergency number ({EMERGENCY_NUMBERS[number]}): try it out first"
        case LogOut():
            limits = tenant.logout_limits
            most = f"{limits.floor} users, or {limits.share:.0%} of those who ask if that is more"
            yield f"logs phones out: {most}, go at once, and the others wait for `offhook fleet-guard release`"
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
