"""Words of rules that nobody has are told of, with what may have been meant."""

from __future__ import annotations

import pytest

from offhook.policy import document
from offhook.provider.change import NOBODY
from offhook.provider.circumstances import Circumstances
from offhook.provider.population import Member, Phone
from offhook.provider.subscriber import Subscriber
from offhook.provider.vocabulary import Vocabulary

ANN = Subscriber("EXAMPLE", "ann", NOBODY, attributes={"tier": "gold", "groups": "sales, support", "city": ""})
MEMBERS: list[Member] = [(ANN, [Phone("1", circumstances=Circumstances(platform="TizenOS"))])]


def rules(when: str, key: str = "X-a") -> str:
    return f'[[rules]]\nid = "one"\nwhen = {when}\nthen = [{{ do = "set", key = "{key}", value = "1" }}]\n'


def hints(when: str, members: list[Member] = MEMBERS, live: str = "") -> list[str]:
    vocabulary = Vocabulary(document.parse(live) if live else None, document.parse(rules(when)))
    assert list(vocabulary.heard(members)) == members
    return [str(one) for one in vocabulary.remarks()]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('{ if = "attribute", name = "teir", is = "gold" }', "no user has the attribute teir; did you mean tier?"),
        ('{ if = "attribute", name = "city", is = "Praha" }', "no user has the attribute city"),
        ('{ if = "attribute", name = "tier", is = "Gold" }', "no user's tier is Gold; did you mean gold?"),
        ('{ if = "attribute", name = "tier", one_of = ["gold", "lead"] }', "no user's tier is lead"),
        ('{ if = "attribute", name = "tier", is_not = "golden" }', "no user's tier is golden; did you mean gold?"),
        ('{ if = "attribute", name = "tier", begins_with = "s" }', "no user's tier begins with s"),
        ('{ if = "in_group", group = "sails" }', "no user is in group sails; did you mean sales?"),
        (
            '{ if = "platform", one_of = ["iphone"] }',
            "no phone is known to run on iphone; they say android, ios, linux, macos or one of 2 others",
        ),
        ('{ if = "not", of = { if = "attribute", name = "x", exists = true } }', "no user has the attribute x"),
    ],
)
def test_a_word_that_nobody_has(when: str, said: str) -> None:
    """It is named with the rule that asks for it."""
    assert hints(when) == [f"rule one: {said}"]


@pytest.mark.parametrize(
    "when",
    [
        '{ if = "attribute", name = "tier", is = "gold" }',
        '{ if = "attribute", name = "tier", begins_with = "go" }',
        '{ if = "attribute", name = "nobody", exists = false }',
        '{ if = "in_group", group = "support" }',
        '{ if = "platform", one_of = ["iOS", "tizenos"] }',
        '{ if = "locale", one_of = ["cs"] }',
    ],
)
def test_of_words_that_somebody_has_nothing_is_said(when: str) -> None:
    """Nor of what is not known of all."""
    assert hints(when) == []


def test_where_there_is_nobody_nothing_is_said() -> None:
    """A policy may be there before its users."""
    assert hints('{ if = "in_group", group = "sails" }', members=[]) == []


def test_what_is_live_already_is_not_told_again() -> None:
    """Only rules that differ are looked at."""
    when = '{ if = "in_group", group = "sails" }'

    assert hints(when, live=rules(when)) == []
    assert hints(when, live=rules(when, "X-b")) != []
