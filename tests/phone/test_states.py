"""The table of states: what is in it, and what is not."""

from __future__ import annotations

import pytest

from offhook.phone import states
from offhook.phone.states import STARTS, TRANSITIONS, State, move


def test_every_way_of_the_table_can_be_gone() -> None:
    """And only those: any other is a bug, which an assertion finds."""
    ways = {(one.origin, one.target) for one in TRANSITIONS}
    for origin in State:
        for target in State:
            if origin is target or (origin, target) in ways:
                assert move(origin, target) is target
            else:
                with pytest.raises(AssertionError, match="there is no way from"):
                    move(origin, target)


def test_every_state_can_be_reached_and_left() -> None:
    """From where a phone may start, and back to being signed out."""
    reached = set(STARTS)
    for _ in State:
        reached |= {one.target for one in TRANSITIONS if one.origin in reached}

    assert reached == set(State)
    assert {one.origin for one in TRANSITIONS} == set(State)


def test_the_picture_is_the_table() -> None:
    """One arrow for each way."""
    drawn = states.diagram()

    assert drawn.count("-->") == len(TRANSITIONS) + len(STARTS)
    assert "    running --> reprovisioning: a check is due, or the button is pressed" in drawn
