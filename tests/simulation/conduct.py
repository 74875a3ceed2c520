"""How one phone conducts itself: whether it waits when it has to, asks no sooner than it may, and cuts no call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from offhook.core.mergeable import Document
from offhook.core.webservice import Response
from offhook.phone import events
from offhook.phone.commands import Answer, Command, Erase, Fetch, Register, Unregister, Update
from offhook.phone.events import Event
from offhook.phone.life import Life
from offhook.phone.reports import REMOVAL
from offhook.phone.saved import Saved
from tests.simulation import invariants
from tests.simulation.clock import DAY_S

if TYPE_CHECKING:
    from tests.simulation.phone import Phone

# Two moments of virtual time that are the same one, as far as a phone can tell.
SAME_S: Final = 0.001
# What counts of all that a phone does and meets; the many other things need no look.
JUDGED: Final[frozenset[type]] = frozenset(
    {
        *(events.CallBegan, events.CallEnded, events.SettingsOpened, events.SettingsClosed, events.Button),
        *(Register, Unregister, Erase, Update, Fetch),
    }
)


class Conduct:
    """What a phone was told and has done since its life began; `require` raises what an invariant says."""

    def __init__(self, phone: Phone, require: Callable[..., None]) -> None:
        self.phone, self.require = phone, require
        self.begin()

    def begin(self) -> None:
        """The app starts, or somebody has just signed in."""
        self.calls: list[str] = []
        self.settings_open = False
        self.registered: Document | None = None
        self.not_before_s: dict[str, float] = {}

    def see(self, what: Command | Event) -> None:
        """Something happens to the phone, or it does something by itself; what a sign-in does is another matter."""
        if self.phone.signing_in is not None:
            return
        match what:
            case events.CallBegan(number=number):
                self.calls.append(number)
            case events.CallEnded(number=number):
                self.calls = [one for one in self.calls if number not in {"", one}]
            case events.SettingsOpened() | events.SettingsClosed():
                self.settings_open = isinstance(what, events.SettingsOpened)
            case events.Button():
                # It always works (D9); what is reported by the way is not asked for by it.
                self.not_before_s = {name: at_s for name, at_s in self.not_before_s.items() if name == REMOVAL}
            case Register(account=account):
                self.registered = account
            case Unregister() | Erase():
                self.require(invariants.no_call_is_cut, self.calls, what, phone=self.phone)
            case Update(saved=saved):
                self._keeps(saved)
            case Fetch(service=service):
                early_s = self.not_before_s.get(service, 0.0) - self.phone.heap.now_s
                if early_s > SAME_S:
                    self.require(invariants.no_question_comes_too_early, service, early_s, phone=self.phone)
            case _:
                pass

    def is_answered(self, service: str, answer: Answer) -> None:
        """A server may say when it wants to be asked again; the reports of a device go to several servers."""
        self.not_before_s.pop(service, None)
        if isinstance(answer, Response) and answer.status >= 400 and service != REMOVAL:
            written = answer.header("retry-after")
            if written.isascii() and written.isdecimal():
                # Who asks for more than a day is not believed.
                self.not_before_s[service] = self.phone.heap.now_s + min(int(written), DAY_S)

    def rests(self, life: Life, saved: Saved) -> None:
        """It has nothing to do now."""
        if life.farewell is not None:
            return
        if not self.calls and not self.settings_open:
            self.require(invariants.what_waited_is_applied_at_once, life.news, phone=self.phone)
        self.require(invariants.it_is_registered_as_the_record_says, self.registered, saved, phone=self.phone)
        # The same keys in a newer record, which is compared no more until there is another one.
        self.registered = saved.account

    def _keeps(self, saved: Saved) -> None:
        before = self.phone.acknowledged
        if not isinstance(before, Saved):
            return
        if saved.leaving is not None and before.leaving is None:
            self.require(invariants.nobody_leaves_untold, self.phone, phone=self.phone)
        if self.calls or self.settings_open:
            self.require(invariants.nothing_changes_while_busy, before, saved, phone=self.phone)
