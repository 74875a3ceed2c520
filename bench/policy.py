"""Rules: what one evaluation costs with 10 rules, one of them an expression, and with 1,000 of which most cannot match.

The baseline is the cost of 10 rules; the bound for them is absolute.
"""

from __future__ import annotations

import time
from typing import Any, Final

from offhook.policy.conditions import All, Expression
from offhook.policy.conditions import Any as AnyOf
from offhook.policy.during import During
from offhook.policy.effects import SetKey
from offhook.policy.evaluate import Compiled
from offhook.policy.facts import AppVersion, Attribute, InGroup, Platform
from offhook.policy.rollout import Rollout
from offhook.policy.rules import Policy, Rule
from offhook.policy.subject import Occasion, Subject

BOUND_US: Final = 60
BOUND_RATIO: Final = 3
ROUNDS: Final = 15
EACH: Final = 300
MANY: Final = 1000

SUBJECT: Final = Subject(
    "ann",
    "ann",
    1_795_000_000,
    attributes={"tier": "gold", "customer": "c0007", **{f"column{number}": f"value {number}" for number in range(22)}},
    groups=frozenset({"sales", "prague"}),
    platform="ios",
    app_version="9.1.3",
    os_version="17.2",
    locale="cs-CZ",
    installs=2,
    occasion=Occasion.AGAIN,
    network="198.51.100.7",
    install_id="AD4535EF902BB13",
)
TEN: Final = (
    Rule("gold", when=Attribute("tier", is_="gold"), effects=(SetKey("codecOrder", "9,8"),)),
    Rule("silver", when=Attribute("tier", is_="silver"), effects=(SetKey("codecOrder", "8"),)),
    Rule("sales", when=InGroup("sales"), effects=(SetKey("allowMessage", "1"),)),
    Rule("new", when=AppVersion(at_least="9.1"), effects=(SetKey("conferencingEnabled", "1"),)),
    Rule(
        "hours",
        when=During(days=("mon", "tue", "wed", "thu", "fri"), start="08:00", end="18:00", zone="Europe/Prague"),
        effects=(SetKey("X-hours", "office"),),
    ),
    Rule("tenth", rollout=Rollout(percent=10), effects=(SetKey("X-trial", "1"),)),
    Rule("all", when=All((Platform(("ios",)), Attribute("tier", is_="gold"))), effects=(SetKey("X-gold-ios", "1"),)),
    Rule("any", when=AnyOf((InGroup("board"), InGroup("prague"))), effects=(SetKey("X-prague", "1"),)),
    Rule("cel", when=Expression('user.tier == "gold" && installs < 3'), effects=(SetKey("X-few", "1"),)),
    Rule("everybody", effects=(SetKey("codecOrder", "0"), SetKey("X-everybody", "1"))),
)
CUSTOMERS: Final = tuple(
    Rule(
        f"customer-{number:04}",
        when=Attribute("customer", is_=f"c{number:04}"),
        effects=(SetKey("X-customer", str(number)),),
    )
    for number in range(MANY - len(TEN))
)


def run() -> dict[str, Any]:
    """Microseconds of CPU for one evaluation, its context included."""
    few, many = Compiled(Policy(rules=TEN)), Compiled(Policy(rules=(*CUSTOMERS, *TEN)))
    few_us, many_us = _in_turns(few, many)
    return {
        "10_rules_cpu_us": round(few_us, 1),
        "bound_microseconds": BOUND_US,
        "1000_rules_cpu_us": round(many_us, 1),
        "1000_to_10": round(many_us / few_us, 2),
        "bound_ratio": BOUND_RATIO,
    }


def _in_turns(*policies: Compiled) -> list[float]:
    """The best time of each, by turns, since the machine may have other things to do."""
    rounds = [[_spent_us(policy) for policy in policies] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def _spent_us(policy: Compiled) -> float:
    started = time.process_time()
    for _ in range(EACH):
        policy.resolve(SUBJECT)
    return (time.process_time() - started) / EACH * 1e6
