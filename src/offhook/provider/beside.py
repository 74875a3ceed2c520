"""Work that waits for other systems, beside the event loop: in threads of its own, so that nothing else waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from offhook.provider.waiting import not_ready

THREADS: Final = 16
# Who comes when so many wait would wait for too long, and is told so at once.
MOST_WAITING: Final = 256
T = TypeVar("T")


class Beside:
    """So many things at once; whoever comes when too many wait is told to come back."""

    def __init__(self, threads: int = THREADS, most: int = MOST_WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="beside")
        self._most, self._waiting = most, 0

    async def __call__(self, work: Callable[..., T], *arguments: object) -> T:
        """What comes of the work. Raises Unavailable when too many wait, and whatever the work raises."""
        if self._waiting >= self._most:
            raise not_ready()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *arguments))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let what is under way come to its end."""
        self._pool.shutdown(cancel_futures=True)
