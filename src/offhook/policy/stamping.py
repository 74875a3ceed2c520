"""Who changed which rule last: a rule that says the same as before keeps its signature, any other gets a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from offhook.policy.conditions import InSegment, reach
from offhook.policy.rules import Policy, Rule
from offhook.policy.view import Condition


def stamped(policy: Policy, earlier: tuple[Policy, ...], number: int, author: str, now_s: int) -> Policy:
    """A policy of this number; what its rules say of their own versions does not count.

    A rule says the same as in one of the `earlier` policies, the first of which counts, if it does and the segments
    that it speaks of do. Else its version is the number of this policy, so that no two of its texts ever share one.
    """
    known = [(segments_of(one), {rule.id: rule for rule in one.rules}) for one in earlier]
    ours = segments_of(policy)

    def signed(rule: Rule) -> Rule:
        for segments, rules in known:
            before = rules.get(rule.id)
            if before is not None and said(before, segments) == said(rule, ours):
                return before
        return msgspec.structs.replace(rule, version=number, author=author, changed_s=now_s)

    return msgspec.structs.replace(policy, number=number, rules=tuple(map(signed, policy.rules)))


def segments_of(policy: Policy) -> Mapping[str, Condition]:
    """The conditions of its segments, by name."""
    return {segment.id: segment.when for segment in policy.segments}


def said(rule: Rule, segments: Mapping[str, Condition]) -> tuple[Rule, tuple[Condition, ...]]:
    """What a rule says, without whose it is."""
    return msgspec.structs.replace(rule, version=1, author="", changed_s=0), tuple(_spoken_of(rule, segments))


def _spoken_of(rule: Rule, segments: Mapping[str, Condition]) -> Iterator[Condition]:
    if rule.when is not None:
        for one in reach(rule.when, segments):
            if isinstance(one, InSegment):
                yield segments[one.segment]
