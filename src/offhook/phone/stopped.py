"""Why a conversation ended early: words for the person with the phone, and beside them the detail for who mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from offhook.core import accountxml
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid, NotFound, OffhookError, Refused, TooMany, Unavailable
from offhook.core.webservice import Response
from offhook.phone.commands import NoAnswer, Why
from offhook.phone.retry import retry_after_s

GENERIC: Final = "Provisioning failed. Please try again or contact your provider."
UNKNOWN_APP: Final = "There is no app with this Cloud ID. Please check what you typed."
UNUSABLE: Final = "The answer of the server cannot be used. Please contact your provider."
UNSENDABLE: Final = "The server cannot be asked with these settings. Please contact your provider."
NOT_GENUINE: Final = (
    "These settings do not come, unchanged, from the portal that this phone knows. Nothing was saved. "
    "Please contact your provider."
)
DEFAULT_RETRY_S: Final = 30

_NO_ANSWER: Final[Mapping[Why, tuple[type[Invalid | Unavailable], str]]] = {
    Why.UNREACHABLE: (Unavailable, "The server cannot be reached. Please check your internet connection."),
    Why.TIMEOUT: (Unavailable, "The server did not answer in time. Please try again later."),
    Why.CUT_OFF: (Unavailable, "The connection broke off. Please try again."),
    Why.TLS: (Unavailable, "A secure connection to the server could not be made. Please contact your provider."),
    Why.UNSENDABLE: (Invalid, UNSENDABLE),
    Why.GARBLED: (Invalid, UNUSABLE),
    Why.TOO_LARGE: (Invalid, UNUSABLE),
    Why.REDIRECT: (Invalid, UNUSABLE),
}


class Stopped(OffhookError):
    """A conversation ended early and nothing was saved.

    `what` is the error named for what happened, whose text is for the person; `service`, `status` (None when there was
    no answer) and `reason` are the technical detail; `remarks` are what had been tolerated until then.
    """

    def __init__(self, what: OffhookError, service: str, status: int | None = None, reason: str = "") -> None:
        super().__init__(what.text)
        self.what = what
        self.service = service
        self.status = status
        self.reason = reason
        self.remarks: tuple[Diagnostic, ...] = ()

    @property
    def detail(self) -> str:
        """The technical detail on one line."""
        answered = "" if self.status is None else f" answered {self.status}"
        return f"{self.service}{answered}{f': {self.reason}' if self.reason else ''}"


def unanswered(service: str, answer: NoAnswer) -> Stopped:
    """The service gave no answer."""
    kind, text = _NO_ANSWER[answer.why]
    what = Invalid.at("", text) if kind is Invalid else Unavailable(text)
    return Stopped(what, service, reason=f"{answer.why.value}{f' ({answer.detail})' if answer.detail else ''}")


def declined(service: str, response: Response, generic: str = GENERIC) -> Stopped:
    """The service answered with something else than 2xx: its own message is shown, else the generic one (D7)."""
    own = accountxml.read_error(response.body)
    what = _named(response, own or generic)
    return Stopped(what, service, response.status, "" if own else "the answer has no message of its own")


def _named(response: Response, text: str) -> OffhookError:
    status = response.status
    if status == 404:
        return NotFound(text)
    if status == 429:
        return TooMany(text, _retry_after_s(response))
    if status == 408 or status >= 500:
        return Unavailable(text, _retry_after_s(response))
    return Refused(text) if status >= 400 else Invalid.at("", text)


def _retry_after_s(response: Response) -> int:
    seconds = retry_after_s(response)
    return DEFAULT_RETRY_S if seconds is None else seconds


@contextmanager
def usable(service: str, status: int | None = None, text: str = UNUSABLE) -> Iterator[None]:
    """What is found invalid inside stops the conversation; the faults become the reason."""
    try:
        yield
    except Invalid as invalid:
        raise Stopped(Invalid.at("", text), service, status, invalid.text) from None
