"""A resolution while the rules that match are laid into it, one after the other: the first one decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from offhook.core.dialplan import QuickDial
from offhook.core.masking import masked
from offhook.policy.resolution import (
    LET_IN,
    Action,
    Beaten,
    DeviceLimit,
    Dial,
    Logout,
    Overflow,
    Refusal,
    Resolution,
    Setting,
    Signature,
    Verdict,
)
from offhook.policy.subject import Occasion, Subject

TOO_MANY: Final = "You are signed in on as many devices as you may use. Sign out on one of them first."

_Decided = TypeVar("_Decided", Setting, Dial, Action)


class Draft:
    """What has been decided so far."""

    def __init__(self, subject: Subject) -> None:
        self.signs_in = subject.occasion is Occasion.SIGN_IN
        self._installs = subject.installs
        self._is_one_more = self.signs_in and subject.new_device
        self._settings: dict[str, Setting] = {}
        self._dials: dict[str, Dial] = {}
        self._actions: dict[str, Action] = {}
        self._verdict: Verdict = LET_IN
        self._limit: DeviceLimit | None = None

    def set(self, key: str, setting: Setting) -> None:
        """The value of a key, unless an earlier rule has decided it."""
        earlier = self._settings.get(key)
        self._settings[key] = _beat(earlier, setting, setting.value, markup=setting.markup) if earlier else setting

    def dial(self, identity: str, item: QuickDial | None, by: Signature, reason: str) -> None:
        """A quick dial, or that there is none."""
        earlier, new = self._dials.get(identity), Dial(item, by, reason)
        self._dials[identity] = _beat(earlier, new, masked("uri", item.uri) if item else None) if earlier else new

    def act(self, identity: str, values: Mapping[str, str] | None, by: Signature, reason: str) -> None:
        """A dial action, or that there is none."""
        earlier, new = self._actions.get(identity), Action(values, by, reason)
        wanted = None if values is None else ", ".join(f"{name} {masked(name, text)}" for name, text in values.items())
        self._actions[identity] = _beat(earlier, new, wanted) if earlier else new

    def limit(self, limit: DeviceLimit) -> None:
        """How many devices the user may have."""
        self._limit = self._limit or limit

    def turn_away(self, verdict: Refusal | Logout) -> None:
        """That the subject gets no account. Whoever is not signed in cannot be logged out, and is refused."""
        if self._verdict is not LET_IN:
            return
        if self.signs_in and isinstance(verdict, Logout):
            verdict = Refusal(verdict.message, verdict.by, verdict.reason)
        self._verdict = verdict

    def finish(self, matched: list[Signature], lots: dict[str, bool], next_flip_s: int | None) -> Resolution:
        """The resolution."""
        return Resolution(
            self._settings,
            self._dials,
            self._actions,
            self._limit,
            self._refused_by_limit() if self._verdict is LET_IN and self._limit is not None else self._verdict,
            tuple(matched),
            lots,
            next_flip_s,
        )

    def _refused_by_limit(self) -> Verdict:
        limit = self._limit
        assert limit is not None
        if not self._is_one_more or limit.then is not Overflow.REFUSE or not limit.too_many(self._installs):
            return LET_IN
        count = f"the user has {self._installs} installs with this one, and {limit.count} may be active"
        return Refusal(limit.message or TOO_MANY, limit.by, f"{limit.reason.removesuffix('.')}; {count}.")


def _beat(earlier: _Decided, later: _Decided, value: str | None, *, markup: bool = False) -> _Decided:
    beaten = (*earlier.beaten, Beaten(later.by, value, later.reason, markup))
    return msgspec.structs.replace(earlier, beaten=beaten)
