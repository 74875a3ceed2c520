"""`python -m bench [NAME...]`: run every benchmark of this folder, or those named; one line of JSON for each.

A benchmark is a module with a function `run` that gives its numbers by name.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import msgspec


def main(names: list[str]) -> int:
    """Run them in the order of their names; gives the exit code."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    if unknown := sorted({*names} - {*known}):
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    for name in names or known:
        numbers = importlib.import_module(f"bench.{name}").run()
        print(msgspec.json.encode({"bench": name, **numbers}).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
