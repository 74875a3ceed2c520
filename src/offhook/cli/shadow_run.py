"""One run of a shadow: a few users at a time, until all were asked about, too many fail, or somebody ends it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from rich.progress import Progress

from offhook.cli import shadow_view
from offhook.cli.plan_view import counted
from offhook.cli.shadow_ask import Service
from offhook.cli.shadow_view import Outcome
from offhook.core import comparison, shadow
from offhook.core.login import Login
from offhook.core.shadow import Account, Said, Tally, Verdict
from offhook.phone.living import Network, Web


class Side(NamedTuple):
    """One of the two services: what it is called, how it is had, and how many questions each user costs it."""

    name: str
    service: Callable[[Network], Service]
    questions: int


class Bounds(NamedTuple):
    """So many users at once, and so many in trouble in a row that it makes no sense to go on."""

    at_once: int
    stop_after: int


async def run(
    cloud_id: str, logins: Sequence[Login], theirs: Side, ours: Side, bounds: Bounds, left_out: int
) -> Outcome:
    """Ask about all users; Ctrl-C ends it early, with what was seen until then."""
    began_s = time.monotonic()
    with shadow_view.progress() as bar:
        async with Web() as network:
            asking = _Run(theirs.service(network), ours.service(network), bounds, theirs.name, bar, len(logins))
            all_of_them = asyncio.ensure_future(asking.all(logins))
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, all_of_them.cancel)
            await asyncio.wait([all_of_them])
            if not all_of_them.cancelled():
                all_of_them.result()
    return Outcome(
        cloud_id=cloud_id,
        theirs=theirs.name,
        ours=ours.name,
        users=len(logins),
        tally=asking.tally,
        seconds=time.monotonic() - began_s,
        left_out=left_out,
        stopped="It was ended early." if all_of_them.cancelled() else asking.stopped,
        interrupted=all_of_them.cancelled(),
        behind=dict(asking.behind),
    )


class _Run:
    """What is under way."""

    def __init__(
        self, theirs: Service, ours: Service, bounds: Bounds, their_name: str, bar: Progress, users: int
    ) -> None:
        self.tally, self.behind, self.stopped = Tally(), Counter[str](), ""
        self._theirs, self._ours, self._bounds = theirs, ours, bounds
        self._their_host = urlsplit(their_name).hostname or ""
        self._bar, self._task = bar, bar.add_task("", total=users)

    async def all(self, logins: Sequence[Login]) -> None:
        """Ask about each; not one task more is made than may run."""
        free = asyncio.Semaphore(self._bounds.at_once)
        under_way: set[asyncio.Task[None]] = set()

        def over(task: asyncio.Task[None]) -> None:
            free.release()
            if task.cancelled() or task.exception() is None:
                under_way.discard(task)
            else:
                self.stopped = "A fault of ours."

        try:
            for login in logins:
                await free.acquire()
                if self.stopped:
                    break
                task = asyncio.ensure_future(self._one(login))
                under_way.add(task)
                task.add_done_callback(over)
            else:
                await asyncio.gather(*under_way)
        finally:
            # One that broke is still among them, and is heard here.
            await _end(under_way)

    async def _one(self, login: Login) -> None:
        secrets = (login.password.reveal(),)
        said = await asyncio.gather(self._theirs.ask(login), self._ours.ask(login))
        self._add(login.username, *said, shadow.judge(*said, secrets))

    def _add(self, user: str, theirs: Said, ours: Said, verdict: Verdict) -> None:
        if self.stopped:
            return
        self.tally.add(user, verdict)
        if isinstance(theirs, Account) and isinstance(ours, Account):
            self.behind.update(comparison.stays_behind(theirs.values, ours.values, self._their_host))
        self._bar.update(self._task, completed=self.tally.asked, description=shadow_view.counts(self.tally))
        if self.tally.in_a_row >= self._bounds.stop_after:
            users = counted(self.tally.in_a_row, "user")
            self.stopped = f"Stopped: of {users} in a row, theirs gave no account, or there was nothing to compare."


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """End what still runs, and hear what went wrong in it."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    for result in await asyncio.gather(*ending, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
