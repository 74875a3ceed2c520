"""Phones that live with one plausible bug each, for the simulation to find."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from offhook.phone.again import Outcome, Useless
from offhook.phone.checks import Check
from offhook.phone.commands import Flow
from offhook.phone.handset import Handset
from offhook.phone.life import Life
from offhook.phone.saved import Saved
from tests.simulation.phone import FOLDER, Phone


class CutsCalls(Life):
    """A logout does not wait for the end of a call."""

    def _settle(self) -> Flow[None]:
        calls = self.calls
        if self.farewell is not None:
            self.calls = ()
        yield from super()._settle()
        self.calls = calls


class AppliesAtOnce(Life):
    """News does not wait while Settings is open or a call is in progress."""

    def _settle(self) -> Flow[None]:
        busy = self.calls, self.settings_open
        if self.farewell is None:
            self.calls, self.settings_open = (), False
        yield from super()._settle()
        self.calls, self.settings_open = busy


class AppliesLate(Life):
    """What waits is applied after the next check, not when Settings is closed or the call is over."""

    has_asked = False

    def _ask(self, due: Collection[Check]) -> Flow[None]:
        self.has_asked = True
        yield from super()._ask(due)

    def _settle(self) -> Flow[None]:
        if self.news and self.farewell is None and not self.has_asked:
            return
        self.has_asked = False
        yield from super()._settle()


class OldestWins(Life):
    """While something waits, nothing newer takes its place."""

    def _check(self, check: Check) -> Flow[None]:
        waiting = self.news
        yield from super()._check(check)
        self.news = waiting or self.news


class Impatient(Life):
    """What a server says about when to come back is not heard."""

    def _plan(self, check: Check, began_s: float, outcome: Outcome) -> Flow[None]:
        deaf = Useless(outcome.why) if isinstance(outcome, Useless) else outcome
        yield from super()._plan(check, began_s, deaf)


class RegistersOnce(Life):
    """A changed account is not registered again."""

    def _changed(self, before: Saved, after: Saved) -> Flow[None]:
        yield from self._replan()


class ForgetsLateCalls(Life):
    """A call that comes between the backup and the erasure is written into a record that is erased."""

    def _end_calls(self, number: str, now_s: float) -> Flow[None]:
        leaving = self.saved.leaving if self.saved else None
        yield from super()._end_calls(number, now_s)
        if self.saved:
            self.saved = msgspec.structs.replace(self.saved, leaving=leaving)


def lives(life_type: type[Life]) -> type[Phone]:
    """Phones that live like this."""

    class Lively(Handset):
        def living(self, *, fresh: bool = False, strict: bool = False) -> Life:
            return life_type(self.device(), self.saved().saved, fresh=fresh, strict=strict)

    class Living(Phone):
        def make_handset(self) -> Handset:
            return Lively(FOLDER, disk=self.disk, clock=self.wall, device=self.device)

    return Living
