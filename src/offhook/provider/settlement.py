"""What a phone makes of what portal and provider say, as it is told to people: by rank and licence, secrets masked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Final, TypeAlias

import msgspec

from offhook.core.base import Base
from offhook.core.dialplan import GlobalPart
from offhook.core.features import Features, gate
from offhook.core.masking import masked
from offhook.core.mergeable import PROVIDER, Admit, Document, Settled, Value, everything
from offhook.core.secret import MASK
from offhook.provider.change import is_secret
from offhook.provider.compose import Composition

# A longer text is cut, and told from others that begin alike by its length and digest.
MOST_SHOWN: Final = 200
# A secret whose name stands between these is not shown.
BEFORE_SECRET: Final = "\ue000"
AFTER_SECRET: Final = "\ue001"
_SEALED: Final = re.compile(f"{BEFORE_SECRET}[^{AFTER_SECRET}]*{AFTER_SECRET}")

# What stands for a thing when two of them are compared, None for nothing at all, and how it is shown.
Told: TypeAlias = tuple[object, "Sent"]
# The keys of an account, to be told and to be compared.
Settlement: TypeAlias = tuple[dict[str, Told], Document]


class Sent(msgspec.Struct, frozen=True):
    """A value as a phone settles it, with masks for secrets; an empty one blanks a key and removes a quick dial.

    `kept_out` says why the app does not take what the provider sends instead, for want of a licence (D18). When the
    text is empty then, nobody sends another value.
    """

    text: str
    rank: int
    markup: bool = False
    attributes: tuple[tuple[str, str], ...] = ()
    kept_out: str = ""


class Beneath:
    """What the portal says, which lies beneath all that the provider sends of the same rank."""

    def __init__(self, base: Base | None) -> None:
        self.account: Mapping[str, Value] = {} if base is None else base.account
        self.common = GlobalPart() if base is None else base.common
        self.features = None if base is None else Features.received(base.features)[0]
        self._admit: Admit = everything if self.features is None else gate(self.features)

    def settled(self, composition: Composition, keys: Collection[str]) -> Settlement:
        """What a phone makes of these keys of an account, to be told and to be compared."""
        told: dict[str, Told] = {}
        document: dict[str, Settled] = {}
        for key in keys:
            if key in composition.withheld:
                continue  # It was given at the sign-in, and nothing here changes that.
            ours, sent = self.account.get(key), composition.document.get(key)
            why = "" if sent is None else self._admit(key, sent) or ""
            if sent is not None and not why and (ours is None or sent.rank >= ours.rank):
                ours = sent
            if ours is not None:
                document[key] = Settled(ours)
                whole, shown = tell(key, ours)
                told[key] = whole, msgspec.structs.replace(shown, kept_out=why)
            elif sent is not None:
                told[key] = None, Sent("", sent.rank, kept_out=why)
        return told, Document(document)


def tell(name: str, value: Value) -> Told:
    """All of a value but where it comes from, and what may be seen of it."""
    whole = value.content, value.rank, value.markup, value.attributes
    attributes = tuple((one, _masked(one, text)) for one, text in value.attributes)
    return whole, Sent(_cut(_masked(name, value.content, markup=value.markup)), value.rank, value.markup, attributes)


def _masked(name: str, text: str, *, markup: bool = False) -> str:
    return MASK if text and is_secret(name) else masked(name, _SEALED.sub(MASK, text), markup=markup)


def _cut(text: str) -> str:
    if len(text) <= MOST_SHOWN:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{text[: MOST_SHOWN - 50]}... ({len(text):,} characters, {digest})"


def quick_dials(parts: tuple[GlobalPart, ...]) -> dict[str, Told]:
    """What is said of each quick dial in the end; of a lower rank, nothing counts any more."""
    told: dict[str, Told] = {}
    for dials in (part.quick_dials for part in parts):
        said: dict[str, Told] = {one.id: (("", one.rank), Sent("", one.rank)) for one in dials.removals}
        for one in dials.items:
            texts = one.display_name, one.uri, one.portrait_url
            shown = ", ".join(_masked("uri", text) for text in texts if text)
            said[one.id] = (*texts, one.rank), Sent(_cut(shown), one.rank)
        told |= {name: one for name, one in said.items() if name not in told or one[1].rank >= told[name][1].rank}
    return told


def dial_actions(parts: tuple[GlobalPart, ...]) -> dict[str, Told]:
    """What each dial action is in the end, key by key."""
    told: dict[str, Told] = {}
    for identity, values in _laid(parts).items():
        named = {name: tell(name, value) for name, value in sorted(values.items())}
        text = ", ".join(f"{name} {shown.text}" for name, (_, shown) in named.items())
        rank = max((value.rank for value in values.values()), default=PROVIDER)
        told[identity] = {name: whole for name, (whole, _) in named.items()}, Sent(_cut(text), rank)
    return told


def _laid(parts: tuple[GlobalPart, ...]) -> dict[str, dict[str, Value]]:
    """The keys of each dial action, by rank."""
    actions: dict[str, dict[str, Value]] = {}
    for part in parts:
        for identity, values in part.dial_actions.items():
            known = actions.setdefault(identity, {})
            known |= {name: one for name, one in values.items() if name not in known or one.rank >= known[name].rank}
    return actions
