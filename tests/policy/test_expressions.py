"""Expressions: the traps of the library they run on, and that nobody can keep the server busy with one."""

from __future__ import annotations

import time

import msgspec
import pytest

from offhook.core.errors import Invalid
from offhook.policy import cel
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

    naive = program.eval(cel.activate(ANN)).plain_value()

    assert naive
    assert cel.holds(program, cel.activate(ANN)) is None


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
    truth = cel.holds(program, cel.activate(large))

    assert truth is True
    assert time.process_time() - started < 1
    assert cel.holds(cel.compile("has(user.u)"), cel.activate(large)) is False


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
