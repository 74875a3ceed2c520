"""A policy that was written beside another one than is Live now: what was decided meanwhile, and what it would undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from offhook.policy.rules import Policy, Rule, Segment


def carried(live: Policy | None, base: Policy | None, new: Policy) -> Policy:
    """The policy with what was decided of Live rules and a file knows nothing of: opened stages, pauses.

    Else whoever publishes the file from git would take out those who are in, or end a pause that was made in a hurry.
    What is otherwise in the `base`, beside which it was written, was decided by who wrote it.
    """
    now, then = _rules(live), _rules(base)

    def kept(rule: Rule) -> Rule:
        before = now.get(rule.id)
        return rule if before is None else _reopened(before, _rested(before, then.get(rule.id), rule))

    return msgspec.structs.replace(new, rules=tuple(map(kept, new.rules)))


def undone(base: Policy, live: Policy, new: Policy, *, strictly: bool) -> Iterator[str]:
    """What Live has otherwise than the base, and the new one does not have; `strictly` also what both changed.

    A file in git that was once exported still names the version of then, however often it was published since: what it
    says anew is meant. A draft was written at once, so that whoever wrote it has not seen what Live says now.
    """
    for noun, kind in (("segment", _segments), ("rule", _rules_plain)):
        before, meanwhile, after = kind(base), kind(live), kind(new)
        for identity in dict.fromkeys([*meanwhile, *before]):
            was, stands, comes = (one.get(identity) for one in (before, meanwhile, after))
            if stands not in (was, comes) and (strictly or comes == was):
                yield f"{noun} {identity}"


def opened(rule: Rule, stages: int) -> Rule:
    """The rule with so many stages opened by its guard."""
    assert rule.rollout is not None
    return msgspec.structs.replace(rule, rollout=msgspec.structs.replace(rule.rollout, opened=stages))


def _rested(before: Rule, then: Rule | None, rule: Rule) -> Rule:
    """The rule, paused as the Live one is unless its text says otherwise than the text from which it was made."""
    if then is None:
        return msgspec.structs.replace(rule, paused=rule.paused or before.paused)
    return msgspec.structs.replace(rule, paused=before.paused) if rule.paused == then.paused else rule


def _reopened(before: Rule, rule: Rule) -> Rule:
    """The rule with the stages of the Live one; with other stages, a rollout begins anew."""
    if rule.rollout is None or before.rollout is None:
        return rule
    more = opened(rule, max(rule.rollout.opened, before.rollout.opened))
    return more if more.rollout == before.rollout else rule


def _rules(policy: Policy | None) -> Mapping[str, Rule]:
    return {rule.id: rule for rule in policy.rules} if policy else {}


def _segments(policy: Policy) -> Mapping[str, Rule | Segment]:
    return {segment.id: segment for segment in policy.segments}


def _rules_plain(policy: Policy) -> Mapping[str, Rule | Segment]:
    """The rules as a person writes them: without whose they are, and without what is carried over anyway."""
    return {rule.id: _plain(rule) for rule in policy.rules}


def _plain(rule: Rule) -> Rule:
    bare = msgspec.structs.replace(rule, version=1, author="", changed_s=0, paused="")
    return bare if bare.rollout is None else opened(bare, 1)
