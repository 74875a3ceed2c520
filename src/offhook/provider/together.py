"""Does what several ask for at the same time once, and tells all of them what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Together(Generic[T]):
    """Work by its name, in one event loop. It goes on when whoever asked first has hung up."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[T]] = {}

    async def __call__(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """What comes of the work that is under way by this name, or of this one."""
        known = self._under_way.get(name)
        if known is None:
            known = asyncio.ensure_future(_waited(work))
            self._under_way[name] = known
            known.add_done_callback(lambda done: self._ended(name, done))
        return await asyncio.shield(known)

    def _ended(self, name: str, done: asyncio.Future[T]) -> None:
        del self._under_way[name]
        if not done.cancelled():
            # Perhaps nobody waits any more who would be told of a fault.
            done.exception()


async def _waited(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
