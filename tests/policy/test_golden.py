"""The golden cases of the policy."""

from pathlib import Path

import pytest

from tests.policy.cases import DASHES, play

GOLDEN = sorted((Path(__file__).parent.parent / "golden" / "policy").rglob("*.txt"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_rules_and_who_gets_what(path: Path) -> None:
    """Each file holds rules and subjects, dashes, and the keys with their reasons."""
    case, _, expected = path.read_text(encoding="utf-8").partition(DASHES)

    answers = play(case)

    assert answers == expected


def test_there_are_enough_of_them() -> None:
    """Operators are shown every kind of condition and effect by at least one file."""

    assert len(GOLDEN) >= 60
