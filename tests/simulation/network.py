"""The network between phones and server: it loses, delays, cuts and spoils what the seed says, in either direction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache, partial
from random import Random
from typing import Final, Protocol
from urllib.parse import SplitResult, urlsplit

import msgspec

from offhook.core.webservice import Request, Response
from offhook.phone.commands import Answer, Fetch, NoAnswer, Why
from offhook.phone.reports import REMOVAL
from offhook.web.http import Answer as Served
from offhook.web.http import Call
from tests.simulation.clock import DAY_S, Heap
from tests.simulation.phone import Phone
from tests.simulation.server import Server, ServerCrash
from tests.simulation.truth import User

# What a proxy, a load balancer or a captive portal may say in the place of the server. The logout status is not among
# them: nothing tells a phone that such an answer is not genuine.
STRANGE: Final = (400, 401, 402, 403, 404, 405, 407, 408, 409, 413, 418, 429, 500, 502, 503, 504, 511, 599)
# For a removal report, most statuses are the end (D14), and would only hide whether it is lost.
STRANGE_FOR_REPORTS: Final = (408, 429, 500, 502, 503, 504)
CAPTIVE: Final = b"<html><body><h1>Welcome to our hotel</h1><p>Please accept.</p></body></html>"
# What stands in a header when somebody on the way makes a mistake of it.
GARBLED: Final = (
    *("", "-1", "1e9", "\u0663", "0x10", "soon", "\xff\xfe", "99999999999999999999", '"', 'W/"', "," * 3000),
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -9999",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Sun, 99 Mar 2026 25:61:61 GMT",
)
GARBLED_HEADERS: Final = ("retry-after", "date", "last-modified", "etag", "location", "www-authenticate")
RECOVERY_S: Final = 600.0
# The second coming of a question, whose answer nobody hears.
AGAIN: Final = "again"


class Weather(msgspec.Struct, frozen=True):
    """How often each fault befalls a request, from 0 to 1."""

    lost_before: float = 0.01
    lost_after: float = 0.01
    slow: float = 0.01
    spoiled: float = 0.01
    strange: float = 0.01
    twice: float = 0.005

    def times(self, factor: float) -> Weather:
        """The same weather, better or worse."""
        return Weather(**{name: min(rate * factor, 0.5) for name, rate in msgspec.structs.asdict(self).items()})


class Exchange(msgspec.Struct):
    """One question and what came of it: `served` is the server's own answer, None when it never got the question."""

    phone: Phone
    fetch: Fetch
    call: Call
    user: User | None = None
    served_s: float = 0.0
    served: Served | None = None
    fault: str = ""


class Judge(Protocol):
    """Looks on, and raises Finding when something is seen that must not be."""

    def served(self, exchange: Exchange) -> None:
        """The server has answered."""

    def delivered(self, exchange: Exchange, answer: Answer) -> None:
        """The phone gets its answer now."""

    def crashed(self) -> None:
        """The server is gone, and what it had written is all there is."""

    def faulted(self, exchange: Exchange, error: Exception) -> None:
        """A handler let an error through."""


class Net:
    """Every question of every phone goes through here."""

    def __init__(self, heap: Heap, server: Server, judge: Judge, seed: str, weather: Weather) -> None:
        self.heap, self.server, self.judge, self.random, self.weather = heap, server, judge, Random(seed), weather
        self.asked = 0
        self.says_date = self.random.random() < 0.8

    def ask(self, phone: Phone, fetch: Fetch, take: Callable[[Answer], None]) -> None:
        """Carry a question; `take` gets the answer at a later moment."""
        self.asked += 1
        exchange = Exchange(phone, fetch, _call(fetch.request, phone.number), phone.signing_in)
        if phone.offline_until_s > self.heap.now_s:
            exchange.fault = "offline"
            self._deliver(exchange, take, NoAnswer(Why.UNREACHABLE), 0.1)
            return
        exchange.fault = self._fault()
        if exchange.fault == "lost before":
            self._deliver(exchange, take, NoAnswer(Why.TIMEOUT), fetch.request.timeout_s)
        elif exchange.fault == "strange":
            self._deliver(exchange, take, self._strange(fetch), 0.2)
        else:
            self.heap.after(0.02 + self.random.random() * 0.2, partial(self._serve, exchange, take))

    def _fault(self) -> str:
        drawn = self.random.random()
        for name, rate in _rates(self.weather):
            if drawn < rate:
                return name
            drawn -= rate
        return ""

    def _strange(self, fetch: Fetch) -> Answer:
        """Somebody else answers."""
        if fetch.service != REMOVAL and self.random.random() < 0.2:
            return Response(200, {"content-type": "text/html"}, CAPTIVE)
        status = self.random.choice(STRANGE_FOR_REPORTS if fetch.service == REMOVAL else STRANGE)
        later = {"retry-after": str(self.random.randint(0, 1800))} if self.random.random() < 0.3 else {}
        if self.random.random() < 0.1:
            later = {"retry-after": self.random.choice(GARBLED), "date": self.random.choice(GARBLED)}
        return Response(status, {"content-type": "text/html", **later}, b"<html>Nothing to see here</html>")

    def _serve(self, exchange: Exchange, take: Callable[[Answer], None]) -> None:
        served = self._handle(exchange)
        timeout_s = exchange.fetch.request.timeout_s
        if served is None:
            exchange.fault = exchange.fault or "server down"
            self._deliver(exchange, take, NoAnswer(Why.UNREACHABLE), 0.1)
            return
        whole = self._response(served)
        answer: Answer = whole
        delay_s = 0.02 + self.random.random() * 0.2
        match exchange.fault:
            case "lost after":
                why = self.random.choice([Why.TIMEOUT, Why.CUT_OFF])
                answer, delay_s = NoAnswer(why), timeout_s if why is Why.TIMEOUT else delay_s
            case "slow":
                delay_s = self.random.random() * timeout_s * 1.5
                if delay_s > timeout_s:
                    answer, delay_s = NoAnswer(Why.TIMEOUT), timeout_s
            case "spoiled":
                answer = self._spoiled(whole)
            case "twice":
                again = msgspec.structs.replace(exchange, fault=AGAIN)
                self.heap.after(self.random.random() * 20, partial(self._handle_again, again))
            case _:
                pass
        self._deliver(exchange, take, answer, delay_s)

    def _handle_again(self, exchange: Exchange) -> None:
        self._handle(exchange)

    def _handle(self, exchange: Exchange) -> Served | None:
        """The server's answer, or None when there is no server, or none any more."""
        if not self.server.is_up:
            return None
        exchange.served_s = self.heap.now_s
        try:
            exchange.served = self.server.answer(exchange.call)
        except ServerCrash:
            self.crash_server()
            return None
        except Exception as error:  # noqa: BLE001 - as the outermost edge of the real server has it
            self.judge.faulted(exchange, error)
            exchange.served = Served(503, {"Retry-After": "30"})
        self.judge.served(exchange)
        return exchange.served

    def crash_server(self) -> None:
        """The server dies, and somebody starts it again."""
        self.server.crash()
        self.heap.after(1 + self.random.random() * RECOVERY_S, self.recover)

    def recover(self) -> None:
        """The server starts from what is in its database."""
        if not self.server.is_up:
            self.server.start()
            self.judge.crashed()

    def _response(self, served: Served) -> Response:
        headers = {name.lower(): text for name, text in served.headers.items()}
        if self.says_date:
            # It is written when the answer is sent, which may be a second later than when it was decided.
            headers["date"] = _http_date(self.server.clock.now_s() + (self.random.random() < 0.3))
        return Response(served.status, headers, served.body)

    def _spoiled(self, answer: Response) -> Answer:
        """What is cut short or garbled; never so that it would pass for another answer, as TLS has it."""
        if self.random.random() < 0.3:
            name = self.random.choice([*answer.headers, *GARBLED_HEADERS])
            return msgspec.structs.replace(answer, headers={**answer.headers, name: self.random.choice(GARBLED)})
        if not answer.body or self.random.random() < 0.4:
            return NoAnswer(self.random.choice([Why.CUT_OFF, Why.GARBLED, Why.TOO_LARGE]))
        if self.random.random() < 0.5:
            return msgspec.structs.replace(answer, body=answer.body[: self.random.randrange(len(answer.body) // 2 + 1)])
        place = self.random.randrange(len(answer.body))
        return msgspec.structs.replace(answer, body=answer.body[:place] + b"\x00<" + answer.body[place + 1 :])

    def _deliver(self, exchange: Exchange, take: Callable[[Answer], None], answer: Answer, delay_s: float) -> None:
        turn = exchange.phone.turn

        def arrive() -> None:
            if exchange.phone.turn == turn:
                self.judge.delivered(exchange, answer)
                take(answer)

        self.heap.after(delay_s, arrive)


@lru_cache(maxsize=16)
def _rates(weather: Weather) -> tuple[tuple[str, float], ...]:
    return tuple((name.replace("_", " "), rate) for name, rate in msgspec.structs.asdict(weather).items())


def _http_date(seconds: int) -> str:
    days, rest = divmod(seconds, DAY_S)
    return f"{_midnight(days)[:-12]}{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} GMT"


@lru_cache(maxsize=256)
def _midnight(days: int) -> str:
    return format_datetime(datetime.fromtimestamp(days * DAY_S, UTC), usegmt=True)


@lru_cache(maxsize=256)
def _split(url: str) -> SplitResult:
    return urlsplit(url)


def _call(request: Request, number: int) -> Call:
    parts = _split(request.url)
    headers = {name.lower(): text for name, text in request.headers}
    client = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return Call(request.method, parts.path, parts.query, headers, request.body, client)
