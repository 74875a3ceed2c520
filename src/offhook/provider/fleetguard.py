"""Keeps a mistake from logging a whole fleet out: past a limit, the users of a decision wait for an administrator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from offhook.policy.fleetguard import Asking
from offhook.policy.resolution import Signature
from offhook.provider.ports import Ending, LifeStore, Standing

RETRY_AFTER_S: Final = 600


class FleetGuard:
    """The guard of one server (D22). Who asked lives in memory; decisions, and who went by them, are kept for all.

    `seconds` is a clock that never goes back. A server that has just started knows of few who ask, so it is strict.
    """

    def __init__(self, store: LifeStore, seconds: Callable[[], float]) -> None:
        self._store, self._seconds = store, seconds
        self._asking: dict[str, Asking] = {}

    def asked(self, standing: Standing) -> None:
        """An install asked, whatever the answer will be."""
        limits = standing.tenant.logout_limits
        self._of(standing).asked(standing.subscriber_id, self._seconds(), limits)

    async def lets_go(self, standing: Standing, decided: Mapping[Ending, int]) -> Ending | None:
        """The first reason for which an install is logged out now, by the decisions behind them; raises Unavailable."""
        for reason, decision in decided.items():
            if await self._is_let_go(standing, decision):
                return reason
        return None

    async def ruled(self, standing: Standing, by: Signature, now_s: int) -> Mapping[Ending, int] | None:
        """The decision of a rule that logs an install out; None when it was withdrawn. Raises Unavailable.

        A rule decides anew when it was changed: then its version is another one.
        """
        rule = f"{by.rule}/{by.version}"
        decision = await self._store.ruled(standing.tenant.cloud_id, rule, by.author, now_s)
        return None if decision is None else {Ending.RULE: decision}

    async def _is_let_go(self, standing: Standing, decision: int) -> bool:
        if not decision:
            return True
        case = (standing.tenant.cloud_id, decision, standing.subscriber_id)
        known = await self._store.may_go(*case)
        if known is None:
            most = standing.tenant.logout_limits.most(self._of(standing).count())
            return await self._store.count(*case, most)
        return known

    def _of(self, standing: Standing) -> Asking:
        return self._asking.setdefault(standing.tenant.cloud_id, Asking())
