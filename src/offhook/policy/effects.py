"""All kinds of effect: what a rule does to an answer when it matches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, TypeAlias

import msgspec

from offhook.core import accountxml, dialplan, xml
from offhook.core.catalogue import KEYS
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials
from offhook.core.errors import Fault
from offhook.core.keys import is_secret
from offhook.core.masking import in_the_clear, masked
from offhook.core.mergeable import PROVIDER, Value
from offhook.core.webservice import LOGOUT_STATUS_FAULT, LOGOUT_STATUS_KEY
from offhook.policy.checking import Checked
from offhook.policy.draft import Draft
from offhook.policy.facts import shown
from offhook.policy.resolution import (
    MAX_MESSAGE,
    DeviceLimit,
    Logout,
    Overflow,
    Refusal,
    Setting,
    Signature,
    Strength,
)

MAX_VALUE: Final = 16 * 1024
SOURCE: Final = "policy"
# A name as users' values have them; a JSON document is none.
_PLACEHOLDER: Final = re.compile(r"\{(\w[^{}\"%:;\x00-\x1f]{0,127})\}")

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Long: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_VALUE)]
Message: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_MESSAGE)]


class Effect(Checked, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do"):
    """What all kinds of effect can do; `str()` of one says what it does."""

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        """Do it, unless an earlier rule has decided the same thing."""

    def target(self) -> tuple[str, str]:
        """What it decides, by kind and name; two effects of one rule must not decide the same."""
        return str(self.__struct_config__.tag).replace("_", " "), ""

    def columns(self) -> tuple[str, ...]:
        """The `{column}` placeholders in it, which whoever composes the answer fills in."""
        return ()


class SetKey(Effect, frozen=True, tag="set"):
    """A key of the account gets a value: a text, or with `markup` elements. `{column}` stands for the user's value."""

    key: Name
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_VALUE)]
    strength: Strength = Strength.ORDINARY
    markup: bool = False

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        sent = draft.signs_in or self.strength is not Strength.DEFAULT_ONCE
        draft.set(self.key, Setting(self.value, self.strength.rank, self.markup, sent, by, reason))

    def target(self) -> tuple[str, str]:
        return "key", self.key

    def columns(self) -> tuple[str, ...]:
        return columns(self.value)

    def faults(self) -> Iterator[Fault]:
        yield from _unwritable({self.key: Value(self.value, self.strength.rank, SOURCE, self.markup)})
        known = KEYS.find(self.key)
        yield from _in_the_clear("value", self.key, self.value, markup=self.markup)
        if is_secret(self.key):
            return
        if known is not None and not self.markup and not self.columns() and (fault := known.fault(self.value)):
            yield Fault("value", fault)

    def __str__(self) -> str:
        if is_secret(self.key) and not _PLACEHOLDER.fullmatch(self.value):
            return f"sets {shown(self.key)}"
        text = self.value if is_secret(self.key) else masked(self.key, self.value, markup=self.markup)
        return f"sets {shown(self.key)} to {shown(text)}{_HOW[self.strength]}"


class Blank(Effect, frozen=True, tag="blank"):
    """A key of the account is sent empty, so that phones which have a value lose it.

    What was enforced, or is the user's own, gives way only to a blank that is `enforced`, too.
    """

    key: Name
    strength: Strength = Strength.ORDINARY

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        draft.set(self.key, Setting("", self.strength.rank, markup=False, sent=True, by=by, reason=reason))

    def target(self) -> tuple[str, str]:
        return "key", self.key

    def faults(self) -> Iterator[Fault]:
        yield from _unwritable({self.key: Value("", self.strength.rank, SOURCE)})
        if self.strength is Strength.DEFAULT_ONCE:
            yield Fault("strength", "is ordinary or enforced: at its sign-in, a phone has nothing to lose")
        known = KEYS.find(self.key)
        if known is not None and (fault := known.fault("")):
            yield Fault("key", f"{self.key} {fault}")

    def __str__(self) -> str:
        return f"blanks {shown(self.key)}{_HOW[self.strength]}"


class AddQuickDial(Effect, frozen=True, tag="add_quick_dial"):
    """A quick dial is added, or set anew when the phone has one of this id."""

    id: Name
    uri: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    display_name: Message = ""
    portrait_url: Annotated[str, msgspec.Meta(max_length=2048)] = ""

    def item(self) -> QuickDial:
        """The quick dial itself."""
        return QuickDial(self.id, self.display_name, self.uri, self.portrait_url, PROVIDER, SOURCE)

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        draft.dial(self.id, self.item(), by, reason)

    def target(self) -> tuple[str, str]:
        return "quick dial", self.id

    def columns(self) -> tuple[str, ...]:
        return columns(self.uri, self.display_name, self.portrait_url)

    def faults(self) -> Iterator[Fault]:
        part = GlobalPart(QuickDials((self.item(),)))
        yield from (Fault("", fault.text) for fault in dialplan.faults(part))
        for name, text in (("uri", self.uri), ("portrait_url", self.portrait_url)):
            yield from _in_the_clear(name, name, text)

    def __str__(self) -> str:
        return f"adds quick dial {shown(self.id)}, which calls {shown(masked('uri', self.uri))}"


class RemoveQuickDial(Effect, frozen=True, tag="remove_quick_dial"):
    """A quick dial is removed, also from phones that have it."""

    id: Name

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        draft.dial(self.id, None, by, reason)

    def target(self) -> tuple[str, str]:
        return "quick dial", self.id

    def faults(self) -> Iterator[Fault]:
        part = GlobalPart(QuickDials((QuickDial(self.id),)))
        return (Fault("", fault.text) for fault in dialplan.faults(part))

    def __str__(self) -> str:
        return f"removes quick dial {shown(self.id)}"


class AddDialAction(Effect, frozen=True, tag="add_dial_action"):
    """A dial action is added, or its values are set in the one that the phone has."""

    id: Name
    values: Annotated[dict[Name, Long], msgspec.Meta(max_length=100)]

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        draft.act(self.id, self.values, by, reason)

    def target(self) -> tuple[str, str]:
        return "dial action", self.id

    def columns(self) -> tuple[str, ...]:
        return columns(*self.values.values())

    def faults(self) -> Iterator[Fault]:
        values = {name: Value(text, PROVIDER, SOURCE) for name, text in self.values.items()}
        for fault in dialplan.faults(GlobalPart(dial_actions={self.id: values})):
            yield Fault("", str(fault))
        for name, text in self.values.items():
            yield from _in_the_clear(f"values, {shown(name)}", name, text)

    def __str__(self) -> str:
        return f"adds dial action {shown(self.id)}"


class RemoveDialAction(Effect, frozen=True, tag="remove_dial_action"):
    """A dial action is left out of the answer. The protocol cannot remove one: a phone that has it keeps it."""

    id: Name

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        draft.act(self.id, None, by, reason)

    def target(self) -> tuple[str, str]:
        return "dial action", self.id

    def __str__(self) -> str:
        return f"leaves out dial action {shown(self.id)}"


class AtMostDevices(Effect, frozen=True, tag="at_most_devices"):
    """A user may have so many active installs; one more is refused, or the oldest ends for it."""

    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    then: Overflow = Overflow.REFUSE
    message: Message = ""

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        draft.limit(DeviceLimit(self.count, self.then, self.message, by, reason))

    def faults(self) -> Iterator[Fault]:
        return _unshowable(self.message)

    def __str__(self) -> str:
        then = "refuses one more" if self.then is Overflow.REFUSE else "ends the oldest for one more"
        return f"allows {self.count} device{'s' if self.count > 1 else ''} and {then}"


class Refuse(Effect, frozen=True, tag="refuse"):
    """The request is refused with a message. A phone that is signed in keeps its account, and asks again later."""

    message: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_MESSAGE)]

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        draft.turn_away(Refusal(self.message, by, reason))

    def target(self) -> tuple[str, str]:
        return "verdict", ""

    def faults(self) -> Iterator[Fault]:
        return _unshowable(self.message)

    def __str__(self) -> str:
        return f"refuses: {shown(self.message)}"


class LogOut(Effect, frozen=True, tag="log_out"):
    """The phone is logged out with a message, and a sign-in is refused with it (D21)."""

    message: Message

    def lay(self, draft: Draft, by: Signature, reason: str) -> None:
        draft.turn_away(Logout(self.message, by, reason))

    def target(self) -> tuple[str, str]:
        return "verdict", ""

    def faults(self) -> Iterator[Fault]:
        return _unshowable(self.message)

    def __str__(self) -> str:
        return f"logs out: {shown(self.message)}"


AnyEffect: TypeAlias = (
    SetKey | Blank | AddQuickDial | RemoveQuickDial | AddDialAction | RemoveDialAction | AtMostDevices | Refuse | LogOut
)

_HOW: Final = {
    Strength.DEFAULT_ONCE: " at the sign-in",
    Strength.ORDINARY: "",
    Strength.ENFORCED: " whatever the user chose",
}


def columns(*texts: str) -> tuple[str, ...]:
    """The placeholders in these texts, each once."""
    return tuple(dict.fromkeys(name for text in texts for name in _PLACEHOLDER.findall(text)))


def _unwritable(values: dict[str, Value]) -> Iterator[Fault]:
    yield from (Fault("", str(fault)) for fault in accountxml.faults(values))
    if LOGOUT_STATUS_KEY in values:
        yield Fault("key", f"{LOGOUT_STATUS_KEY} {LOGOUT_STATUS_FAULT}")


def _in_the_clear(place: str, name: str, text: str, *, markup: bool = False) -> Iterator[Fault]:
    """A secret is only ever a reference, whole and alone; what is written in its place is not repeated."""
    if is_secret(name) and text and not _PLACEHOLDER.fullmatch(text):
        yield Fault(place, f"is a secret in the clear, since {name} is one; write {{column}}, a sealed one of the user")
        return
    for found in dict.fromkeys(in_the_clear(name, text, markup=markup)):
        yield Fault(
            place, f"has a secret in the clear: {shown(found)}; write {{column}} there, a sealed one of the user"
        )


def _unshowable(message: str) -> Iterator[Fault]:
    if reason := xml.forbidden(message):
        yield Fault("message", reason)
