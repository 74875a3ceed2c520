"""What is always true of policies, one function for each sentence: it returns what was seen against it, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from tests.simulation.policyreading import CHECKED, Given

# A rollout is one whose phones fail when it is so many of them; then the others have to fail as well.
MOST: Final = 0.8
FEW: Final = 0.4


class Phones(NamedTuple):
    """Those of a rollout, all long enough ago for anybody to know."""

    treated: int
    troubled: int
    others: int
    missing: int


def the_answer_is_what_the_policy_says(said: Mapping[str, str], given: Given, status: int) -> str:
    """Each answer has of every key what the Live policy gives this user on this phone at this moment."""
    if given.verdict == "refuse":
        return f"it was answered {status}, and a rule refuses it"
    wrong = [key for key in CHECKED if said.get(key) != given.values.get(key)]
    return "; ".join(f"{key} is {said.get(key)!r} and should be {given.values.get(key)!r}" for key in wrong)


def a_phone_has_what_the_policy_gives(has: Mapping[str, str], was_said: Mapping[str, set[str]]) -> str:
    """A phone that can reach the server has what rules give it within its interval, also as hours and stages pass."""
    for key, values in was_said.items():
        if "?" not in values and has.get(key) not in values:
            return f"{key} is {has.get(key)!r} and should be {' or '.join(sorted(values))!r}"
    return ""


def a_rule_at_rest_is_gone(rule: str, value: str, has: Mapping[str, str], was_said: Mapping[str, set[str]]) -> str:
    """A paused or withdrawn rule is gone from every reachable phone within its interval.

    Gone is a rule when no answer has anything of it any more, and no phone has a value of it that anybody else sends
    something for: another rule, the template, or the rule that sends removed keys empty. What is not sent stays, and
    so do defaults that were given once.
    """
    for key, values in was_said.items():
        if "?" not in values and value not in values and has.get(key) == value:
            return f"{key} is still {value!r} of {rule}"
    return ""


def a_failing_rollout_pauses_before_its_next_stage(rule: str, phones: Phones, least: int) -> str:
    """A rollout whose phones fail pauses before its next stage."""
    if phones.treated < least or phones.troubled < MOST * phones.treated or phones.missing > FEW * phones.others:
        return ""
    return (
        f"the next stage of {rule} begins, and {phones.troubled} of {phones.treated} phones fail, "
        f"{phones.missing} of {phones.others} others"
    )
