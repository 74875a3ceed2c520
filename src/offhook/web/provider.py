"""The face of the provider service: requests of apps that sign in, and answers with the status codes of D21."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from offhook.core import accountxml
from offhook.core.errors import Invalid
from offhook.provider.definitions import (
    ACCOUNT_PATH,
    GLOBAL_PATH,
    NAMED_ACCOUNT_PATH,
    NAMED_GLOBAL_PATH,
    NAMED_SIGN_UP_PATH,
    SIGN_UP_PATH,
)
from offhook.provider.request import SignInRequest
from offhook.provider.signin import SignIn
from offhook.provider.tenant import Names
from offhook.provider.validators import Validators
from offhook.web import dates, parameters
from offhook.web.app import error_answer
from offhook.web.events import Events
from offhook.web.http import Answer, Call, Handler
from offhook.web.outcomes import Outcomes

HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": f"{accountxml.CONTENT_TYPE}; charset=utf-8",
    # What is in it is for this phone alone.
    "Cache-Control": "no-store",
}


def endpoints(
    sign_in: SignIn,
    events: Events,
    *,
    seconds: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> dict[str, Handler]:
    """The handlers by path; `seconds` is a clock that never goes back."""
    face = _Face(sign_in, events, Outcomes(events, seconds, sleep))
    return {
        ACCOUNT_PATH: face.account,
        GLOBAL_PATH: face.common,
        NAMED_ACCOUNT_PATH: face.account,
        NAMED_GLOBAL_PATH: face.common,
        SIGN_UP_PATH: face.sign_up,
        NAMED_SIGN_UP_PATH: face.sign_up,
    }


class _Face:
    """Both services: each reads the request, asks the use case, and says what came of it."""

    def __init__(self, sign_in: SignIn, events: Events, outcomes: Outcomes) -> None:
        self._sign_in = sign_in
        self._events = events
        self._outcomes = outcomes

    async def account(self, call: Call) -> Answer:
        """The account of one user."""
        return await self._answer(call, self._account)

    async def common(self, call: Call) -> Answer:
        """The global part for one user."""
        return await self._answer(call, self._common)

    async def sign_up(self, call: Call) -> Answer:
        """A code for whoever has none yet; nothing that only looks has one sent."""
        if call.method != "POST":
            return error_answer(405, "This address takes POST.", {"Allow": "POST"})
        return await self._answer(call, self._code)

    async def _code(self, request: SignInRequest) -> Answer:
        said = await self._sign_in.ask_for_code(request)
        return error_answer(202, said)

    async def _account(self, request: SignInRequest) -> Answer:
        issued = await self._sign_in.account(request)
        self._events(
            "account.served" if request.keep else "account.looked_at",
            tenant=issued.cloud_id,
            subscriber=issued.subscriber_id,
            install=issued.install_id,
            new=issued.is_new,
            keys=issued.keys,
        )
        return _said(issued.document, issued.validators)

    async def _common(self, request: SignInRequest) -> Answer:
        answer = await self._sign_in.common(request)
        self._events("global.served", tenant=request.tenant_id())
        return _said(answer.document, answer.validators)

    async def _answer(self, call: Call, ask: Callable[[SignInRequest], Awaitable[Answer]]) -> Answer:
        if objection := parameters.objection(call):
            return objection

        async def serve() -> Answer:
            return await ask(_request(call))

        return await self._outcomes.of(serve, service="account", tenant=lambda: _tenant(call), client=call.client)


def _said(document: bytes, validators: Validators) -> Answer:
    """What the app keeps of the validators makes its first question afterwards a conditional one (D10)."""
    dated = {"Last-Modified": dates.write(validators.modified_s), "ETag": validators.etag}
    return Answer(200, {**HEADERS, **dated}, document)


def _tenant(call: Call) -> str:
    """The Cloud ID for an event, which repeats nothing that is none."""
    try:
        return _request(call).tenant_id()
    except Invalid:
        return ""


def _request(call: Call) -> SignInRequest:
    sent = parameters.read(call)
    return SignInRequest(
        cloud_id=call.parameters.get("cloud_id") or sent.get(Names().cloud_id, ""),
        parameters=sent,
        client=call.client,
        user_agent=call.headers.get("user-agent", ""),
        keep=call.method != "HEAD",
    )
