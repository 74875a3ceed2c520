"""Where a conversation meets the world, whichever driver performs it: what the device does, what watchers are told."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from offhook.core.errors import OffhookError
from offhook.core.webservice import Request
from offhook.phone.commands import (
    Answer,
    Command,
    DeviceCommand,
    DeviceReply,
    Enter,
    Fetch,
    Flow,
    NoAnswer,
    Remark,
    Reply,
    Result,
    Save,
    Show,
    Skip,
    Telling,
    Why,
)
from offhook.phone.exchange import exchange
from offhook.phone.steps import Began, Ended, Entered, Notice, Remarked, Shown, Skipped, unwatched
from offhook.phone.wire import Deadline

SAVE: Final = "save"


class Edge:
    """Who keeps things, who watches, whom TLS trusts (None: whom the system does)."""

    __slots__ = ("device", "notice", "tls")

    def __init__(
        self,
        device: Callable[[DeviceCommand], DeviceReply],
        notice: Notice = unwatched,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.device, self.notice, self.tls = device, notice, tls

    def act(self, command: DeviceCommand | Telling) -> Reply | OffhookError:
        """Do what needs no network. What the device cannot do is for the conversation to hear."""
        match command:
            case Skip(service=service, why=why):
                self.notice(Skipped(service, why))
            case Enter(state=state):
                self.notice(Entered(state))
            case Show(message=message):
                self.notice(Shown(message))
            case Remark(diagnostic=diagnostic):
                self.notice(Remarked(diagnostic))
            case Save():
                return self._save(command)
            case _:
                try:
                    return self.device(command)
                except OffhookError as error:
                    return error
        return None

    def _save(self, command: Save) -> OffhookError | None:
        begin = time.perf_counter()
        self.notice(Began(SAVE))
        try:
            self.device(command)
        except OffhookError as error:
            return error
        self.notice(Ended(SAVE, "saved", time.perf_counter() - begin))
        return None


def advance(flow: Flow[Result], reply: Reply | OffhookError) -> Command:
    """The next command; StopIteration with the result when there is none."""
    return flow.throw(reply) if isinstance(reply, OffhookError) else flow.send(reply)


class Asking:
    """One fetch under way: its exchange, its deadline, and in the end its answer."""

    def __init__(self, fetch: Fetch) -> None:
        self.limit_bytes = fetch.limit_bytes
        self.exchange = exchange(fetch.request)
        self.request: Request | None = next(self.exchange)
        self.deadline = Deadline(fetch.request.timeout_s)
        self.answer: Answer = NoAnswer(Why.TIMEOUT)

    def take(self, answer: Answer) -> None:
        """Go on with an answer from the wire."""
        try:
            self.request = self.exchange.send(answer)
        except StopIteration as end:
            self.request, self.answer = None, end.value


@contextmanager
def step(fetch: Fetch, notice: Notice) -> Iterator[Asking]:
    """Tell whoever watches when a fetch begins, where to, and how it ended."""
    place = urlsplit(fetch.request.url)
    notice(Began(fetch.service, f"{place.scheme}://{place.netloc.rpartition('@')[2]}"))
    begin = time.perf_counter()
    asking = Asking(fetch)
    yield asking
    elapsed_s = time.perf_counter() - begin
    if isinstance(asking.answer, NoAnswer):
        notice(Ended(fetch.service, asking.answer.why.value, elapsed_s, good=False))
    else:
        status = asking.answer.status
        notice(Ended(fetch.service, str(status), elapsed_s, status, good=200 <= status < 300 or status == 304))
