"""Expressions: the traps of the library they run on, and that nobody can keep the server busy with one."""

from __future__ import annotations

import time

import msgspec
import pytest

from offhook.core.errors import Invalid
from offhook.policy import cel, document
from offhook.policy.conditions import Expression
from offhook.policy.effects import SetKey
from offhook.policy.evaluate import Compiled
from offhook.policy.rules import Policy, Rule
from offhook.policy.subject import Subject

ANN = Subject("ann", "ann", 1_795_000_000, attributes={"tier": "gold"}, groups=frozenset({"sales"}))


def rule(identity: str, text: str) -> Rule:
    return Rule(identity, when=Expression(text), effects=(SetKey("X-a", "1"),))


def test_an_error_of_an_expression_is_not_true() -> None:
    """The library's value of an error is a text, which counts as true wherever it is looked at naively."""
    program = cel.compile('user.missing == "gold"')

    naive = program.expression.eval(cel.activate(ANN).variables).plain_value()

    assert naive
    assert cel.evaluate(program, cel.activate(ANN))[0] is None


def test_an_expression_that_runs_too_long_is_ended() -> None:
    """The library stops counting; the rule does not match, and the trace says so."""
    crowd = msgspec.structs.replace(ANN, groups=frozenset(f"group {number}" for number in range(20_000)))
    compiled = Compiled(Policy(rules=(rule("one", 'groups.all(g, g != "x")'),)))

    (trace,) = compiled.trace(crowd)

    assert trace.matched is None
    assert "budget" in trace.reason


def test_an_expression_cannot_keep_the_server_busy() -> None:
    """The worst that a thousand characters can do to the longest texts takes well under a second."""
    copied = "+".join(["user.t"] * 28)
    program = cel.compile(f"[{'1,' * 350}1].all(x, ({copied}).size() > x)")
    large = msgspec.structs.replace(ANN, attributes={"t": "x" * cel.MAX_ATTRIBUTE, "u": "x" * (cel.MAX_ATTRIBUTE + 1)})

    started = time.process_time()
    truth = cel.evaluate(program, cel.activate(large))[0]

    assert truth is True
    assert time.process_time() - started < 1
    assert cel.evaluate(cel.compile("has(user.u)"), cel.activate(large))[0] is False


def test_all_expressions_together_have_a_budget() -> None:
    """What one may cost, a thousand may not; those that come too late are not known, and the trace says why."""
    several = [
        rule(f"r{number}", f"groups.all(a, !((a + '-') in groups)) || installs < {number}") for number in range(100)
    ]
    crowd = msgspec.structs.replace(ANN, groups=frozenset(f"group {number}" for number in range(100)))
    compiled = Compiled(Policy(rules=tuple(several)))

    matched = [trace.matched for trace in compiled.trace(crowd)]

    assert 10 < matched.count(True) < 30
    assert set(matched) == {True, None}
    assert "it costs too much" in [*compiled.trace(crowd)][-1].reason
    assert {trace.matched for trace in compiled.trace(ANN)} == {True}


@pytest.mark.parametrize(
    "text",
    [
        "groups.all(a, groups.all(b, a + b != 'q'))",
        "groups.//\nall(a, groups.//\nall(b, a + b != 'q'))",
        "[groups.map(a, a)].exists(b, 'x' in b)",
        "{'a': groups.exists(a, a == ''), 'b': user.exists(a, a == '')}.size() > 1",
    ],
)
def test_a_loop_is_found_wherever_it_stands(text: str) -> None:
    """They are counted in what was parsed: a comment hides none, and a text that looks like one is none."""
    with pytest.raises(Invalid, match="more than one of all"):
        cel.compile(text)

    assert cel.compile("user.a == '.all(.all(' && groups.all(a, a != '.map(')").cost.loops == 1


def test_the_cost_is_counted_by_what_is_evaluated() -> None:
    """Once or for each element, looking through lists, growing texts, and lists that are written out."""
    costs = {
        text: cel.compile(text).cost.units(100, 1024)
        for text in ("installs == 1", "'a' in groups", "groups.all(a, a != '')", "groups.all(a, a in groups)")
    }

    assert sorted(costs, key=lambda one: costs[one]) == [*costs]
    assert costs["installs == 1"] == 3
    assert costs["groups.all(a, a in groups)"] > 100 * 100
    assert cel.compile("[1.5, 2.5, 3.5].exists(a, a == 1.5) && has(user.a)").cost.listed == 3
    assert cel.compile("user.a + user.a != ''").cost.units(1, 8192) > cel.compile("user.a != ''").cost.units(1, 8192)


def test_texts_that_are_no_unicode_match_nothing() -> None:
    """What cannot be handed to an expression is not known; the answer still comes."""
    odd = msgspec.structs.replace(ANN, attributes={"tier": "\ud800"})
    compiled = Compiled(Policy(rules=(rule("one", 'user.tier == "gold"'), Rule("two", effects=(SetKey("X-b", "1"),)))))

    assert [trace.matched for trace in compiled.trace(odd)] == [None, True]
    assert [*compiled.resolve(odd).settings] == ["X-b"]


def test_an_expression_has_a_length() -> None:
    """Also where it does not come from a file."""
    with pytest.raises(Invalid, match="at most 1,000"):
        cel.compile("installs == 1 || " * 70 + "true")


def test_an_expression_is_read_once() -> None:
    """Two conditions with the same text share what was compiled."""
    assert cel.compile("installs == 1") is cel.compile("installs == 1")


@pytest.mark.parametrize("text", ["user.myPin == '55551'", "user['myPin'] == '55551'", "has(user . password)"])
def test_no_expression_reads_a_secret(text: str) -> None:
    """As no condition on an attribute does: what it compares with would be one in the clear."""
    with pytest.raises(Invalid, match="is a secret, and no rule can read one"):
        document.parse(f'[[rules]]\nid = "a"\nwhen = {{ if = "expression", cel = """{text}""" }}')
