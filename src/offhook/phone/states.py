"""The states of a phone and the ways between them, as one table; the page in the docs is drawn from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class State(StrEnum):
    """What a phone is doing, in the words that are shown."""

    SIGNED_OUT = "signed out"
    PROVISIONING = "provisioning"
    RUNNING = "running"
    REPROVISIONING = "re-provisioning"
    WAITING = "waiting for a safe moment"
    LOGGING_OUT = "logging out"


class Transition(msgspec.Struct, frozen=True):
    """One way from a state to another, and when it is gone."""

    origin: State
    target: State
    when: str


TRANSITIONS: Final = (
    Transition(State.SIGNED_OUT, State.PROVISIONING, "somebody signs in"),
    Transition(State.PROVISIONING, State.RUNNING, "every service answered, all is saved"),
    Transition(State.PROVISIONING, State.SIGNED_OUT, "a service refused or failed, nothing is saved"),
    Transition(State.RUNNING, State.REPROVISIONING, "a check is due, or the button is pressed"),
    Transition(State.RUNNING, State.WAITING, "the user signs out during a call"),
    Transition(State.RUNNING, State.LOGGING_OUT, "the user signs out"),
    Transition(State.REPROVISIONING, State.RUNNING, "nothing new, a failure, or the news is applied"),
    Transition(State.REPROVISIONING, State.WAITING, "news while Settings is open or a call is in progress"),
    Transition(State.REPROVISIONING, State.LOGGING_OUT, "the logout status, and no call is in progress"),
    Transition(State.WAITING, State.REPROVISIONING, "the next check is due: the newest wins"),
    Transition(State.WAITING, State.RUNNING, "Settings is closed and no call is left: the news is applied"),
    Transition(State.WAITING, State.LOGGING_OUT, "the last call has ended"),
    Transition(State.LOGGING_OUT, State.WAITING, "a call begins while the disk delays the logout"),
    Transition(State.LOGGING_OUT, State.SIGNED_OUT, "un-registered, reported, backed up, erased"),
)
# Where a phone may find itself when it starts: what the vault says.
STARTS: Final = (State.SIGNED_OUT, State.RUNNING, State.LOGGING_OUT)

_WAYS: Final = frozenset((one.origin, one.target) for one in TRANSITIONS)


def move(origin: State, target: State) -> State:
    """Go from one state to another; staying is no move. A way that is not in the table is a bug."""
    assert origin is target or (origin, target) in _WAYS, f"there is no way from {origin.value} to {target.value}"
    return target


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    lines += [f"    {_id(state)}: {state.value}" for state in State]
    lines += [f"    [*] --> {_id(state)}" for state in STARTS]
    lines += [f"    {_id(one.origin)} --> {_id(one.target)}: {one.when}" for one in TRANSITIONS]
    return "\n".join(lines)


def _id(state: State) -> str:
    return state.name.lower()
