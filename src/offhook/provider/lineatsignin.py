"""The SIP account of whoever signs in: there at once, made while they wait, or not ready in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from offhook.core.errors import Unavailable
from offhook.provider.siplines import SipLines
from offhook.provider.sipregister import Entry, Line, owner_of
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import PerWhom, Tenant
from offhook.provider.together import Together
from offhook.provider.waiting import not_ready

WITHIN_S: Final = 8.0
POLL_S: Final = 0.1
Aside: TypeAlias = Callable[..., Awaitable[Any]]


class LineAtSignIn:
    """Waits for SIP systems beside the event loop; of many sign-ins of one user at once, only one waits."""

    def __init__(
        self,
        lines: SipLines,
        *,
        aside: Aside,
        sleep: Callable[[float], Awaitable[None]],
        seconds: Callable[[], float],
        within_s: float = WITHIN_S,
    ) -> None:
        self._lines, self._aside, self._sleep = lines, aside, sleep
        self._seconds, self._within_s = seconds, within_s
        self._together: Together[Line] = Together()

    async def line(self, tenant: Tenant, subscriber: Subscriber, install_id: str, *, rotate: bool) -> Line:
        """As the port says; what is not ready in time goes on by itself, and the next try finds it done."""
        assert tenant.sip is not None, "who asks has looked"
        owner = owner_of(tenant.sip, install_id)

        async def made() -> Line:
            entry = await self._made(tenant, subscriber, install_id)
            if rotate and tenant.sip and tenant.sip.rotate_at_sign_in and tenant.sip.accounts is PerWhom.USER:
                entry = await self._aside(self._lines.rotated, entry)
            return entry.line

        work = self._together(f"{subscriber.cloud_id}/{subscriber.id}/{owner}", made)
        try:
            return await asyncio.wait_for(work, self._within_s)
        except TimeoutError:
            raise not_ready() from None

    async def drop(self, account_id: str) -> None:
        """As the port says."""
        await self._aside(self._lines.drop, account_id)

    async def _made(self, tenant: Tenant, subscriber: Subscriber, install_id: str) -> Entry:
        until = self._seconds() + self._within_s
        while True:
            try:
                entry: Entry = await self._aside(self._lines.make, tenant, subscriber, install_id)
            except Unavailable:
                if self._seconds() >= until:
                    raise not_ready() from None
                await self._sleep(POLL_S)
            else:
                return entry
