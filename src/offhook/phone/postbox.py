"""What a phone has to tell its provider by the way: removal reports (D14) and, at each start, its push tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid, OffhookError
from offhook.core.webservice import Request, Response
from offhook.phone import agenda, reports
from offhook.phone.agenda import LONGEST_RETRY_S, Due
from offhook.phone.commands import Answer, DropReport, Fetch, Flow, PutReport, Remark, draw, fetch, look
from offhook.phone.device import Device
from offhook.phone.reports import KEPT_S, MAX_ANSWER_BYTES, PUSH_TOKEN, REMOVAL, Report, Verdict
from offhook.phone.retry import retry_after_s
from offhook.phone.saved import Saved

TOO_OLD: Final = "was tried for seven days and is given up"


class Letter(msgspec.Struct, frozen=True):
    """A report in the queue: when it is tried again, and since when its age has to be counted on."""

    report: Report
    due: Due
    since_s: float


class Postbox:
    """The reports that are under way."""

    __slots__ = ("letters", "tokens", "tokens_due")

    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.tokens: Request | None = None
        self.tokens_due = Due()

    def collect(self, queue: Iterable[Report], now_s: float) -> None:
        """Take over what is in the durable queue; what is known keeps its time."""
        for report in queue:
            self.letters.setdefault(report.id, Letter(report, agenda.at_once(now_s), now_s))

    def begin_tokens(self, saved: Saved, device: Device, now_s: float, *, strict: bool) -> Flow[None]:
        """A fresh start: the push tokens are to be reported, where the account names a service for it."""
        try:
            prepared = reports.push_tokens(saved, device, strict=strict)
        except Invalid as error:
            yield Remark(Diagnostic(PUSH_TOKEN, f"cannot be sent: {error.text}"))
            return
        if prepared is not None:
            self.tokens, self.tokens_due = prepared.request, agenda.at_once(now_s)

    def forget_tokens(self) -> None:
        """The account is gone."""
        self.tokens, self.tokens_due = None, Due()

    def next_s(self) -> float | None:
        """The moment of the next attempt."""
        if not self.letters:
            return self.tokens_due.at_s
        moments = [letter.due.at_s for letter in self.letters.values()] + [self.tokens_due.at_s]
        return min((at_s for at_s in moments if at_s is not None), default=None)

    def hurry(self, now_s: float) -> None:
        """Try everything as soon as the servers allow it."""
        for key, letter in self.letters.items():
            self.letters[key] = msgspec.structs.replace(letter, due=agenda.soon(letter.due, now_s))

    def deliver(self) -> Flow[None]:
        """Try everything that is due."""
        if not self.letters and self.tokens is None:
            return
        now_s = (yield from look()).monotonic_s
        for letter in tuple(self.letters.values()):
            if letter.due.is_over(now_s):
                yield from self._deliver(letter)
        if self.tokens is not None and self.tokens_due.is_over(now_s):
            yield from self._deliver_tokens(self.tokens)

    def _deliver(self, letter: Letter) -> Flow[None]:
        answer = yield from fetch(Fetch(REMOVAL, letter.report.request, MAX_ANSWER_BYTES))
        now_s = (yield from look()).monotonic_s
        age_s = letter.report.age_s + now_s - letter.since_s
        report = msgspec.structs.replace(letter.report, attempts=letter.report.attempts + 1, age_s=age_s)
        judged = reports.verdict(answer)
        due = yield from _after(letter.due, answer, now_s)
        self.letters[report.id] = Letter(report, due, now_s)
        try:
            if judged is Verdict.AGAIN and age_s < KEPT_S:
                yield PutReport(report)
                return
            yield DropReport(report.id)
            del self.letters[report.id]
        except OffhookError as error:
            # It stays in the queue as it was: delivered at least once, perhaps twice.
            yield Remark(Diagnostic(REMOVAL, error.text))
        if judged is not Verdict.DELIVERED:
            yield Remark(Diagnostic(REMOVAL, TOO_OLD if judged is Verdict.AGAIN else _refused(answer)))

    def _deliver_tokens(self, request: Request) -> Flow[None]:
        answer = yield from fetch(Fetch(PUSH_TOKEN, request, MAX_ANSWER_BYTES))
        judged = reports.verdict(answer)
        if judged is Verdict.AGAIN:
            now_s = (yield from look()).monotonic_s
            self.tokens_due = yield from _after(self.tokens_due, answer, now_s)
            return
        self.forget_tokens()
        if judged is Verdict.REFUSED:
            yield Remark(Diagnostic(PUSH_TOKEN, _refused(answer)))


def _after(due: Due, answer: Answer, now_s: float) -> Flow[Due]:
    asked_s = retry_after_s(answer) if isinstance(answer, Response) else None
    number = yield from draw()
    return agenda.after_failure(due, now_s, LONGEST_RETRY_S, asked_s, number)


def _refused(answer: Answer) -> str:
    assert isinstance(answer, Response)
    return f"was answered {answer.status}, which ends it"
