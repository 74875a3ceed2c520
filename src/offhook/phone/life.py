"""The life of a signed-in phone as a conversation: it keeps itself up to date, and leaves when told to (D9 to D13).

    life = Life(device, saved)
    drive(life.run())        # yields commands, is sent their replies; ends when the app is closed or nothing is left

A phone at rest holds its record and a few moments, and waits in one `Wait`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final

import msgspec

from offhook.core import registration
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import OffhookError
from offhook.phone import agenda, checks, editing, events, logout, news
from offhook.phone.again import LogOut, Outcome, Useless
from offhook.phone.agenda import Due
from offhook.phone.checks import Asking, Check, Services
from offhook.phone.commands import (
    Enter,
    Flow,
    Register,
    Remark,
    Show,
    Tidy,
    Update,
    draw,
    look,
    take_reports,
    wait,
)
from offhook.phone.device import Device
from offhook.phone.editing import Edited
from offhook.phone.events import Event, TimePassed
from offhook.phone.news import News
from offhook.phone.postbox import Postbox
from offhook.phone.restoring import move_in
from offhook.phone.saved import Call, Left, Saved
from offhook.phone.states import State, move

# A disk that is full may have room again after this.
DISK_RETRY_S: Final = 30
MAX_NUMBER: Final = 256


class Life:
    """One phone from its start until it is closed, or signed out with nothing left to report.

    `fresh`: it has signed in a moment ago, or does one thing only, so that nothing is asked by itself at the start.
    """

    __slots__ = (
        *("calls", "device", "due", "farewell", "fresh", "left", "log_out_s", "move_in_s", "news", "over", "post"),
        *("saved", "services", "settings_open", "state", "strict"),
    )

    def __init__(self, device: Device, saved: Saved | None, *, fresh: bool = False, strict: bool = False) -> None:
        self.device, self.saved, self.fresh, self.strict = device, saved, fresh, strict
        leaving = saved.leaving if saved else None
        self.state = State.SIGNED_OUT if saved is None else State.LOGGING_OUT if leaving else State.RUNNING
        self.left: Left | None = None
        # What waits for a safe moment: news of the services; a logout, by its message.
        self.news = News()
        self.farewell = leaving.message if leaving else None
        self.log_out_s = self.move_in_s = 0.0
        self.settings_open = False
        self.calls: tuple[tuple[events.CallBegan, float], ...] = ()
        self.due: dict[Check, Due] = {}
        self.post = Postbox()
        self.services = Services(device, strict=strict)
        self.over = False

    def run(self) -> Flow[Left | None]:
        """Live. What is left of the account comes out when it is gone, None when the app was closed."""
        yield Enter(self.state)
        yield from self._start()
        while not self.over:
            yield from self._do_what_is_due()
            if self.saved is None and self.post.next_s() is None:
                break
            if not self.over:
                event = yield from wait(self._next_s())
                yield from self._meet(event)
        return self.left

    def _start(self) -> Flow[None]:
        """Take over what an earlier start left behind, and plan what is to be asked (D9)."""
        now_s = (yield from look()).monotonic_s
        if self.saved is not None and self.farewell is None:
            yield from self._move_in(self.saved, now_s)
        self.post.collect((yield from take_reports()), now_s)
        if self.saved is None or self.farewell is not None:
            # A call may be in progress already, and nothing is done before that is known.
            yield from self._catch_up()
            return
        yield Register(self.saved.account)
        if not self.fresh:
            yield from self.post.begin_tokens(self.saved, self.device, now_s, strict=self.strict)
        for check, interval_s in self._intervals(self.saved).items():
            share = yield from _share(check)
            planned = agenda.after_success(now_s, now_s, interval_s, share)
            self.due[check] = planned if self.fresh or not interval_s else agenda.at_once(now_s)

    def _move_in(self, saved: Saved, now_s: float) -> Flow[None]:
        self.saved = yield from move_in(saved, self.device, strict=self.strict)
        self.move_in_s = now_s + DISK_RETRY_S

    def _catch_up(self) -> Flow[None]:
        """Take note of what has happened already."""
        while not self.over and not isinstance(event := (yield from wait(0.0)), TimePassed):
            yield from self._meet(event)

    def _next_s(self) -> float | None:
        """The moment of the next thing to do; nothing is asked for an account that is to go."""
        moments = [at_s for at_s in (*self._asked_s(), self.post.next_s()) if at_s is not None]
        return min(moments, default=None)

    def _asked_s(self) -> list[float | None]:
        if self.farewell is None:
            waiting = [self.move_in_s] if self.saved is not None and self.saved.predecessors else []
            return [*waiting, *(due.at_s for due in self.due.values())]
        return [self.log_out_s] if self.saved is not None and not self.calls else []

    def _do_what_is_due(self) -> Flow[None]:
        now_s = (yield from look()).monotonic_s
        if self.farewell is None and self.saved is not None:
            due = {check for check, planned in self.due.items() if planned.is_over(now_s)}
            if due:
                yield from self._ask(due)
            if self.saved.predecessors and self.move_in_s <= now_s:
                yield from self._move_in(self.saved, now_s)
                self.post.collect((yield from take_reports()), now_s)
        if not self.over:
            yield from self._settle()
        yield from self.post.deliver()

    # --- asking ------------------------------------------------------------------------------------------------------

    def _ask(self, due: Collection[Check]) -> Flow[None]:
        """Ask the services that are due, and take note of what happened while we waited for their answers."""
        yield from self._enter(State.REPROVISIONING)
        for check in Check:
            if (check in due or (yield from self._is_wanted_at_once(check, due))) and self.farewell is None:
                yield from self._check(check)
        yield from self._catch_up()

    def _is_wanted_at_once(self, check: Check, due: Collection[Check]) -> Flow[bool]:
        """What lies over the portal's part is asked for with it, when that is new and the server allows."""
        if check is not Check.GLOBAL or Check.PORTAL not in due or self.news.app is None or check not in self.due:
            return False
        return self.due[check].not_before_s <= (yield from look()).monotonic_s

    def _check(self, check: Check) -> Flow[None]:
        assert self.saved is not None
        began_s = (yield from look()).monotonic_s
        checked = yield from checks.ask(check, Asking(self.saved, self.news, self.services))
        self.news = checked.news
        if isinstance(checked.outcome, LogOut):
            yield from self._decide(checked.outcome.message)
        else:
            yield from self._plan(check, began_s, checked.outcome)

    def _plan(self, check: Check, began_s: float, outcome: Outcome) -> Flow[None]:
        """When this is asked for again."""
        assert self.saved is not None
        interval_s = self._intervals(self.saved).get(check, 0)
        now_s = (yield from look()).monotonic_s
        if isinstance(outcome, Useless):
            number = yield from draw()
            self.due[check] = agenda.after_failure(
                self.due.get(check, Due()), now_s, interval_s, outcome.retry_after_s, number
            )
        else:
            share = yield from _share(check)
            self.due[check] = agenda.after_success(began_s, now_s, interval_s, share)

    def _intervals(self, saved: Saved) -> dict[Check, int]:
        return checks.intervals(saved, self.services.of(saved))

    def _replan(self) -> Flow[None]:
        """What re-provisioning, or the user, changed about intervals and services takes effect."""
        assert self.saved is not None
        now_s = (yield from look()).monotonic_s
        found = self._intervals(self.saved)
        self.due = {check: agenda.replanned(self.due.get(check, Due()), now_s, found[check]) for check in found}

    # --- applying ----------------------------------------------------------------------------------------------------

    def _settle(self) -> Flow[None]:
        """Do what waited for a safe moment, if this is one: a logout waits for calls only (D12)."""
        if self.saved is None:
            return
        if self.farewell is not None:
            if self.calls:
                yield from self._enter(State.WAITING)
            else:
                yield from self._log_out(self.saved, self.farewell)
        elif self.news and (self.settings_open or self.calls):
            yield from self._enter(State.WAITING)
        else:
            if self.news:
                yield from self._apply(self.saved)
            yield from self._enter(State.RUNNING)

    def _apply(self, saved: Saved) -> Flow[None]:
        waiting, self.news = self.news, News()
        try:
            applied = news.apply(saved, waiting, self.device.locale)
            yield Update(applied.saved)
        except OffhookError as error:
            # The record is as it was, with its validators, so asking again brings all of it again.
            yield Remark(Diagnostic("news", f"could not be kept, and will be asked for again: {error.text}"))
            for check in Check:
                if not waiting.validators.keys().isdisjoint(checks.PARTS[check]):
                    yield from self._plan(check, 0.0, Useless(error.text))
            return
        self.saved = applied.saved
        for remark in applied.remarks:
            yield Remark(remark)
        if applied.saved.theme != saved.theme:
            yield from _quietly(Tidy(applied.saved))
        yield from self._changed(saved, applied.saved)

    def _changed(self, before: Saved, after: Saved) -> Flow[None]:
        """The account is another one now."""
        if registration.changed(before.account, after.account):
            yield Register(after.account)
        yield from self._replan()

    def _decide(self, message: str) -> Flow[None]:
        """The account is to go, which is kept at once: a call may take long, and the app may be closed meanwhile."""
        if self.saved is not None and self.farewell is None:
            self.farewell = message
            self.saved = logout.decide(self.saved, message)
            yield from _quietly(Update(self.saved))

    def _log_out(self, saved: Saved, message: str) -> Flow[None]:
        """All the steps of D13; a disk that does not play along only delays them."""
        now_s = (yield from look()).monotonic_s
        if now_s < self.log_out_s:
            return
        yield from self._enter(State.LOGGING_OUT)
        try:
            saved = self.saved = yield from logout.leave(saved, self.device, strict=self.strict)
            self.left = yield from logout.erase(saved)
        except OffhookError as error:
            self.log_out_s = now_s + DISK_RETRY_S
            yield Remark(Diagnostic("logout", f"goes on later: {error.text}"))
            return
        self.saved, self.due, self.news = None, {}, News()
        self.post.forget_tokens()
        yield from self._enter(State.SIGNED_OUT)
        if message:
            yield Show(message)
        self.post.collect((yield from take_reports()), now_s)

    def _enter(self, state: State) -> Flow[None]:
        if state is not self.state:
            self.state = move(self.state, state)
            yield Enter(state)

    # --- what happens ------------------------------------------------------------------------------------------------

    def _meet(self, event: Event) -> Flow[None]:
        """Take note of an event; what it makes possible is done afterwards."""
        if isinstance(event, TimePassed):
            return
        now_s = (yield from look()).monotonic_s
        match event:
            case events.Quit():
                self.over = True
            case events.SettingsOpened() | events.SettingsClosed():
                self.settings_open = isinstance(event, events.SettingsOpened)
            case events.CallBegan():
                heard = msgspec.structs.replace(event, number=_dialled(event.number))
                self.calls = (*self.calls, (heard, now_s - event.ago_s))
            case events.CallEnded():
                yield from self._end_calls(_dialled(event.number), now_s)
            case events.Button():
                self.due = {check: msgspec.structs.replace(due, at_s=now_s) for check, due in self.due.items()}
                self.post.hurry(now_s)
                self.log_out_s = 0.0
            case events.NetworkBack():
                for check, due in self.due.items():
                    self.due[check] = agenda.back_online(due, now_s, (yield from draw()))
                self.post.hurry(now_s)
            case events.SignOut():
                yield from self._decide("")
            case edit:
                yield from self._edit(edit, now_s)

    def _end_calls(self, number: str, now_s: float) -> Flow[None]:
        """Write the calls that are over into the history, which stays with the user also when the disk is full now."""
        over = [one for one in self.calls if number in {"", one[0].number}]
        self.calls = tuple(one for one in self.calls if one not in over)
        wall = (yield from look()).wall
        for call, began_s in over:
            if self.saved is not None:
                lasted_s = max(round(now_s - began_s), 0)
                began_at = wall - timedelta(seconds=lasted_s)
                kept = self.saved.with_call(Call(call.number, began_at, lasted_s, call.incoming))
                self.saved = logout.back_up_again(kept)
        if over and self.saved is not None:
            yield from _quietly(Update(self.saved))

    def _edit(self, event: events.Edit | events.DialAdded, now_s: float) -> Flow[None]:
        """A change of the user's; a changed account is asked for again (D9), as soon as the server allows (D11)."""
        if self.saved is None or self.state is State.LOGGING_OUT:
            yield Show("Nobody is signed in on this phone.")
            return
        before = self.saved
        try:
            edited = _edited(before, event, self.device.locale)
            after = logout.back_up_again(edited.saved)
            yield Update(after)
        except OffhookError as error:
            yield Show(error.text)
            return
        self.saved = after
        for remark in edited.remarks:
            yield Remark(remark)
        yield from self._changed(before, after)
        if isinstance(event, events.Edit) and not event.preference and Check.ACCOUNT in self.due:
            self.due[Check.ACCOUNT] = agenda.soon(self.due[Check.ACCOUNT], now_s)


def _dialled(number: str) -> str:
    """The number as it can be kept: what was no text on the command line is no text for the history either."""
    return number[:MAX_NUMBER].encode("utf-8", "replace").decode()


def _edited(saved: Saved, event: events.Edit | events.DialAdded, locale: str) -> Edited:
    if isinstance(event, events.DialAdded):
        return editing.add_dial(saved, event.id, event.display_name, event.uri)
    if event.preference:
        return editing.prefer(saved, event.key, event.content)
    return editing.edit(saved, event.key, event.content, locale)


def _share(check: Check) -> Flow[float]:
    """The part of the interval that is waited: drawn for the portal, the whole for the provider's services (D9)."""
    if check is not Check.PORTAL:
        return 1.0
    number = yield from draw()
    return agenda.EARLIEST_SHARE + (1 - agenda.EARLIEST_SHARE) * number


def _quietly(command: Update | Tidy) -> Flow[None]:
    """Do what can be made up for later; a disk that does not play along is told."""
    try:
        yield command
    except OffhookError as error:
        yield Remark(Diagnostic("vault", error.text))
