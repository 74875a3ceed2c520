"""What came of a use case as an answer, with the status codes of D21; a fault of ours is never the logout status."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from offhook.core.errors import Invalid, NotFound, Refused, TooMany, Unavailable
from offhook.web.app import error_answer
from offhook.web.events import Events
from offhook.web.http import Answer

# Every refusal leaves at a multiple of this after its request came, so that the time tells neither how the password is
# kept nor whether there is such a user. It is longer than the slowest check we know, a bcrypt hash of cost 12.
REFUSALS_EVERY_S: Final = 0.5
BUSY: Final = "The service cannot answer right now. Please try again in a moment."


class Outcomes:
    """Turns errors into answers and events; `seconds` is a clock that never goes back."""

    def __init__(
        self,
        events: Events,
        seconds: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._events = events
        self._seconds = seconds
        self._sleep = sleep

    async def of(
        self, serve: Callable[[], Awaitable[Answer]], *, service: str, tenant: Callable[[], str], client: str
    ) -> Answer:
        """The answer of `serve`, or what stands for its error."""
        came_s = self._seconds()
        try:
            return await serve()
        except Invalid as error:
            said = "; ".join(f"{fault.place} {fault.text}" for fault in error.faults)
            return error_answer(400, f"The request cannot be used: {said}.")
        except NotFound as error:
            return error_answer(404, error.text)
        except Refused as error:
            await self._sleep(REFUSALS_EVERY_S - (self._seconds() - came_s) % REFUSALS_EVERY_S)
            self._events(f"{service}.refused", tenant=tenant(), reason=error.text, client=client)
            return error_answer(403, error.text)
        except TooMany as error:
            self._events(f"{service}.too_many", tenant=tenant(), client=client)
            return error_answer(429, error.text, {"Retry-After": str(error.retry_after_s)})
        except Unavailable as error:
            # Its text is for the operator.
            self._events(f"{service}.unavailable", reason=error.text)
            return error_answer(503, BUSY, {"Retry-After": str(error.retry_after_s)})
