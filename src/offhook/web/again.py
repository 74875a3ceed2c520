"""The face to installs after their sign-in: re-provisioning of both parts, removal reports, push tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from offhook.core import accountxml
from offhook.core.errors import Invalid
from offhook.provider.againrequest import AgainRequest
from offhook.provider.definitions import AGAIN_GLOBAL_PATH, AGAIN_PATH, PUSH_TOKEN_PATH, REMOVED_PATH
from offhook.provider.reports import Reports
from offhook.provider.reprovision import Fresh, LoggedOut, Outcome, Reprovision, Unchanged
from offhook.provider.validators import Claim, Validators
from offhook.web import dates, parameters
from offhook.web.app import error_answer
from offhook.web.events import Events
from offhook.web.http import Answer, Call, Handler
from offhook.web.outcomes import Outcomes

CONTENT_TYPE: Final = f"{accountxml.CONTENT_TYPE}; charset=utf-8"
MAX_VALIDATOR: Final = 2048
# The phone keeps the answer and asks again; whatever lies between must not.
CACHING: Final = "private, no-cache"
Ask: TypeAlias = Callable[[AgainRequest], Awaitable[Outcome]]


def endpoints(
    reprovision: Reprovision,
    reports: Reports,
    events: Events,
    *,
    seconds: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> dict[str, Handler]:
    """The handlers by path; `seconds` is a clock that never goes back."""
    face = _Face(reports, events, Outcomes(events, seconds, sleep))
    return {
        AGAIN_PATH: partial(face.again, reprovision.account, "account"),
        AGAIN_GLOBAL_PATH: partial(face.again, reprovision.common, "global"),
        REMOVED_PATH: face.removed,
        PUSH_TOKEN_PATH: face.push_token,
    }


class _Face:
    """Each reads the request, asks the use case, and says what came of it."""

    def __init__(self, reports: Reports, events: Events, outcomes: Outcomes) -> None:
        self._reports = reports
        self._events = events
        self._outcomes = outcomes

    async def again(self, ask: Ask, service: str, call: Call) -> Answer:
        """The account or the global part of an install, when it has changed."""
        if objection := parameters.objection(call):
            return objection

        async def serve() -> Answer:
            return self._said(service, await ask(_request(call, parameters.read(call))))

        return await self._outcomes.of(serve, service="again", tenant=lambda: _tenant(call), client=call.client)

    async def removed(self, call: Call) -> Answer:
        """A report that an account was removed."""

        async def serve() -> Answer:
            install_id = await self._reports.removed(_request(call, parameters.read(call)))
            self._events("install.removed", install=install_id)
            return _thanks()

        return await self._reported(call, serve)

    async def push_token(self, call: Call) -> Answer:
        """A report of push tokens."""

        async def serve() -> Answer:
            sent = parameters.read(call)
            install_id = await self._reports.push_token(_request(call, sent), sent)
            self._events("install.push_token", install=install_id)
            return _thanks()

        return await self._reported(call, serve)

    async def _reported(self, call: Call, serve: Callable[[], Awaitable[Answer]]) -> Answer:
        if call.method == "HEAD":
            return error_answer(405, "This address takes reports.", {"Allow": "GET, POST"})
        if objection := parameters.objection(call):
            return objection
        return await self._outcomes.of(serve, service="report", tenant=lambda: _tenant(call), client=call.client)

    def _said(self, service: str, outcome: Outcome) -> Answer:
        match outcome:
            case Fresh():
                self._events(f"{service}.served_again", install=outcome.install_id)
                headers = {"Content-Type": CONTENT_TYPE, **_headers(outcome.validators)}
                return Answer(200, headers, outcome.document)
            case Unchanged():
                return Answer(304, _headers(outcome.validators))
            case LoggedOut():
                self._events("install.logged_out", install=outcome.install_id, reason=outcome.reason.value)
                return error_answer(outcome.status, outcome.message)


def _request(call: Call, sent: Mapping[str, str]) -> AgainRequest:
    tags = call.headers.get("if-none-match")
    since = call.headers.get("if-modified-since", "")
    claim = Claim(None if tags is None else tags[:MAX_VALIDATOR], dates.read(since) if 0 < len(since) < 100 else None)
    return AgainRequest.read(sent, claim, call.client, call.headers.get("user-agent", ""))


def _tenant(call: Call) -> str:
    """The Cloud ID for an event, which repeats nothing that is none."""
    try:
        return _request(call, parameters.read(call)).cloud_id
    except Invalid:
        return ""


def _headers(validators: Validators) -> dict[str, str]:
    tag = {"ETag": validators.etag} if validators.etag else {}
    return {"Last-Modified": dates.write(validators.modified_s), **tag, "Cache-Control": CACHING}


def _thanks() -> Answer:
    return Answer(200, {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}, b"Noted.\n")
