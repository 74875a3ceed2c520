"""Asks upstreams whether they vouch for somebody: beside the event loop, once for each password, and keeps a yes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Final

from offhook.core.errors import Refused, TooMany, Unavailable
from offhook.core.secret import Secret
from offhook.provider.limits import Attempts
from offhook.provider.ports import Chance, Clock
from offhook.provider.recent import Recent
from offhook.provider.together import Together
from offhook.provider.upstream import Upstream, Vouched

# A directory answers in milliseconds, or not at all: then this many wait for it, and the others are told at once.
AT_ONCE: Final = 16
WAITING: Final = 240
WRONG: Final = "Wrong username or password."
RETRY_AFTER_S: Final = 5


class Vouching:
    """One question for however many phones come with the same password at once, or within a minute.

    So a new telephone, which calls two services, costs a directory one bind, and a wrong password one as well.
    """

    def __init__(
        self,
        upstreams: Callable[[str], Upstream | None],
        attempts: Attempts,
        clock: Clock,
        chance: Chance,
        at_once: int = AT_ONCE,
    ) -> None:
        self._upstreams, self._attempts, self._clock = upstreams, attempts, clock
        self._right: Recent[Vouched] = Recent(clock, chance)
        self._together: Together[Vouched] = Together()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="upstream")
        self._room = BoundedSemaphore(at_once + WAITING)

    def upstream(self, name: str) -> Upstream:
        """The upstream of that name. Raises Unavailable when the file of connections has none."""
        found = self._upstreams(name)
        if found is None:
            raise Unavailable(f"There is no upstream {name} in the file of connections.", 60)
        return found

    async def vouched(self, cloud_id: str, name: str, username: str, password: Secret, client: str) -> Vouched:
        """The user as the upstream knows them. Raises Refused, TooMany, Unavailable."""
        tag = self._right.tag(cloud_id, name, username, password.reveal())
        known = self._right.get(tag)
        if known is not None:
            return known

        async def ask() -> Vouched:
            found = await self._asked(cloud_id, name, username, password, client)
            self._right.put(tag, found)
            return found

        return await self._together(tag.hex(), ask)

    def close(self) -> None:
        """Drop what waits; what is under way has an end in time."""
        self._threads.shutdown(cancel_futures=True)

    async def _asked(self, cloud_id: str, name: str, username: str, password: Secret, client: str) -> Vouched:
        upstream = self.upstream(name)
        attempt = self._attempts.begin(cloud_id, username, client, self._clock.now_s())
        try:
            found = await self._aside(lambda: upstream.vouch(username, password))
        except (Unavailable, TooMany):
            self._attempts.withdraw(attempt)
            raise
        except Refused:
            self._attempts.failed(attempt)
            raise
        if found is None:
            self._attempts.failed(attempt)
            raise Refused(WRONG)
        self._attempts.withdraw(attempt)
        return found

    async def _aside(self, work: Callable[[], Vouched | None]) -> Vouched | None:
        if not self._room.acquire(blocking=False):
            raise Unavailable("Too many people are signing in right now.", RETRY_AFTER_S)
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)
