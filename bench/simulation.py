"""How much virtual time the simulation gets through in a second of one core, server and phones together.

The bound is measured with phones that ask for everything within 24 hours, as the documents have it by default. Two
other plans are told beside it: phones that ask for their account twice a day, and such that ask every hour, as our
provider service tells them to by itself; a day is then mostly questions answered with 304.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tests.simulation.administrators import Intervals
from tests.simulation.clock import DAY_S, HOUR_S
from tests.simulation.world import Plan, Summary, simulate

WANTED_S: Final = 10.0
PLAN: Final = Plan(
    seed=1,
    phones=200,
    days=30,
    faults=1.0,
    deeds_per_day=0.5,
    administration_per_day=4,
    intervals=Intervals(account=DAY_S, common=DAY_S, portal=DAY_S),
)
TWICE_A_DAY: Final = msgspec.structs.replace(PLAN, intervals=Intervals(account=12 * HOUR_S, common=DAY_S, portal=DAY_S))
HOURLY: Final = msgspec.structs.replace(PLAN, days=3, intervals=Intervals(account=HOUR_S, common=HOUR_S, portal=DAY_S))


def run() -> dict[str, object]:
    """The numbers of all plans; `share_of_bound` is at least 1 when the first was quick enough."""
    summary = simulate(PLAN)
    return {
        "phones": PLAN.phones,
        "days": PLAN.days,
        **_numbers(summary),
        "share_of_bound": round(WANTED_S / summary.took_s, 2),
        "twice_a_day": {"phones": TWICE_A_DAY.phones, "days": TWICE_A_DAY.days, **_numbers(simulate(TWICE_A_DAY))},
        "hourly": {"phones": HOURLY.phones, "days": HOURLY.days, **_numbers(simulate(HOURLY))},
    }


def _numbers(summary: Summary) -> dict[str, object]:
    plan = summary.plan
    return {
        "account_interval_s": plan.intervals.account,
        "common_interval_s": plan.intervals.common,
        "portal_interval_s": plan.intervals.portal,
        "cpu_s": round(summary.took_s, 2),
        "questions": summary.asked,
        "cpu_us_per_question": round(1e6 * summary.took_s / summary.asked),
        "phone_days_per_cpu_s": round(plan.phones * plan.days / summary.took_s),
    }
