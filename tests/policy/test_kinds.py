"""What the reference page and `policy kinds` say of a policy is what a policy can hold."""

from __future__ import annotations

from typing import get_args

import pytest

from offhook.core.errors import Invalid
from offhook.policy import cel, document, examples, kinds
from offhook.policy.conditions import AnyCondition
from offhook.policy.effects import AnyEffect
from offhook.policy.kinds import Shape

KINDS = [kind for group in kinds.groups() for kind in group.kinds]
CEL = {*examples.FUNCTIONS.values()}


def file_of(kind: Shape) -> str:
    """The example as a whole file; what it needs beside it is there."""
    if kind.example.startswith("[[rules]]"):
        return kind.example
    if kind.example.startswith("[[segments]]"):
        return kind.example
    return f'{examples.SEGMENT}\n[[rules]]\nid = "example"\n{kind.example}'


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_an_example_can_be_published(kind: Shape) -> None:
    """Each is read without a fault, holds the kind, and is written and read again."""
    policy = document.parse(file_of(kind))

    assert document.parse(document.dumps(policy)) == policy
    assert kind.name in str(policy) or kind.written.partition(" ")[0] in kind.example or kind.written in kind.example
    assert kind.short.endswith(".")


def test_every_kind_is_told_of() -> None:
    """Each member of the unions, and each field, by the name by which it is written."""
    tags = {str(one.__struct_config__.tag) for union in (AnyCondition, AnyEffect) for one in get_args(union)}
    names = {kind.name: {field.name for field in kind.fields} for kind in KINDS}

    assert tags <= {*names}
    assert {*examples.CONDITIONS, *examples.EFFECTS} == tags
    assert {"from", "to", "zone", "days"} <= names["during"]
    assert {"is", "one_of"} <= names["attribute"]


@pytest.mark.parametrize("text", sorted(CEL))
def test_an_expression_of_the_page_is_one(text: str) -> None:
    """It is compiled."""
    cel.compile(text)


def test_all_that_expressions_read_is_told_of() -> None:
    """By the names that the language has, and no others."""
    assert {*examples.VARIABLES} == {*cel.VARIABLES}


def test_faults_of_one_condition_come_together() -> None:
    """Days, times and zone are told of at once, with what was meant, in the order of a week."""
    when = '{ if = "during", days = ["monday", "dies"], from = "8:00", to = "25:00", zone = "Prague" }'

    with pytest.raises(Invalid) as caught:
        document.parse(f'[[rules]]\nid = "one"\nwhen = {when}\n')

    assert [str(fault).removeprefix("rules[1] one, when, ") for fault in caught.value.faults] == [
        'days[1]: is "monday"; did you mean mon?',
        'days[2]: is "dies"; there are mon, tue, wed, thu, fri, sat, sun',
        'from: "8:00" is no time of the day, such as 08:30',
        'to: "25:00" is no time of the day, such as 08:30',
        'zone: "Prague" is no time zone, such as Europe/Prague',
    ]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('{ if = "platform", is = "ios" }', 'has "is", which means nothing here; did you mean one_of?'),
        ('{ if = "in_group", name = "x" }', 'has "name", which means nothing here; there is only group'),
        ('{ if = "in_group", grup = "x" }', 'has "grup", which means nothing here; did you mean group?'),
    ],
)
def test_what_was_meant_is_said(when: str, said: str) -> None:
    """Also where another kind calls it otherwise."""
    with pytest.raises(Invalid) as caught:
        document.parse(f'[[rules]]\nid = "one"\nwhen = {when}\n')

    assert said in caught.value.text
