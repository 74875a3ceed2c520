"""Makes a user with all that their Cloud ID gives them, once, however many ask for it, and says when it is done."""

from __future__ import annotations

import time
from asyncio import sleep as asyncio_sleep
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from offhook.core.errors import NotFound, Refused, Unavailable
from offhook.provider import saga as moves
from offhook.provider import settling
from offhook.provider.change import NOBODY, Change
from offhook.provider.ports import Chance, Clock
from offhook.provider.saga import Activate, AnyStep, CallHook, Enter, MakeSip, Stage, TakeNumber
from offhook.provider.sagas import Aside, Entered, Sagas
from offhook.provider.sealing import Sealer
from offhook.provider.subscriber import State, Subscriber, username_key
from offhook.provider.tenant import PerWhom, Tenant
from offhook.provider.together import Together
from offhook.provider.waiting import not_ready

# Well within an app's patience of 30 seconds.
WAIT_S: Final = 8.0
NOT_MADE: Final = "Your account could not be made. Please contact your provider."


class Pace(msgspec.Struct, frozen=True):
    """How waiting is done: a clock that never goes back, sleep, and work beside the event loop."""

    seconds: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio_sleep
    aside: Aside = to_thread
    wait_s: float = WAIT_S


def steps_of(tenant: Tenant) -> tuple[AnyStep, ...]:
    """What is made for a user of this Cloud ID, in order: hooks come late, since they are told of what was made."""
    return (
        Enter(),
        *(TakeNumber(one.pool, one.attribute) for one in tenant.numbers),
        # Where each install has an account of its own, it is made when there is an install.
        *((MakeSip(),) if tenant.sip is not None and tenant.sip.accounts is PerWhom.USER else ()),
        *(CallHook(name) for name in tenant.hooks),
        Activate(),
    )


class Making:
    """The use case. A user is told yes only when all of it is there."""

    def __init__(self, sagas: Sagas, sealer: Sealer, clock: Clock, chance: Chance, pace: Pace | None = None) -> None:
        self._sagas, self._sealer, self._clock, self._chance = sagas, sealer, clock, chance
        self._pace = pace or Pace()
        self._together: Together[Entered] = Together()

    async def made(self, tenant: Tenant, username: str, attributes: Mapping[str, str]) -> Subscriber:
        """The user of that name, who is there and may come in, made now if there was none.

        Raises Refused when something that they need was refused for good; Unavailable while it is under way, and it
        goes on by itself.
        """
        entered = await self.entered(tenant, username, attributes)
        await self.ready(entered.subscriber, entered)
        return entered.subscriber

    async def entered(self, tenant: Tenant, username: str, attributes: Mapping[str, str]) -> Entered:
        """The user of that name, perhaps still being made: whoever asks at the same time gets the same one."""

        async def enter() -> Entered:
            found: Entered = await self._pace.aside(self._enter, tenant, username, attributes)
            return found

        return await self._together(f"{tenant.cloud_id}|{username_key(username)}", enter)

    async def ready(self, user: Subscriber, entered: Entered | None = None) -> None:
        """Wait until a user who is being made may come in. Raises Refused, Unavailable."""
        if user.state is not State.PENDING:
            return
        saga = entered.saga if entered else None
        if saga is None:
            saga = await self._pace.aside(self._sagas.store.of_user, user.cloud_id, user.id)
        if saga is None:
            # It ended just now, or there never was one, which `offhook doctor` tells.
            raise not_ready()
        try:
            done = await self._sagas.finished(
                saga.id,
                within_s=self._pace.wait_s,
                aside=self._pace.aside,
                sleep=self._pace.sleep,
                seconds=self._pace.seconds,
            )
        except NotFound:
            raise not_ready() from None
        if done.stage is Stage.UNDONE:
            if done.refusal:
                raise Refused(done.refusal)
            raise Unavailable(NOT_MADE, 60)

    def _enter(self, tenant: Tenant, username: str, attributes: Mapping[str, str]) -> Entered:
        now_s = self._clock.now_s()
        blank = Subscriber(
            tenant.cloud_id, username.strip(), NOBODY, state=State.PENDING, created_s=now_s, changed_s=now_s
        )
        # A SIP system has credentials of its own making.
        change = Change(attributes=attributes, generate_sip=tenant.sip is None)
        pending = settling.settle(blank, change, self._sealer, self._chance)
        saga = moves.to_make(self._sagas.new_id(), tenant.cloud_id, 0, pending.username, steps_of(tenant), now_s)
        return self._sagas.store.enter(pending, saga)
