"""The golden cases of the policy."""

from pathlib import Path
from typing import get_args

import pytest

from offhook.policy.conditions import AnyCondition
from offhook.policy.effects import AnyEffect
from tests.policy.cases import DASHES, play

GOLDEN = sorted((Path(__file__).parent.parent / "golden" / "policy").rglob("*.txt"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_rules_and_who_gets_what(path: Path) -> None:
    """Each file holds rules and subjects, dashes, and the keys with their reasons."""
    case, _, expected = path.read_text(encoding="utf-8").partition(DASHES)

    answers = play(case)

    assert answers == expected


def test_every_kind_is_shown() -> None:
    """An operator finds each kind of condition and of effect in at least one file."""
    every = "".join(path.read_text(encoding="utf-8") for path in GOLDEN)

    kinds = [(kind, "if") for kind in get_args(AnyCondition)] + [(kind, "do") for kind in get_args(AnyEffect)]

    assert [kind for kind, field in kinds if f'{field} = "{kind.__struct_config__.tag}"' not in every] == []
