"""What befalls the machine that the server runs on: crashes, a full disk, an unreadable database, a wrong clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random
from typing import Final

from tests.simulation.clock import DAY_S, HOUR_S, MINUTE_S, Heap
from tests.simulation.network import Net
from tests.simulation.server import Server
from tests.simulation.truth import Truth, User

TROUBLE: Final = {"crash": 4, "crash_in_a_write": 4, "full": 3, "unreadable": 3, "set_clock": 6, "mistake_the_day": 4}


class Troubled(ABC):
    """Whoever runs the server."""

    heap: Heap
    server: Server
    net: Net
    truth: Truth
    random: Random

    @abstractmethod
    def _mark(self, user: User) -> None:
        """Edit a user."""

    def _crash(self) -> None:
        self.net.crash_server()

    def _crash_in_a_write(self) -> None:
        database = self.server.database
        if self.random.random() < 0.5:
            database.crash_before_commit = True
        else:
            database.crash_after_commit = True

    def _full(self) -> None:
        database = self.server.database
        database.full = True

        def has_room() -> None:
            database.full = False

        self.heap.after(self.random.expovariate(1 / HOUR_S), has_room)

    def _unreadable(self) -> None:
        database = self.server.database
        database.set_unreadable(unreadable=True)

        def is_readable() -> None:
            if self.server.database is database and self.server.is_up:
                database.set_unreadable(unreadable=False)

        self.heap.after(self.random.expovariate(1 / HOUR_S), is_readable)

    def _set_clock(self) -> None:
        self.server.clock.skew_s += self.random.choice([-DAY_S, -HOUR_S, -60, -1, 1, 60, HOUR_S])

    def _mistake_the_day(self) -> None:
        """The clock is a day late for some minutes, while those are edited who signed in just before."""
        clock = self.server.clock
        clock.skew_s -= DAY_S
        for user in dict.fromkeys(one.user for one in self.truth.installs.values() if not one.came_back):
            if user.exists:
                self._mark(user)

        def is_right() -> None:
            clock.skew_s += DAY_S

        self.heap.after(self.random.expovariate(1 / (10 * MINUTE_S)), is_right)
