"""A fixed set of seeds, in which all that has to be true is true, and enough happens for that to mean something."""

from __future__ import annotations

import msgspec
import pytest

from tests.simulation.__main__ import main, options, plan_of
from tests.simulation.administrators import Intervals
from tests.simulation.world import Plan, simulate


@pytest.mark.parametrize("seed", range(1, 7))
def test_what_has_to_be_true_is_true(seed: int) -> None:
    """Phones, people, administrators and faults of one seed break no invariant."""
    plan = Plan(seed, phones=12, days=6)

    summary = simulate(plan)

    assert summary.crashes > 3
    assert summary.logouts > 5
    assert {"/prov/again 200", "/prov/again 304", "/prov/again 410"} <= summary.answers.keys()


def test_what_rules_give_is_what_phones_have() -> None:
    """Rules come, go and grow; guards open stages and pause what fails, and no invariant breaks."""
    plan = Plan(0, phones=16, days=4, tenants=2, administration_per_day=4, policies=16)
    summaries = [simulate(msgspec.structs.replace(plan, seed=seed)) for seed in (8002, 8004)]

    done = {name: sum(one.policies[name] for one in summaries) for name in summaries[0].policies}
    assert min(done[name] for name in ("rules paused", "stages opened", "withdraw", "restore")) > 0


def test_databases_fail_in_the_simulation() -> None:
    """Among the faults are those that the server answers with 503; one seed of several is sure to have them."""
    summaries = [simulate(Plan(seed, phones=4, days=4)) for seed in range(4, 10)]

    assert sum(summary.answers.get("/prov/again 503", 0) for summary in summaries) > 0


def test_a_seed_is_replayed() -> None:
    """Two runs of one seed are the same, event for event."""
    plan = Plan(99, phones=6, days=4)

    first, second = simulate(plan), simulate(plan)

    assert (first.happened, first.asked, first.answers) == (second.happened, second.asked, second.answers)


def test_the_command_of_a_plan_is_that_plan() -> None:
    """Whatever it says, also where it differs from what is usual."""
    plan = Plan(7, phones=2, days=0.5, faults=0.25, tenants=2, deeds_per_day=3, administration_per_day=9)
    plan = msgspec.structs.replace(plan, intervals=Intervals(60, 120, 600))

    played = [plan_of(options().parse_args(one.command().split()[3:])) for one in (plan, Plan(8))]

    assert played == [plan, Plan(8)]


def test_the_command_runs_a_seed(capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what happened, and that nothing was found."""
    status = main(["--seed", "3", "--phones", "4", "--days", "2"])

    said = capsys.readouterr().out
    assert status == 0
    assert "seed 3: 4 phones for 2 days" in said
    assert "1 seeds, no finding" in said
