"""What a policy can hold, read from its classes: for the reference page and for whoever asks at a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from inspect import cleandoc
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from offhook.policy import conditions, effects, examples
from offhook.policy.reader import in_order
from offhook.policy.rollout import Guard, Rollout, Stage
from offhook.policy.rules import Rule, Segment

# Decisions are for those who read the code.
_DECISION: Final = re.compile(r" \(D\d+(?:, D\d+)*\)")
_SCALARS: Final[dict[type[inspect.Type], str]] = {
    inspect.BoolType: "true or false",
    inspect.DateTimeType: "a moment with an offset, such as 2027-01-31T08:00:00+01:00",
    inspect.DictType: "a table of texts",
}


class Field(msgspec.Struct, frozen=True):
    """One thing that a kind is written with; `default` is empty where it is needed, or where there is none."""

    name: str
    value: str
    needed: bool
    default: str = ""


class Shape(msgspec.Struct, frozen=True):
    """One kind of thing: how it is written, what it is for, what it is written with, and an example."""

    name: str
    written: str
    about: str
    fields: tuple[Field, ...]
    example: str

    @property
    def short(self) -> str:
        """What it is for, in a sentence."""
        return self.about.partition("\n")[0].partition(". ")[0].removesuffix(".") + "."


class Group(msgspec.Struct, frozen=True):
    """Kinds of which one is written in the same place."""

    title: str
    about: str
    kinds: tuple[Shape, ...]


def groups() -> tuple[Group, ...]:
    """All kinds, in the order in which somebody meets them."""
    return (
        Group("Rules and segments", "What stands in the file.", (_plain("rule", Rule), _plain("segment", Segment))),
        Group(
            "Conditions",
            "`when` of a rule or segment is one of these; without it, a rule is for everybody.",
            tuple(_tagged(one, examples.CONDITIONS) for one in get_args(conditions.AnyCondition)),
        ),
        Group(
            "Effects",
            "`then` of a rule is a list of these.",
            tuple(_tagged(one, examples.EFFECTS) for one in get_args(effects.AnyEffect)),
        ),
        Group(
            "Rollouts",
            "`rollout` of a rule makes it one for a part of the users or installs, which grows.",
            (_plain("rollout", Rollout), _plain("stage", Stage), _plain("guard", Guard)),
        ),
    )


def _plain(name: str, kind: type[msgspec.Struct]) -> Shape:
    whole = {"rule": examples.RULE, "segment": examples.SEGMENT}
    example = whole[name] if name in whole else f"rollout = {examples.ROLLOUTS[name]}\n"
    written = {"rule": "[[rules]]", "segment": "[[segments]]", "stage": "stages = [{ … }]"}.get(
        name, f"{name} = {{ … }}"
    )
    return Shape(name, written, _about(kind), tuple(_fields(kind)), example)


def _tagged(kind: type[msgspec.Struct], written: Any) -> Shape:  # noqa: ANN401 - a table of examples
    config = kind.__struct_config__
    tag = str(config.tag)
    field = "then = [{}]" if config.tag_field == "do" else "when = {}"
    name = f'{config.tag_field} = "{tag}"'
    return Shape(tag, name, _about(kind), tuple(_fields(kind)), field.format(written[tag]) + "\n")


def _about(kind: type) -> str:
    """What the class says of itself: a paragraph a line."""
    paragraphs = cleandoc(kind.__doc__ or "").split("\n\n")
    return _DECISION.sub("", "\n".join(" ".join(one.split()) for one in paragraphs))


def _fields(kind: type[msgspec.Struct]) -> Iterator[Field]:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    for field in found.fields:
        yield Field(field.encode_name, _value(field.type), field.required, _default(field.default))


def _default(value: object) -> str:
    if value in (msgspec.NODEFAULT, None, "", ()):
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _value(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType(types=types):
            several = [one for one in types if not isinstance(one, inspect.NoneType)]
            return _value(several[0]) if len(several) == 1 else _record(several[0])
        case inspect.StructType():
            return _record(kind)
        case inspect.VarTupleType(item_type=item, max_length=most):
            return f"a list of at most {most:,}, each {_value(item)}"
        case inspect.EnumType(cls=cls):
            return _words(cls)
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(in_order(values))}"
        case inspect.IntType(ge=least, le=most):
            return f"a whole number, {least:,} to {most:,}"
        case inspect.FloatType(ge=least, le=most):
            return f"a number, {least:,} to {most:,}"
        case inspect.StrType(max_length=most):
            return "a text" if most is None else f"a text of at most {most:,} characters"
        case _:
            return _SCALARS[type(kind)]


def _record(kind: inspect.Type) -> str:
    """What stands for a record of its own, which the page tells of elsewhere."""
    assert isinstance(kind, inspect.StructType)
    return {"if": "a condition", "do": "an effect"}.get(kind.tag_field or "", f"a {kind.cls.__name__.lower()}")


def _words(kind: type[Enum]) -> str:
    return f"one of {', '.join(str(one.value) for one in kind)}. {_about(kind)}"
