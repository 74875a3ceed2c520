"""A service that is asked again: the conditional request (D10), and what its answer means (D11)."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from offhook.core import accountxml
from offhook.core.errors import OffhookError
from offhook.core.webservice import Request, Response
from offhook.phone.commands import Answer, NoAnswer
from offhook.phone.retry import retry_after_s
from offhook.phone.saved import Validator

LOGGED_OUT: Final = "You have been signed out by your provider."


class New(msgspec.Struct, frozen=True):
    """A 2xx: the whole answer."""

    response: Response


class Unchanged(msgspec.Struct, frozen=True):
    """A 304: what the phone has is right. `validator` is there when the server gave another one for it."""

    validator: Validator | None = None


class LogOut(msgspec.Struct, frozen=True):
    """The configured logout status, and the words that came with it."""

    message: str


class Useless(msgspec.Struct, frozen=True):
    """Nothing that could change anything; `retry_after_s` is what the server asked for."""

    why: str
    retry_after_s: int | None = None


Outcome: TypeAlias = New | Unchanged | LogOut | Useless


def conditional(request: Request, validator: Validator | None) -> Request:
    """The request with what the last answer said about itself."""
    if validator is None:
        return request
    lines = (("If-None-Match", validator.etag), ("If-Modified-Since", validator.last_modified))
    added = tuple((name, text) for name, text in lines if text)
    return msgspec.structs.replace(request, headers=(*request.headers, *added))


def outcome(answer: Answer, logout_status: int = 0) -> Outcome:
    """What an answer means. A success is never taken for the logout status, whatever is configured."""
    if isinstance(answer, NoAnswer):
        return Useless(f"{answer.why.value}{f' ({answer.detail})' if answer.detail else ''}")
    if answer.status == logout_status and answer.status >= 300 and answer.status != 304:
        return LogOut(accountxml.read_error(answer.body) or LOGGED_OUT)
    if answer.status == 304:
        return Unchanged(_newer(answer))
    if 200 <= answer.status < 300:
        return New(answer)
    own = accountxml.read_error(answer.body)
    return Useless(f"answered {answer.status}{f': {own}' if own else ''}", retry_after_s(answer))


def unusable(error: OffhookError) -> Useless:
    """An answer that looked like one, and cannot be used."""
    return Useless(f"cannot be used: {error.text}")


def _newer(answer: Response) -> Validator | None:
    etag, modified = answer.header("etag"), answer.header("last-modified")
    return Validator(etag, modified) if etag or modified else None
