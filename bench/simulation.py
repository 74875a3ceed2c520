"""How much virtual time the simulation gets through in a second of one core, server and phones together."""

from __future__ import annotations

from tests.simulation.administrators import Intervals
from tests.simulation.clock import DAY_S, HOUR_S
from tests.simulation.world import Plan, simulate

WANTED_S = 10.0
PLAN = Plan(
    seed=1,
    phones=200,
    days=30,
    faults=1.0,
    deeds_per_day=0.5,
    administration_per_day=4,
    intervals=Intervals(account=12 * HOUR_S, common=DAY_S, portal=DAY_S),
)


def run() -> dict[str, object]:
    """The numbers of one plan; `share_of_bound` is at least 1 when it was quick enough."""
    summary = simulate(PLAN)
    return {
        "phones": PLAN.phones,
        "days": PLAN.days,
        "account_interval_s": PLAN.intervals.account,
        "common_interval_s": PLAN.intervals.common,
        "portal_interval_s": PLAN.intervals.portal,
        "cpu_s": round(summary.took_s, 2),
        "questions": summary.asked,
        "phone_days_per_cpu_s": round(PLAN.phones * PLAN.days / summary.took_s),
        "share_of_bound": round(WANTED_S / summary.took_s, 2),
    }
