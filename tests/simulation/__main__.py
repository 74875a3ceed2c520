"""Runs one seed and tells what happened, or new seeds for as long as asked: `python -m tests.simulation --help`."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from typing import Final

import msgspec

from tests.simulation.administrators import Intervals
from tests.simulation.finding import Finding
from tests.simulation.world import Plan, simulate

OPTIONS: Final = {
    "phones": (int, "how many phones"),
    "days": (float, "how many virtual days"),
    "faults": (float, "how bad it gets: 0 nothing fails"),
    "tenants": (int, "how many Cloud IDs the phones are of"),
    "deeds_per_day": (float, "how much the user of a phone does"),
    "administration_per_day": (float, "how much the administrators do"),
    "policies": (float, "how often a day somebody changes the rules of who gets what: 0 there are none"),
}


def options() -> argparse.ArgumentParser:
    """What the command understands."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="what all chance comes from; a new one when it is left out")
    for name, (kind, words) in OPTIONS.items():
        usual = getattr(Plan(0), name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=usual, help=f"{words} (%(default)s)")
    names = ("ACCOUNT", "GLOBAL", "PORTAL")
    parser.add_argument("--intervals", type=int, nargs=3, metavar=names, help="seconds between two questions for each")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="run new seeds for as long as this")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 when something was found."""
    given = options().parse_args(arguments)
    first = given.seed if given.seed is not None else time.time_ns() // 1000 % 1_000_000_000
    end_s = time.monotonic() + (given.soak or 0)
    seed = first
    while True:
        if not run(msgspec.structs.replace(plan_of(given), seed=seed)):
            return 1
        seed += 1
        if time.monotonic() >= end_s:
            sys.stdout.write(f"{seed - first} seeds, no finding\n")
            return 0


def plan_of(given: argparse.Namespace) -> Plan:
    """The plan that the options describe."""
    intervals = Intervals(*given.intervals) if given.intervals else Intervals()
    return Plan(given.seed or 0, **{name: getattr(given, name) for name in OPTIONS}, intervals=intervals)


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
