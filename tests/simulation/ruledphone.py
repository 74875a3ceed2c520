"""Phones on several platforms, on which an app lives that some values of a rule break for two days."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from offhook.phone.commands import Save, Update
from tests.simulation.clock import DAY_S
from tests.simulation.phone import Phone
from tests.simulation.policyjudge import platform_of
from tests.simulation.policyreading import FAULT

if TYPE_CHECKING:
    from tests.simulation.clock import Heap
    from tests.simulation.watchers import Judge, Network

BROKEN_FOR_S = 2 * DAY_S


class RuledPhone(Phone):
    """It does not start while it is broken; then it has learnt to live with that value, as by an update of the app."""

    def __init__(self, number: int, heap: Heap, network: Network, judge: Judge, seed: str) -> None:
        self.broken_until_s = float("-inf")
        # By what, and since when.
        self.broken: dict[str, float] = {}
        super().__init__(number, heap, network, judge, seed)
        self.device = msgspec.structs.replace(self.device, platform=platform_of(number))
        self._boot()

    def start(self) -> None:
        """As before, unless it is broken."""
        if self.heap.now_s >= self.broken_until_s:
            super().start()

    def _after(self, command: object) -> None:
        super()._after(command)
        if isinstance(command, Save | Update):
            fault = command.saved.account.text(FAULT)
            if fault and fault not in self.broken:
                self.broken[fault] = self.heap.now_s
                self.heap.at(self.heap.now_s, partial(self._break, self.turn))

    def _break(self, turn: int) -> None:
        if turn == self.turn:
            self.stop("a rule broke it")
            self.broken_until_s = self.heap.now_s + BROKEN_FOR_S
            self.heap.after(BROKEN_FOR_S, self.mend)

    def mend(self) -> None:
        """It starts again."""
        if self.heap.now_s < self.broken_until_s:
            self.broken_until_s = float("-inf")
        if not self.on:
            self.start()


def ruled(phone_type: type[Phone]) -> type[Phone]:
    """Such phones, that are like these in everything else."""
    if phone_type is Phone:
        return RuledPhone
    return type("Ruled", (RuledPhone, phone_type), {})
