"""A saga: what is made for one user in several systems, step by step, so that it is whole in the end or not there.

What it is about to do is stored before it acts, and what came of it afterwards. So whoever resumes it knows which step
may have happened, and asks for that one again with the same operation key. This module only computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec


class Enter(msgspec.Struct, frozen=True, tag="enter"):
    """The user is there, but is not let in yet. Undone, they are forgotten."""


class TakeNumber(msgspec.Struct, frozen=True, tag="number"):
    """A number of a pool is the user's, given as the attribute of that name. Undone, it goes back."""

    pool: str
    attribute: str = "number"


class MakeSip(msgspec.Struct, frozen=True, tag="sip"):
    """The SIP account of the user, or of the install that the saga is for. Undone, it is removed."""


class CallHook(msgspec.Struct, frozen=True, tag="hook"):
    """A hook has done its part, and given attributes. Undone, it has taken it back."""

    name: str


class Activate(msgspec.Struct, frozen=True, tag="activate"):
    """The user has the attributes that were given on the way, and may come in. There is nothing to undo."""


AnyStep: TypeAlias = Enter | TakeNumber | MakeSip | CallHook | Activate


class Stage(StrEnum):
    """Where a saga is going, or how it ended."""

    FORWARD = "forward"
    BACKWARD = "backward"
    DONE = "done"
    UNDONE = "undone"


class Patience(msgspec.Struct, frozen=True):
    """How long a saga tries to get on before it turns back, in seconds and in tries: both have to be used up.

    So a server that was switched off for a day does not turn back at its first try. On its way back it never gives up.
    """

    for_s: int = 3600
    tries: int = 5
    first_s: int = 1
    most_s: int = 300

    def wait_s(self, tries: int) -> int:
        """How long to wait after so many tries in a row that came to nothing."""
        return min(self.first_s << min(tries - 1, 20), self.most_s)


USUAL: Final = Patience()


class Saga(msgspec.Struct, frozen=True):
    """One saga of one user, and of one of their installs when it names one.

    `position` is how many steps count as done; `started` says that the next one, on its way forward or back, may have
    happened already. `tries` are those of this step that came to nothing, the last one for the reason `error`.
    `refusal` is the text for the person, when somebody said no for good. `given` are attributes from earlier steps.
    """

    id: str
    cloud_id: str
    subscriber_id: int
    username: str
    steps: tuple[AnyStep, ...]
    install_id: str = ""
    position: int = 0
    stage: Stage = Stage.FORWARD
    started: bool = False
    tries: int = 0
    began_s: int = 0
    next_s: int = 0
    ended_s: int = 0
    error: str = ""
    refusal: str = ""
    given: Mapping[str, str] = {}

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done or undone."""
        return self.stage in {Stage.DONE, Stage.UNDONE}

    @property
    def step(self) -> AnyStep:
        """What is to be done, or undone, next."""
        return self.steps[self.position if self.stage is Stage.FORWARD else self.position - 1]

    @property
    def key(self) -> str:
        """The operation key of that: the same whenever it is asked for again, and never that of anything else."""
        if self.stage is Stage.FORWARD:
            return f"{self.id}:{self.position}"
        return f"{self.id}:{self.position - 1}:undo"


def to_make(  # noqa: PLR0917 - as the record
    saga_id: str,
    cloud_id: str,
    subscriber_id: int,
    username: str,
    steps: Sequence[AnyStep],
    now_s: int,
    install_id: str = "",
) -> Saga:
    """A saga that goes forward through its steps."""
    return _over(
        Saga(saga_id, cloud_id, subscriber_id, username, tuple(steps), install_id, began_s=now_s, next_s=now_s), now_s
    )


def to_remove(made: Saga, saga_id: str, now_s: int) -> Saga:
    """A saga that undoes what an earlier one, with these steps, has made."""
    blank = to_make(saga_id, made.cloud_id, made.subscriber_id, made.username, made.steps, now_s, made.install_id)
    back = msgspec.structs.replace(blank, position=len(made.steps), stage=Stage.BACKWARD, given=made.given)
    return _over(back, now_s)


def to_take_back(saga: Saga, saga_id: str, now_s: int) -> Saga:
    """A saga that undoes the step that this one is at, once more and with a key of its own.

    It is beside those of the user and of their installs, which may be under way.
    """
    alone = msgspec.structs.replace(saga, steps=(saga.step,), install_id=f"late-{saga_id}")
    return to_remove(alone, saga_id, now_s)


def started(saga: Saga) -> Saga:
    """About to act: stored before."""
    return msgspec.structs.replace(saga, started=True)


def succeeded(saga: Saga, now_s: int, given: Mapping[str, str] | None = None) -> Saga:
    """The step is done, or undone."""
    forward = saga.stage is Stage.FORWARD
    moved = msgspec.structs.replace(
        saga,
        position=saga.position + (1 if forward else -1),
        started=False,
        tries=0,
        next_s=now_s,
        error="",
        given={**saga.given, **(given or {})},
    )
    return _over(moved, now_s)


def refused(saga: Saga, text: str, now_s: int, patience: Patience = USUAL) -> Saga:
    """Somebody said no for good: the saga turns back. On its way back there is no such thing, so it tries again."""
    if saga.stage is Stage.BACKWARD:
        return unavailable(saga, text, now_s, patience)
    return turned(msgspec.structs.replace(saga, refusal=text), text, now_s)


def unavailable(saga: Saga, text: str, now_s: int, patience: Patience = USUAL, retry_after_s: int = 0) -> Saga:
    """Nobody knows whether it happened: it is asked for again later, unless there is no patience left."""
    tries = saga.tries + 1
    if saga.stage is Stage.FORWARD and tries >= patience.tries and now_s - saga.began_s >= patience.for_s:
        return turned(saga, text, now_s)
    wait_s = max(patience.wait_s(tries), min(retry_after_s, patience.most_s))
    return msgspec.structs.replace(saga, tries=tries, next_s=now_s + wait_s, error=text)


def turned(saga: Saga, why: str, now_s: int) -> Saga:
    """On the way back, beginning with the step that may have happened."""
    reached = saga.position + (1 if saga.started else 0)
    back = msgspec.structs.replace(
        saga, position=reached, stage=Stage.BACKWARD, started=False, tries=0, next_s=now_s, error=why
    )
    return _over(back, now_s)


def _over(saga: Saga, now_s: int) -> Saga:
    if saga.stage is Stage.FORWARD and saga.position == len(saga.steps):
        return msgspec.structs.replace(saga, stage=Stage.DONE, ended_s=now_s)
    if saga.stage is Stage.BACKWARD and saga.position == 0:
        return msgspec.structs.replace(saga, stage=Stage.UNDONE, ended_s=now_s)
    return saga
