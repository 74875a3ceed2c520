"""CEL, the language of expressions in conditions: what they can read, their limits, and true, false or neither.

An error while evaluating comes out of the library as a value that looks true, or as an exception. Here it is neither
true nor false, and never raised. Nothing in the language knows the time, so that an answer can only change with what
it is computed from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import cel_expr_python.cel as cel  # noqa: PLR0402 - only so does mypy find the types of a package without __init__

from offhook.core.errors import Invalid
from offhook.core.keys import near
from offhook.policy import versions
from offhook.policy.celcost import Cost, cost
from offhook.policy.subject import Fact, Subject

MAX_EXPRESSION: Final = 1000
# Longer ones are as good as absent, or an expression could copy them around for seconds.
MAX_ATTRIBUTE: Final = 1024

# What all expressions together may cost in one evaluation, in nodes: a fraction of a second at the worst.
MAX_UNITS: Final = 200_000

_TEXT: Final = cel.Type.STRING
_NUMBERS: Final = cel.Type.List(cel.Type.INT)
VARIABLES: Final = {
    "user": cel.Type.Map(_TEXT, _TEXT),
    "username": _TEXT,
    "groups": cel.Type.List(_TEXT),
    "platform": _TEXT,
    "app_version": _NUMBERS,
    "os_version": _NUMBERS,
    "locale": _TEXT,
    "editable": cel.Type.BOOL,
    "installs": cel.Type.INT,
    "occasion": _TEXT,
    "network": _TEXT,
}
_ENVIRONMENT: Final = cel.NewEnv(variables=VARIABLES)
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_ATTRIBUTE: Final = re.compile(r"\buser\s*(?:\.\s*(\w+)|\[\s*[\"']([^\"']+)[\"']\s*\])")
_CODES: Final = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$| \(in container ''\)")
_ERRORS: Final = {
    re.compile(r"basic_string: .*"): "a text in it is no Unicode",
    re.compile(r"ERROR: <input>:-1:-1: "): "",
    re.compile(r'Key not found in map : "(.*)"'): r"the user has no attribute \1",
    re.compile(r'No value with name "(.*)" found in Activation'): r"\1 is not known",
    re.compile(r" expecting \{.*"): "",
    re.compile(r" expecting '.*"): "",
}
_TYPES: Final = {"STRING": "a text", "INT": "a whole number", "DYN": "what is only known later"}
_POSITION: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): ")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")


class Program(NamedTuple):
    """An expression ready to be evaluated, and what that costs."""

    expression: cel.Expression
    cost: Cost


class Activation(NamedTuple):
    """The variables of expressions: how many elements the longest list or table has, and the longest text."""

    variables: cel.Activation
    elements: int
    longest: int


@lru_cache(maxsize=4096)
def compile(text: str) -> Program:  # noqa: A001 - what CEL calls it
    """An expression ready to be evaluated; raises Invalid."""
    if len(text) > MAX_EXPRESSION:
        raise Invalid.at("cel", f"has {len(text):,} characters; at most {MAX_EXPRESSION:,} are allowed")
    try:
        expression = _ENVIRONMENT.compile(text)
    except RuntimeError as error:
        raise Invalid.at("cel", _readable(str(error))) from None
    if expression.return_type() != cel.Type.BOOL:
        given = _TYPES.get(expression.return_type().name(), expression.return_type().name().lower())
        raise Invalid.at("cel", f"gives {given}, where true or false is needed")
    program = Program(expression, cost(expression.serialize()))
    # A loop within a loop is how a short text becomes minutes of work.
    if program.cost.loops > 1:
        raise Invalid.at(
            "cel", "has more than one of all, exists, exists_one, filter and map; make two conditions of it"
        )
    return program


def activate(subject: Subject) -> Activation:
    """A subject as the variables of expressions, without those that are not known."""
    found: dict[str, object] = {
        "user": {name: text for name, text in subject.attributes.items() if 0 < len(text) <= MAX_ATTRIBUTE},
        "username": subject.username,
        "groups": sorted(subject.groups),
        "editable": subject.editable,
        "installs": subject.installs,
        "occasion": str(subject.occasion),
    }
    found |= {name: text for name in ("platform", "locale", "network") if (text := getattr(subject, name))}
    for name in ("app_version", "os_version"):
        if numbers := versions.parse(getattr(subject, name) or ""):
            found[name] = list(numbers)
    elements = max(len(subject.attributes), len(subject.groups))
    longest = max(map(len, (*subject.attributes.values(), *subject.groups)), default=0)
    return Activation(_ENVIRONMENT.Activation(found), elements, min(longest, MAX_ATTRIBUTE))


class Evaluation:
    """All expressions that are asked about one subject: each is evaluated once, and together they cost so much."""

    __slots__ = ("_activation", "_found", "_left")

    def __init__(self, subject: Subject) -> None:
        self._activation = activate(subject)
        self._found: dict[str, tuple[bool | None, str]] = {}
        self._left = MAX_UNITS

    def find(self, text: str, program: Program) -> tuple[bool | None, str]:
        """Whether the expression is true; None and why when it can be told neither way."""
        if text not in self._found:
            self._found[text] = self._afford(program)
        return self._found[text]

    def _afford(self, program: Program) -> tuple[bool | None, str]:
        self._left -= program.cost.units(self._activation.elements, self._activation.longest)
        if self._left < 0:
            return None, "with the expressions above it, it costs too much for a user with so many values"
        return evaluate(program, self._activation)


def evaluate(program: Program, activation: Activation) -> tuple[bool | None, str]:
    """Whether the expression is true; None and why when it can be told neither way."""
    try:
        found = program.expression.eval(activation.variables)
    except RuntimeError as error:
        return None, _readable(str(error))
    # The value of an error is its text, and would count as true.
    if found.type() == cel.Type.BOOL:
        return found.value() is True, ""
    return None, _readable(str(found.value()))


def facts(text: str) -> Iterator[Fact]:
    """The facts that an expression may read: those it names, if only within a text."""
    words = {*_WORD.findall(text)}
    return (fact for fact in Fact if fact in words)


def attributes(text: str) -> Iterator[str]:
    """The attributes of the user that an expression names."""
    return (one or other for one, other in _ATTRIBUTE.findall(text))


def _readable(error: str) -> str:
    """The first line that the library says, without its codes."""
    line = _CODES.sub("", error.strip().partition("\n")[0])
    for found, said in _ERRORS.items():
        line = found.sub(said, line)
    place = _POSITION.match(line)
    if place is None:
        return line
    said = line[place.end() :]
    unknown = _UNDECLARED.search(said)
    meant = near(unknown[1].partition(".")[0], VARIABLES) if unknown else ()
    return f"at character {place[2]}: {said}" + (f"; did you mean {meant[0]}?" if meant else "")
