"""Keeps a mistake from logging a whole fleet out: past a limit, logouts wait for an administrator (D22)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from offhook.policy.fleetguard import Window
from offhook.provider.ports import Clock, Ending, Held, LifeStore, Standing
from offhook.provider.sightings import Sightings

RETRY_AFTER_S: Final = 600


class FleetGuard:
    """The guard of one server. What it counts lives in memory; that it holds is kept, and seen by every process.

    `seconds` is a clock that never goes back.
    """

    def __init__(self, store: LifeStore, sightings: Sightings, clock: Clock, seconds: Callable[[], float]) -> None:
        self._store, self._sightings, self._clock, self._seconds = store, sightings, clock, seconds
        self._windows: dict[str, Window] = {}
        self._turns: dict[str, int] = {}

    def asked(self, standing: Standing) -> None:
        """An install asked, whatever the answer will be."""
        window = self._window(standing)
        window.asked(standing.install_id, self._seconds(), standing.tenant.logout_limits)

    async def lets_go(self, standing: Standing, reason: Ending, decided_s: int) -> bool:
        """Whether an install is logged out now; else it is held, and that is kept. Raises Unavailable.

        An administrator has confirmed what was decided up to `confirmed_s`, however many those are.
        """
        if decided_s <= standing.confirmed_s:
            return True
        cloud_id = standing.tenant.cloud_id
        if not standing.holding:
            window, limits = self._window(standing), standing.tenant.logout_limits
            if window.lets_go(standing.install_id, self._seconds(), limits):
                return True
            await self._store.trip(cloud_id, self._clock.now_s())
        self._sightings.held(Held(standing.install_id, cloud_id, reason, self._clock.now_s()))
        return False

    def _window(self, standing: Standing) -> Window:
        cloud_id = standing.tenant.cloud_id
        window = self._windows.setdefault(cloud_id, Window())
        if self._turns.setdefault(cloud_id, standing.turns) != standing.turns:
            self._turns[cloud_id] = standing.turns
            window.forgive()
        return window
