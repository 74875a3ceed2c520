"""What phones report by themselves: that an account was removed, and the tokens by which they can be woken (D14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from offhook.core.errors import Fault, Invalid, Refused
from offhook.provider.againrequest import AgainRequest
from offhook.provider.authenticity import WRONG, Authenticity
from offhook.provider.ports import Clock, Ending, LifeStore
from offhook.provider.request import is_absent
from offhook.provider.sealing import Sealer

# As the vendor's document of the push token reporter calls them.
PUSH_FIELDS: Final = (
    "selector",
    "pushToken",
    "pushTokenIncomingCall",
    "pushTokenOther",
    "pushappid_incoming_call",
    "pushappid_other",
)
MAX_TOKEN: Final = 4096
_OVER: Final = frozenset({Ending.REVOKED, Ending.DELETED, Ending.REPORTED, Ending.REPLACED})


class Reports:
    """The use cases; whoever reports is authenticated as for re-provisioning."""

    def __init__(self, *, authenticity: Authenticity, store: LifeStore, sealer: Sealer, clock: Clock) -> None:
        self._authenticity = authenticity
        self._store = store
        self._sealer = sealer
        self._clock = clock

    async def removed(self, request: AgainRequest) -> str:
        """End the install, whose token opens nothing from then on; returns its id. Again is no harm.

        One that was revoked stays so, but that cannot be withdrawn any more: its phone is gone.

        The hash of the token stays, so that a repeated report is recognised. Raises Refused, TooMany, Unavailable.
        """
        standing = await self._authenticity.check(request)
        if standing.ended not in _OVER - {Ending.REVOKED}:
            await self._store.end(standing.install_id, Ending.REPORTED, self._clock.now_s())
        return standing.install_id

    async def push_token(self, request: AgainRequest, parameters: Mapping[str, str]) -> str:
        """Keep the push tokens of an install, encrypted; returns its id. Raises as `removed`, and Invalid."""
        standing = await self._authenticity.check(request)
        if standing.ended in _OVER:
            raise Refused(WRONG)
        sent = {name: parameters[name] for name in PUSH_FIELDS if not is_absent(parameters.get(name, ""))}
        Invalid.unless_empty(
            Fault(name, f"has more than {MAX_TOKEN:,} characters")
            for name, text in sent.items()
            if len(text) > MAX_TOKEN
        )
        tokens = any(name.startswith("pushToken") for name in sent)
        content = msgspec.json.encode(sent).decode()
        sealed = self._sealer.seal(content, push_place(standing.install_id)) if tokens else ""
        await self._store.push_token(standing.install_id, sealed)
        return standing.install_id


def push_place(install_id: str) -> str:
    """The row and column that a push token is bound to."""
    return f"install|{install_id}|push_token"
