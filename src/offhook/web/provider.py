"""The face of the provider service: requests of apps that sign in, and answers with the status codes of D21."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from offhook.core import accountxml
from offhook.core.errors import Invalid, NotFound, Refused, TooMany, Unavailable
from offhook.provider.definitions import ACCOUNT_PATH, GLOBAL_PATH, NAMED_ACCOUNT_PATH, NAMED_GLOBAL_PATH
from offhook.provider.request import SignInRequest
from offhook.provider.signin import SignIn
from offhook.provider.tenant import Names
from offhook.web import parameters
from offhook.web.app import error_answer
from offhook.web.events import Events
from offhook.web.http import Answer, Call, Handler

# Every refusal leaves at a multiple of this after its request came, so that the time tells neither how the password is
# kept nor whether there is such a user. It is longer than the slowest check we know, a bcrypt hash of cost 12.
REFUSALS_EVERY_S: Final = 0.5
BUSY: Final = "The service cannot answer right now. Please try again in a moment."
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
    face = _Face(sign_in, events, seconds, sleep)
    return {
        ACCOUNT_PATH: face.account,
        GLOBAL_PATH: face.common,
        NAMED_ACCOUNT_PATH: face.account,
        NAMED_GLOBAL_PATH: face.common,
    }


class _Face:
    """Both services: each reads the request, asks the use case, and says what came of it."""

    def __init__(
        self,
        sign_in: SignIn,
        events: Events,
        seconds: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._sign_in = sign_in
        self._events = events
        self._seconds = seconds
        self._sleep = sleep

    async def account(self, call: Call) -> Answer:
        """The account of one user."""
        return await self._answer(call, self._account)

    async def common(self, call: Call) -> Answer:
        """The global part for one user."""
        return await self._answer(call, self._common)

    async def _account(self, request: SignInRequest) -> bytes:
        issued = await self._sign_in.account(request)
        self._events(
            "account.served" if request.keep else "account.looked_at",
            tenant=issued.cloud_id,
            subscriber=issued.subscriber_id,
            install=issued.install_id,
            new=issued.is_new,
            keys=issued.keys,
        )
        return issued.document

    async def _common(self, request: SignInRequest) -> bytes:
        answer = await self._sign_in.common(request)
        self._events("global.served", tenant=request.tenant_id())
        return answer.dumps()

    async def _answer(self, call: Call, serve: Callable[[SignInRequest], Awaitable[bytes]]) -> Answer:
        came_s = self._seconds()
        if objection := parameters.objection(call):
            return objection
        try:
            request = _request(call)
            return await self._served(request, serve, came_s)
        except Invalid as error:
            said = "; ".join(f"{fault.place} {fault.text}" for fault in error.faults)
            return error_answer(400, f"The request cannot be used: {said}.")

    async def _served(
        self, request: SignInRequest, serve: Callable[[SignInRequest], Awaitable[bytes]], came_s: float
    ) -> Answer:
        try:
            return Answer(200, dict(HEADERS), await serve(request))
        except NotFound as error:
            return error_answer(404, error.text)
        except Refused as error:
            await self._sleep(REFUSALS_EVERY_S - (self._seconds() - came_s) % REFUSALS_EVERY_S)
            self._events("account.refused", tenant=request.tenant_id(), reason=error.text, client=request.client)
            return error_answer(403, error.text)
        except TooMany as error:
            self._events("account.too_many", tenant=request.tenant_id(), client=request.client)
            return error_answer(429, error.text, {"Retry-After": str(error.retry_after_s)})
        except Unavailable as error:
            # Its text is for the operator.
            self._events("account.unavailable", reason=error.text)
            return error_answer(503, BUSY, {"Retry-After": str(error.retry_after_s)})


def _request(call: Call) -> SignInRequest:
    sent = parameters.read(call)
    return SignInRequest(
        cloud_id=call.parameters.get("cloud_id") or sent.get(Names().cloud_id, ""),
        parameters=sent,
        client=call.client,
        user_agent=call.headers.get("user-agent", ""),
        keep=call.method != "HEAD",
    )
