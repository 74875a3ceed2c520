"""Rules that decide nothing, or for everybody, are told of before they are published."""

from __future__ import annotations

import pytest

from offhook.policy import document
from offhook.provider.idle import remarks
from tests.world_provider import NOON_S

SET = 'then = [{ do = "set", key = "X-a", value = "1" }]\n'
OVER = '{ if = "during", until = 2020-01-01T00:00:00Z }'
HOURS = '{ if = "during", days = ["mon"], zone = "UTC" }'
SALES = '{ if = "in_group", group = "sales" }'
ABOVE = f'[[rules]]\nid = "above"\n{SET}'


def said(rules: str) -> list[str]:
    return [str(one) for one in remarks(document.parse(rules), NOON_S)]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("", "decides nothing: `then` is missing or empty"),
        (f"when = {OVER}\n{SET}", "is over since 2020-01-01 00:00 UTC, and decides nothing any more"),
        (f'when = {{ if = "all", of = [{SALES}, {OVER}] }}\n{SET}', "and decides nothing any more"),
        (f"when = {HOURS}\n{SET}", "begins and ends by the clock; each phone gets that when it next asks"),
        (f"rollout = {{ percent = 0 }}\n{SET}", "is for nobody: its percent is 0"),
        (f"rollout = {{ percent = 0.1 }}\n{SET}", "is for 0.1%, one of 1,000; if a share of 0.1 is meant, write 10"),
        ('then = [{ do = "refuse", message = "No." }]\n', "refuses everybody: nobody can sign in"),
        ('then = [{ do = "log_out", message = "No." }]\n', "logs everybody out"),
    ],
)
def test_a_rule_is_told_of(body: str, wanted: str) -> None:
    """With its id, and why."""
    (found,) = said(f'[[rules]]\nid = "one"\n{body}')

    assert found.startswith("rule one: ")
    assert wanted in found


@pytest.mark.parametrize("when", ["", f"when = {SALES}\n"])
def test_a_rule_below_one_for_all_of_its_users_decides_nothing(when: str) -> None:
    """It stands below one that is for everybody, or for the same users, and decides the same."""
    (found,) = said(f'[[rules]]\nid = "above"\n{when}{SET}[[rules]]\nid = "below"\nwhen = {SALES}\n{SET}')

    assert found.startswith("rule below: decides nothing: rule above stands above it")


@pytest.mark.parametrize(
    "rules",
    [
        f'{ABOVE.replace("X-a", "X-b")}[[rules]]\nid = "below"\n{SET}',
        f'{ABOVE}rollout = {{ percent = 10 }}\n[[rules]]\nid = "below"\n{SET}',
        f'{ABOVE}enabled = false\n[[rules]]\nid = "below"\n{SET}',
        f'{ABOVE}when = {SALES}\n[[rules]]\nid = "below"\n{SET}',
        '[[rules]]\nid = "rests"\npaused = "no sound"\n',
        f'[[rules]]\nid = "some"\nwhen = {SALES}\nthen = [{{ do = "refuse", message = "No." }}]\n',
    ],
)
def test_of_others_nothing_is_said(rules: str) -> None:
    """They decide something of their own for somebody, or rest."""
    assert said(rules) == []
