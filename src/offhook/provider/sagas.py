"""Performs sagas: whoever has the lease of one does its steps through the ports, until it is over or has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import msgspec

from offhook.core.errors import Conflict, NotFound, Refused, Unavailable
from offhook.provider import saga as moves
from offhook.provider.ports import Chance, Clock
from offhook.provider.saga import USUAL, CallHook, Patience, Saga, Stage, TakeNumber
from offhook.provider.subscriber import Subscriber
from offhook.provider.together import Together
from offhook.provider.waiting import not_ready

# Longer than any one step may take, since every port has an end in time: two runners never do the same step at once.
LEASE_S: Final = 120
# Later than any of them is asked to wait.
FARTHEST_S: Final = 2 * USUAL.most_s
POLL_S: Final = 0.1
ID_BYTES: Final = 16
S_contra = TypeVar("S_contra", contravariant=True)
Aside: TypeAlias = Callable[..., Awaitable[Any]]


class Doer(Protocol[S_contra]):
    """Does one kind of step. It waits for other systems, so it belongs into a thread.

    Both methods may be asked again with the same key, and then change nothing more. To undo what was never done is
    right, too: nobody may know. They raise Unavailable when nobody knows whether it happened, and Refused for a no.
    """

    def do(self, saga: Saga, step: S_contra, key: str) -> Mapping[str, str]:
        """Do it, and return the attributes that it gave the user."""

    def undo(self, saga: Saga, step: S_contra, key: str) -> None:
        """Take it back."""


# One for each kind of step: a new kind is one class, and one name here.
Doers: TypeAlias = Mapping[type[msgspec.Struct], Doer[Any]]


class Entered(msgspec.Struct, frozen=True):
    """A user who is there now, and their saga while it is not over; `is_new` when it was this call that made them."""

    subscriber: Subscriber
    saga: Saga | None
    is_new: bool


class SagaStore(Protocol):
    """Keeps sagas. Every method is one durable transaction, and may raise Unavailable."""

    def begin(self, saga: Saga) -> Saga:
        """Keep a new one and return it; the one that is not over of the same user and install, if there is one."""

    def enter(self, pending: Subscriber, saga: Saga) -> Entered:
        """Add a user together with the saga that makes their things, whose `subscriber_id` is filled in.

        When there is a user of that name, nothing is added: they are returned, with their saga while it is not over.
        """

    def get(self, saga_id: str) -> Saga:
        """Find one; those that are over are forgotten after a week. Raises NotFound."""

    def of_user(self, cloud_id: str, subscriber_id: int, install_id: str = "") -> Saga | None:
        """The one that is not over."""

    def due(self, now_s: int, most: int) -> list[str]:
        """Those that are not over, whose time has come, and that nobody has the lease of; the oldest first."""

    def claim(self, saga_id: str, runner: str, now_s: int, until_s: int) -> Saga | None:
        """The saga, and its lease; None when it is over, or another runner has the lease."""

    def keep(self, saga: Saga, runner: str, until_s: int) -> None:
        """Keep how far it is, and the lease until then; 0 gives it back. Raises Conflict when the lease is lost."""

    def hurry(self, saga_id: str, now_s: int) -> None:
        """The time of one that is not over has come, unless somebody has its lease."""

    def late(self, saga: Saga, again: Saga) -> None:
        """Keep `again`, which undoes what `saga` did when its lease was lost, if that was to be undone meanwhile.

        That is so when it turned back, or its user is gone; but not when another user has the name by now.
        """

    def stuck(self, before_s: int) -> list[Saga]:
        """Those that began before then, and are not over."""


class Sagas:
    """The use cases. `doers` has one for each kind of step that can be met."""

    def __init__(
        self,
        *,
        store: SagaStore,
        doers: Doers,
        clock: Clock,
        chance: Chance,
        patience: Patience = USUAL,
    ) -> None:
        self.store = store
        self._doers = doers
        self._clock = clock
        self._chance = chance
        self._patience = patience
        self._runner = chance.token(ID_BYTES).hex()
        self._waited_for: Together[Saga] = Together()

    def new_id(self) -> str:
        """An id for a saga: nobody else has it, nor did in a database that was restored."""
        return self._chance.token(ID_BYTES).hex()

    def run(self, saga_id: str) -> Saga | None:
        """Get on with one as far as it goes now; None when somebody else does, or it is over. Raises Unavailable."""
        # A name for each run: two threads of one server are two runners.
        runner = f"{self._runner}:{self._chance.token(4).hex()}"
        now_s = self._clock.now_s()
        found = self.store.claim(saga_id, runner, now_s, now_s + LEASE_S)
        if found is None:
            return None
        if found.next_s > now_s:
            # The store gives it out before its time when the clock was set back.
            found = msgspec.structs.replace(found, next_s=now_s)
        try:
            return self._advance(found, runner)
        except Conflict:
            return None

    def resume(self, most: int = 20) -> list[Saga]:
        """Get on with those whose time has come; returns them as they are then. Raises Unavailable."""
        due = self.store.due(self._clock.now_s(), most)
        return [ran for saga_id in due if (ran := self.run(saga_id)) is not None]

    def hurry(self, saga_id: str) -> Saga:
        """Try one again now, whatever its time is; returns it as it is then. Raises NotFound, Unavailable."""
        self.store.hurry(saga_id, self._clock.now_s())
        self.run(saga_id)
        return self.store.get(saga_id)

    def due(self, most: int) -> list[str]:
        """Those whose time has come; together with `do`, they are a chore of the server."""
        return self.store.due(self._clock.now_s(), most)

    def do(self, name: str) -> Saga | None:
        """As `run`."""
        return self.run(name)

    async def finished(
        self,
        saga_id: str,
        *,
        within_s: float,
        aside: Aside,
        sleep: Callable[[float], Awaitable[None]],
        seconds: Callable[[], float],
    ) -> Saga:
        """The saga when it is over. Raises Unavailable when it is not within that time; it goes on by itself."""

        async def waited() -> Saga:
            until = seconds() + within_s
            while True:
                await aside(self.run, saga_id)
                found: Saga = await aside(self.store.get, saga_id)
                if found.is_over:
                    return found
                if seconds() >= until:
                    raise not_ready()
                await sleep(POLL_S)

        try:
            return await asyncio.wait_for(self._waited_for(saga_id, waited), within_s)
        except TimeoutError:
            raise not_ready() from None

    def _advance(self, saga: Saga, runner: str) -> Saga:
        while not saga.is_over and saga.next_s <= self._clock.now_s():
            saga = moves.started(saga)
            self._keep(saga, runner)
            acted = self._acted(saga)
            try:
                self._keep(acted, runner)
            except Conflict:
                self._came_late(saga)
                raise
            saga = acted
        return saga

    def _came_late(self, saga: Saga) -> None:
        """Whoever has the lease now may have turned back, and undone this step before it was done here."""
        if saga.stage is Stage.FORWARD and isinstance(saga.step, CallHook | TakeNumber):
            self.store.late(saga, moves.to_take_back(saga, self.new_id(), self._clock.now_s()))

    def _keep(self, saga: Saga, runner: str) -> None:
        """The lease is given back together with the last thing that this runner does."""
        now_s = self._clock.now_s()
        goes_on = not saga.is_over and saga.next_s <= now_s
        self.store.keep(saga, runner, now_s + LEASE_S if goes_on else 0)

    def _acted(self, saga: Saga) -> Saga:
        step = saga.step
        doer = self._doers.get(type(step))
        try:
            if doer is None:
                raise Unavailable(f"Nothing here can do the step {type(step).__name__}.")
            if saga.stage is Stage.FORWARD:
                given = doer.do(saga, step, saga.key)
                return moves.succeeded(saga, self._clock.now_s(), given)
            doer.undo(saga, step, saga.key)
            return moves.succeeded(saga, self._clock.now_s())
        except (Refused, NotFound) as error:
            return moves.refused(saga, error.text, self._clock.now_s(), self._patience)
        except Unavailable as error:
            return moves.unavailable(saga, error.text, self._clock.now_s(), self._patience, error.retry_after_s)
