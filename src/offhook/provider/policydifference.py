"""How two policies differ, rule by rule, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from offhook.core.difference import Kind, Line
from offhook.policy.facts import shown
from offhook.policy.rollout import Guard, Rollout
from offhook.policy.rules import Policy, Rule, Segment


def difference(old: Policy | None, new: Policy) -> tuple[Line, ...]:
    """Everything that is said differently; whose a rule is does not count."""
    old = old or Policy()
    return (
        *_entries("segment", {one.id: one for one in old.segments}, {one.id: one for one in new.segments}),
        *_entries("rule", {one.id: one for one in old.rules}, {one.id: one for one in new.rules}),
        *_order(old, new),
    )


def said(entry: Rule | Segment) -> dict[str, str]:
    """What a rule or segment says, part by part."""
    parts = {"title": entry.title and shown(entry.title)}
    if isinstance(entry, Segment):
        return {**parts, "when": str(entry.when)}
    return {
        **parts,
        "when": "for everybody" if entry.when is None else str(entry.when),
        "rollout": "" if entry.rollout is None else told(entry.rollout),
        "then": ", ".join(map(str, entry.effects)) or "does nothing",
        "state": "" if entry.enabled else "is not enabled",
        "paused": entry.paused and f"is paused, because {shown(entry.paused)}",
    }


def told(rollout: Rollout) -> str:
    """A rollout in words."""
    stages = [f"{stage.percent:g}% from {stage.since.isoformat()}" for stage in rollout.stages]
    shares = ", ".join(stages) if rollout.percent is None else f"{rollout.percent:g}%"
    opened = (
        ""
        if rollout.guard is None
        else f", {_guarded(rollout.guard)}, {rollout.opened} of {len(stages) or 1} stages open"
    )
    return f"{shares} of {rollout.of}{f', by {shown(rollout.salt)}' if rollout.salt else ''}{opened}"


def _guarded(guard: Guard) -> str:
    return f"guarded ({guard.excess:g} points, {guard.phones:,} phones, {guard.window_s:,} s)"


def _entries(
    noun: str, old: Mapping[str, Rule] | Mapping[str, Segment], new: Mapping[str, Rule] | Mapping[str, Segment]
) -> Iterator[Line]:
    for identity in dict.fromkeys([*new, *old]):
        place = f"{noun} {identity}"
        before = said(old[identity]) if identity in old else None
        after = said(new[identity]) if identity in new else None
        if before is None and after is not None:
            yield Line(Kind.ADDITION, place, after=_whole(after))
        elif after is None and before is not None:
            yield Line(Kind.REMOVAL, place, before=_whole(before))
        elif before is not None and after is not None:
            for part in after:
                if before[part] != after[part]:
                    yield Line(Kind.CHANGE, f"{place}, {part}", before[part] or "(none)", after[part] or "(none)")


def _whole(parts: Mapping[str, str]) -> str:
    return "; ".join(text for text in parts.values() if text)


def _order(old: Policy, new: Policy) -> Iterator[Line]:
    """Rules that both have, if they stand in another order: of two, the upper one decides."""
    both = {rule.id for rule in old.rules} & {rule.id for rule in new.rules}
    before, after = ([rule.id for rule in one.rules if rule.id in both] for one in (old, new))
    if before != after:
        yield Line(Kind.CHANGE, "order of rules", ", ".join(before), ", ".join(after))
