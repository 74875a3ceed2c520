"""Users are made while servers are killed and systems fail: all of them are whole in the end, or not there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.world_onboarding import OnboardingWorld
from tests.world_provider import Provider

CRASHES = 1000
PARTS = 4


@pytest.mark.crash
@pytest.mark.parametrize("seed", range(PARTS))
def test_crashes_of_onboarding(tmp_path: Path, seed: int) -> None:
    """Of 1,000 crashes at random points none leaves anybody half made or anything over; the doctor finds nothing."""
    with closing(Provider(tmp_path, flushed=False)) as provider:
        world = OnboardingWorld(provider, seed)
        number = 0

        while world.killed < CRASHES // PARTS:
            batch = [f"{'unwanted' if world.dice.random() < 0.1 else 'user'}{number + index}" for index in range(8)]
            number += len(batch)
            world.trouble.by_dice(world.dice, killed=0.02, away=world.dice.choice([0, 0.05, 0.3]))
            for _ in range(5):
                for name in batch:
                    world.tries(name)
                world.goes_round()
                provider.clock.time_s += world.dice.choice([0, 1, 30, 200])
        world.recovers()

        assert list(world.faults()) == []
        assert len(world.told_yes) > number / 3
