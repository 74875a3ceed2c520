"""Runs one seed and tells what happened, or new seeds for as long as asked: `python -m tests.simulation --help`."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from tests.simulation.finding import Finding
from tests.simulation.world import Plan, simulate


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="what all chance comes from; a new one when it is left out")
    parser.add_argument("--phones", type=int, default=40, help="how many phones (%(default)s)")
    parser.add_argument("--days", type=float, default=10.0, help="how many virtual days (%(default)s)")
    parser.add_argument("--faults", type=float, default=1.0, help="how bad it gets: 0 nothing fails (%(default)s)")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="run new seeds for as long as this")
    given = parser.parse_args(arguments)
    first = given.seed if given.seed is not None else time.time_ns() // 1000 % 1_000_000_000
    end_s = time.monotonic() + (given.soak or 0)
    seed = first
    while True:
        if not run(Plan(seed, phones=given.phones, days=given.days, faults=given.faults)):
            return 1
        seed += 1
        if time.monotonic() >= end_s:
            sys.stdout.write(f"{seed - first} seeds, no finding\n")
            return 0


def run(plan: Plan) -> bool:
    """Run one plan; False when something was found."""
    try:
        summary = simulate(plan)
    except Finding as finding:
        if finding.__cause__ is not None:
            traceback.print_exception(finding.__cause__)
        sys.stdout.write(f"seed {plan.seed}: {finding}\n{''.join(finding.__notes__)}\n")
        return False
    sys.stdout.write(f"{summary}\n")
    sys.stdout.flush()
    return True


if __name__ == "__main__":
    sys.exit(main())
