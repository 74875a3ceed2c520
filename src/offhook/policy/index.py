"""Which rules can match a subject at all, found by what their conditions cannot do without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from offhook.policy.conditions import InSegment, walk
from offhook.policy.rules import Rule, Segment
from offhook.policy.subject import Subject
from offhook.policy.view import Condition, Known, Need, Needs


class Index:
    """The positions of active rules: those that are always tried, and those that need something."""

    def __init__(self, rules: Iterable[Rule], segments: Iterable[Segment]) -> None:
        self._always: list[int] = []
        self._attributes: dict[str, dict[str, list[int]]] = {}
        self._present: dict[str, list[int]] = {}
        self._others: dict[tuple[str, str], list[int]] = {}
        active = {position: rule for position, rule in enumerate(rules) if rule.active}
        known = _known([rule.when for rule in active.values() if rule.when is not None], segments)
        for position, rule in active.items():
            self._add(position, None if rule.when is None else rule.when.needs(known))

    def _add(self, position: int, needs: Needs) -> None:
        if needs is None:
            self._always.append(position)
            return
        for need in needs:
            match need.kind:
                case "attribute":
                    self._attributes.setdefault(need.name, {}).setdefault(need.value, []).append(position)
                case "present":
                    self._present.setdefault(need.name, []).append(position)
                case _:
                    self._others.setdefault((need.kind, need.name), []).append(position)

    def find(self, subject: Subject) -> list[int]:
        """The positions of the rules that may match, in the operator's order."""
        found = {*self._always}
        for name in self._attributes.keys() & subject.attributes.keys():
            found.update(self._attributes[name].get(subject.attributes[name], ()))
        for name in self._present.keys() & subject.attributes.keys():
            found.update(self._present[name])
        if self._others:
            for group in subject.groups:
                found.update(self._others.get(("group", group), ()))
            found.update(self._others.get(("occasion", subject.occasion), ()))
            if subject.platform:
                found.update(self._others.get(("platform", subject.platform.casefold()), ()))
        return sorted(found)


def _known(conditions: Iterable[Condition], segments: Iterable[Segment]) -> Known:
    """What rules and segments need; a segment that speaks of others comes after them, since there are no circles."""
    common: Counter[Need] = Counter()
    known = Known({}, common)
    for segment in _inner_first({segment.id: segment for segment in segments}):
        known.segments[segment.id] = segment.when.needs(known)
    for condition in conditions:
        simple = (one.needs(known) for one in walk(condition) if not one.parts())
        common.update({need for needs in simple if needs is not None for need in needs})
    return known


def _inner_first(segments: Mapping[str, Segment]) -> Iterator[Segment]:
    waiting = dict(segments)
    while waiting:
        ready = [
            segment
            for segment in waiting.values()
            if not any(isinstance(one, InSegment) and one.segment in waiting for one in walk(segment.when))
        ]
        for segment in ready:
            del waiting[segment.id]
            yield segment
