"""Number rewriting: words that no app knows, and emergency numbers that would not reach the emergency services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from lxml import etree

from offhook.core.catalogue.patterns import ACTIONS, CONDITIONS
from offhook.core.dialplan import BUILT_IN_ACTIONS
from offhook.core.keys import near
from offhook.core.kinds import quoted
from offhook.core.lint.finding import Finding
from offhook.core.mergeable import Value
from offhook.core.numbers import whole

EMERGENCY_NUMBERS: Final[Mapping[str, str]] = {
    "000": "Australia",
    "110": "China, Germany, Japan",
    "111": "New Zealand",
    "112": "Europe and mobile networks everywhere",
    "113": "Norway, Vietnam",
    "117": "Switzerland",
    "118": "Indonesia, Switzerland",
    "119": "China, Japan, South Korea",
    "190": "Brazil",
    "911": "North America",
    "995": "Singapore",
    "999": "United Kingdom, Hong Kong, Malaysia",
}
_FORCE_GSM: Final = (
    'Put a rule in front for each of them: <condition type="equals" param="{}"/> with '
    '<action type="overrideDialAction" param="gsmCall"/>.'
)
# What these do leaves the number, and the way of the call, as they are.
_HARMLESS: Final = frozenset({"setHeader", "recordCall", "showAlert", "continue"})


class Step(msgspec.Struct, frozen=True):
    """A condition or an action: its type and its operand."""

    type: str
    param: str

    def holds_for(self, number: str) -> bool:
        """Whether a condition can be true of a number; one that looks at something else than the number always can."""
        match self.type:
            case "equals":
                return number == self.param
            case "startsWith":
                return number.startswith(self.param)
            case "doesntStartWith":
                return not number.startswith(self.param)
            case "contains":
                return self.param in number
            case "lengthEquals":
                return str(len(number)) == self.param
            case "longerThan":
                return (length := whole(self.param)) is not None and len(number) > length
            case "shorterThan":
                return (length := whole(self.param)) is not None and len(number) < length
            case _:
                return True


class Rule(msgspec.Struct, frozen=True):
    """All conditions must be true; then every action is done, and no later rule unless one of them says so."""

    position: int
    conditions: tuple[Step, ...]
    actions: tuple[Step, ...]

    def matches(self, number: str) -> bool:
        """Whether a number can come to this rule's actions."""
        return all(condition.holds_for(number) for condition in self.conditions)

    def names(self, number: str) -> bool:
        """Whether the rule is there for this number."""
        return Step("equals", number) in self.conditions

    def forces_gsm(self) -> bool:
        """Whether the call goes out over the mobile network."""
        return Step("overrideDialAction", "gsmCall") in self.actions

    def goes_on(self) -> bool:
        """Whether later rules are looked at."""
        return any(action.type == "continue" for action in self.actions)

    def is_harmless(self) -> bool:
        """Whether number and way of the call stay what they are."""
        return all(action.type in _HARMLESS for action in self.actions)


def rewriting(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Everything that is wrong with the rules for dialled numbers."""
    if value := document.get("rewriting"):
        rules = [_rule(position, node) for position, node in enumerate(_rule_nodes(value), start=1)]
        for child in value.children():
            if child.tag != "rule":
                what = f"holds <{child.tag!s}>, which is not a rule"
                yield Finding("warning", "rewriting", what, "Put conditions and actions into <rule>.")
        for rule in rules:
            yield from _words(rule)
        yield from _emergency(rules)


def _rule_nodes(value: Value) -> list[etree._Element]:
    return [child for child in value.children() if child.tag == "rule"]


def _rule(position: int, node: etree._Element) -> Rule:
    return Rule(position, _steps(node, "conditions/condition"), _steps(node, "actions/action"))


def _steps(node: etree._Element, path: str) -> tuple[Step, ...]:
    return tuple(Step(step.get("type", ""), step.get("param", "")) for step in node.findall(path))


def _words(rule: Rule) -> Iterator[Finding]:
    place = f"rewriting/rule[{rule.position}]"
    if not rule.actions:
        yield Finding("warning", place, "does nothing", "Give it <actions> with at least one <action>.")
    yield from _strange(place, "a condition", rule.conditions, CONDITIONS.seen)
    yield from _strange(place, "an action", rule.actions, ACTIONS.seen)
    for step in rule.actions:
        if step.type == "overrideDialAction" and step.param not in BUILT_IN_ACTIONS:
            what = f"calls with the dial action {quoted(step.param)}, which no app has by itself"
            meant = f"{_meant(step.param, BUILT_IN_ACTIONS)} Or send a dial action of that id in the global part."
            yield Finding("note", place, what, meant)


def _strange(place: str, kind: str, steps: tuple[Step, ...], known: tuple[str, ...]) -> Iterator[Finding]:
    for step in steps:
        if step.type not in known:
            what = f"has {kind} of the type {quoted(step.type)}, which is not known"
            yield Finding("warning", place, what, _meant(step.type, known))


def _meant(word: str, known: tuple[str, ...]) -> str:
    meant = near(word, known)
    return f"Did you mean {' or '.join(meant)}?" if meant else f"There is {', '.join(known)}."


def _emergency(rules: list[Rule]) -> Iterator[Finding]:
    caught: dict[int, list[str]] = {}
    for number, where in EMERGENCY_NUMBERS.items():
        for rule in rules:
            if not rule.matches(number):
                continue
            if rule.names(number) and not rule.forces_gsm():
                what = f"is for the emergency number {number} ({where}) and does not force a mobile call"
                how = 'Give it <action type="overrideDialAction" param="gsmCall"/>.'
                yield Finding("error", f"rewriting/rule[{rule.position}]", what, how)
            elif not rule.forces_gsm() and not rule.is_harmless():
                caught.setdefault(rule.position, []).append(number)
            if not rule.goes_on():
                break
    for position, numbers in caught.items():
        what = f"also catches emergency numbers: {', '.join(numbers)}"
        yield Finding("warning", f"rewriting/rule[{position}]", what, _FORCE_GSM.format(numbers[0]))
