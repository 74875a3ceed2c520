"""The users: they call, look into the settings, change things, sign out and in, and treat their phones badly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from offhook.phone import events
from offhook.phone.commands import (
    DropBackup,
    DropReport,
    Erase,
    KeepTheme,
    PutBackup,
    PutReport,
    Save,
    TakeBackup,
    Tidy,
    Update,
)
from tests.simulation.clock import DAY_S, HOUR_S, MINUTE_S, Heap
from tests.simulation.phone import Phone
from tests.simulation.truth import User

# How often each thing is done, in relation to the others.
DEEDS: Final = {
    "call": 20,
    "settings": 12,
    "edit": 14,
    "dial": 5,
    "button": 6,
    "sign_out": 2,
    "sign_in_again": 8,
    "somebody_else": 5,
    "close": 6,
    "switch_off": 4,
    "tunnel": 8,
    "network_back": 3,
    "set_clock": 4,
    "fill_disk": 3,
    "break_disk": 4,
    "lose_power": 6,
}
GENTLE: Final = ("call", "settings", "edit", "dial", "button", "sign_out", "sign_in_again", "somebody_else", "close")
MOST_CALLS: Final = 400
# What a disk may fail at, each by itself.
KEPT: Final = (Save, KeepTheme, Update, Tidy, Erase, PutReport, DropReport, PutBackup, TakeBackup, DropBackup)


class Person:
    """Whoever holds one phone; `users` are those who sign in on it, the first one most of the time."""

    def __init__(
        self, phone: Phone, users: list[User], heap: Heap, seed: str, *, every_s: float, faults: float
    ) -> None:
        self.phone, self.users, self.heap, self.random = phone, users, heap, Random(seed)
        self.every_s, self.calm, self.made = every_s, False, 0
        names = list(DEEDS) if faults else list(GENTLE)
        self.deeds, self.weights = names, [DEEDS[name] for name in names]
        self.wanted: User | None = users[0]

    def begin(self) -> None:
        """Get a phone, and sign in within the first hours."""
        self.heap.after(self.random.random() * HOUR_S, self._start)
        self._plan()

    def _plan(self) -> None:
        self.heap.after(self.random.expovariate(1 / self.every_s), self._do_something)

    def _start(self) -> None:
        if not self.phone.on:
            self.phone.start()
        self._sign_in_if_out()

    def _do_something(self) -> None:
        if self.calm:
            return
        deed: Callable[[], None] = getattr(self, f"_{self.random.choices(self.deeds, self.weights)[0]}")
        if self.phone.on:
            deed()
        self._sign_in_if_out()
        self._plan()

    def calm_down(self) -> None:
        """Do nothing any more, but be signed in."""
        self.calm = True
        phone = self.phone
        phone.disk.full, phone.disk.moments_left, phone.failing = False, None, ()
        phone.offline_until_s = 0.0
        if not phone.on:
            phone.start()
        self._end_call()
        self._close_settings()
        self._sign_in_if_out()
        phone.tell(events.NetworkBack())

    def _sign_in_if_out(self) -> None:
        phone, user = self.phone, self.wanted
        if user is None or not phone.on or phone.signing_in is not None:
            return
        out = phone.life is not None and phone.life.saved is None
        if out and user.exists and not user.suspended and self.random.random() < (1.0 if self.calm else 0.7):
            phone.sign_in(user)

    # --- ordinary deeds ----------------------------------------------------------------------------------------------

    def _text(self) -> str:
        """Something that names its maker."""
        self.made += 1
        name = self.phone.user.name if self.phone.user else "nobody"
        return f"{name}#{self.phone.number}-{self.made}"

    def _call(self) -> None:
        if self.phone.busy_since_s or not self.phone.is_on_record or self.made > MOST_CALLS:
            return
        number = self._text()
        act = events.CallBegan(number, incoming=self.random.random() < 0.5)
        self._be_busy()
        self.phone.tell(act)
        ended = partial(self._hang_up, self.phone.turn, act)
        self.heap.after(self.random.expovariate(1 / (5 * MINUTE_S)), ended)

    def _hang_up(self, turn: int, act: events.CallBegan) -> None:
        if turn == self.phone.turn:
            if self.phone.user is not None and self.phone.is_on_record:
                self.phone.things_of(self.phone.user.owner).tell(act)
            self.phone.tell(events.CallEnded(act.number))
        self._be_free(turn)

    def _settings(self) -> None:
        if self.phone.busy_since_s or not self.phone.is_signed_in:
            return
        self._be_busy()
        self.phone.tell(events.SettingsOpened())
        stays_s = self.random.expovariate(1 / (10 * MINUTE_S)) + HOUR_S * 8 * (self.random.random() < 0.1)
        self.heap.after(stays_s, partial(self._close_page, self.phone.turn))

    def _close_page(self, turn: int) -> None:
        if turn == self.phone.turn:
            self.phone.tell(events.SettingsClosed())
        self._be_free(turn)

    def _be_busy(self) -> None:
        self.phone.busy_since_s = self.heap.now_s

    def _be_free(self, turn: int) -> None:
        if turn == self.phone.turn:
            self.phone.busy_since_s, self.phone.free_since_s = 0.0, self.heap.now_s

    def _end_call(self) -> None:
        self.phone.tell(events.CallEnded())
        self._be_free(self.phone.turn)

    def _close_settings(self) -> None:
        self.phone.tell(events.SettingsClosed())

    def _edit(self) -> None:
        preference = self.random.random() < 0.5
        number = self.random.randint(1, 3)
        self._make(events.Edit(f"own{number}" if preference else f"X-own-{number}", self._text(), preference))

    def _dial(self) -> None:
        self._make(events.DialAdded(f"own-{self.random.randint(1, 3)}", self._text(), "sip:1"))

    def _make(self, act: events.Edit | events.DialAdded) -> None:
        phone = self.phone
        if phone.is_on_record and phone.user is not None and phone.flow is not None:
            phone.things_of(phone.user.owner).tell(act)
            phone.tell(act)

    def _button(self) -> None:
        self.phone.tell(events.Button())

    def _sign_out(self) -> None:
        if self.phone.is_signed_in and self.phone.flow is not None:
            self.phone.wants_out = True
            self.wanted = None
            self.phone.tell(events.SignOut())
            self.heap.after(self.random.expovariate(1 / DAY_S), self._want_in)

    def _want_in(self) -> None:
        self.wanted = self.users[0]

    def _sign_in_again(self) -> None:
        """The same user once more, over what is there."""
        user = self.phone.user
        if self.phone.is_signed_in and user is not None and user.exists and not user.suspended:
            self.phone.sign_in(user)

    def _somebody_else(self) -> None:
        """Another user of this device takes over, without the first one signing out."""
        if len(self.users) > 1 and self.phone.is_signed_in:
            others = [one for one in self.users if one is not self.phone.user and one.exists and not one.suspended]
            if others:
                self.wanted = self.random.choice(others)
                self.phone.sign_in(self.wanted)

    # --- bad treatment -----------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """The system ends the app, and the user starts it again."""
        self.phone.stop("closed")
        self.heap.after(self.random.expovariate(1 / HOUR_S), self._start_again)

    def _switch_off(self) -> None:
        self.phone.stop("switched off")
        self.heap.after(self.random.choice([HOUR_S, DAY_S, 10 * DAY_S]) * self.random.random(), self._start_again)

    def _start_again(self) -> None:
        if not self.phone.on:
            self.phone.start()

    def _tunnel(self) -> None:
        self.phone.offline_until_s = self.heap.now_s + self.random.expovariate(1 / (3 * HOUR_S))

    def _network_back(self) -> None:
        self.phone.offline_until_s = 0.0
        self.phone.tell(events.NetworkBack())

    def _set_clock(self) -> None:
        self.phone.skew_s = self.random.choice([-DAY_S * 400, -HOUR_S, -5, 0, 5, HOUR_S, DAY_S * 400])

    def _fill_disk(self) -> None:
        self.phone.disk.full = True
        self.phone.tell_story("the disk is full")
        self.heap.after(self.random.expovariate(1 / HOUR_S), self._free_disk)

    def _free_disk(self) -> None:
        self.phone.disk.full = False

    def _break_disk(self) -> None:
        """Some of the things that are kept cannot be for a while, mostly while somebody comes or goes."""
        deed: Callable[[], None] = self.random.choice([self._leave_badly, self._return_badly, self._fail_at_anything])
        deed()

    def _fail_at_anything(self) -> None:
        self._fail_at(*self.random.sample(KEPT, 2), for_s=6 * HOUR_S)

    def _leave_badly(self) -> None:
        """A logout that the disk delays, and a call meanwhile."""
        self._fail_at(self.random.choice((PutReport, PutBackup, Erase)), for_s=HOUR_S)
        self._sign_out()
        self.heap.after(MINUTE_S, self._call)

    def _return_badly(self) -> None:
        """Whoever signs out comes back soon, the backup cannot be put back, and then they go again."""
        user = self.phone.user
        if user is not None and self.phone.is_signed_in:
            self._sign_out()
            self.heap.after(10 * MINUTE_S, partial(self._come_back, user))
            self.heap.after(HOUR_S, self._sign_out)

    def _come_back(self, user: User) -> None:
        if self.phone.on and not self.phone.is_on_record and not self.calm:
            self._fail_at(self.random.choice((TakeBackup, Update)), for_s=20 * MINUTE_S)
            self.phone.sign_in(user)

    def _fail_at(self, *kinds: type, for_s: float) -> None:
        self.phone.failing = kinds
        self.phone.tell_story(f"the disk fails at {', '.join(kind.__name__ for kind in kinds)}")
        self.heap.after(self.random.random() * for_s, self._mend_disk)

    def _mend_disk(self) -> None:
        self.phone.failing = ()

    def _lose_power(self) -> None:
        """The power goes in the middle of one of the next operations of the disk, or now."""
        if self.random.random() < 0.8:
            self.phone.disk.moments_left = self.random.randint(0, 20)
            self._make(events.Edit(f"own{self.random.randint(1, 3)}", self._text(), preference=True))
        else:
            self.phone.lose_power()
        self.heap.after(HOUR_S + self.random.expovariate(1 / HOUR_S), self._power_is_back)

    def _power_is_back(self) -> None:
        self.phone.disk.moments_left = None
        self._start_again()
