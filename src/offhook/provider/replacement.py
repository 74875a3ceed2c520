"""What one phone gets otherwise when a policy takes the place of another one, computed without opening a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Final, TypeAlias

import msgspec

from offhook.core import registration
from offhook.core.masking import masked
from offhook.core.mergeable import PROVIDER, Document, Value
from offhook.core.secret import MASK, Secret
from offhook.policy.evaluate import Compiled
from offhook.policy.possible import Possible
from offhook.policy.resolution import LetIn, Logout, Refusal, Resolution, Setting, Verdict
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import said, segments_of
from offhook.policy.subject import Occasion
from offhook.provider.compose import Grant, common, compose
from offhook.provider.globalpart import GlobalAnswer
from offhook.provider.opening import VEIL
from offhook.provider.rulings import Case
from offhook.provider.subscriber import Override, Subscriber
from offhook.provider.tenant import Tenant

# A longer text is cut, and told from others that begin alike by its length and digest.
MOST_SHOWN: Final = 200
_VEILED: Final = Secret(MASK)
_SEALED: Final = re.compile("\ue000[^\ue001]*\ue001")
_VERDICT: Final = ("verdict", "")
# What stands for a thing when two of them are compared, and how it is shown.
_Told: TypeAlias = tuple[object, "Sent"]


class Fate(StrEnum):
    """What happens to a phone beside values that change."""

    REFUSED = "refused"
    LOGGED_OUT = "logged_out"
    LET_IN = "let_in"  # it was refused or logged out before
    OTHER_MESSAGE = "other_message"  # it gets no account, as before, and is told so in other words
    REGISTERS_ANEW = "registers_anew"


class Kind(StrEnum):
    """What changes."""

    KEY = "key"
    QUICK_DIAL = "quick_dial"
    DIAL_ACTION = "dial_action"


class Sent(msgspec.Struct, frozen=True):
    """A value as it is sent, with masks for secrets; an empty one blanks a key and removes a quick dial."""

    text: str
    rank: int
    markup: bool = False
    attributes: tuple[tuple[str, str], ...] = ()


class Move(msgspec.Struct, frozen=True):
    """One thing that is sent otherwise; None is not sent, and what is not sent stays on the phone (D5).

    `various` stands for values too many to be told one by one.
    """

    kind: Kind
    name: str
    before: Sent | None = None
    after: Sent | None = None
    various: bool = False


class Change(msgspec.Struct, frozen=True):
    """What changes for one phone now."""

    moves: tuple[Move, ...] = ()
    fates: tuple[Fate, ...] = ()


NO_CHANGE: Final = Change()


_FATES: Final[Mapping[type[Verdict], Fate]] = {
    LetIn: Fate.LET_IN,
    Refusal: Fate.REFUSED,
    Logout: Fate.LOGGED_OUT,
}


class Replacement:
    """A policy in the place of another one, of which there may be none.

    Only rules that differ can change anything, so whoever none of them can match is not looked at any further.
    `by_install` and `by_circumstances` say what phones of one user may be told apart by.
    """

    def __init__(self, tenant: Tenant, live: Policy | None, new: Policy) -> None:
        live = live or Policy()
        self._tenant, self._live, self._new = tenant, Compiled(live), Compiled(new)
        self._differing = _differing(live, new), _differing(new, live)
        self._suspects = [
            Compiled(msgspec.structs.replace(policy, rules=tuple(one for one in policy.rules if one.id in ids)))
            for policy, ids in zip((live, new), self._differing, strict=True)
        ]
        self._moved = _moved(live, new)
        self._possible = Possible(live), Possible(new)
        self._possible_suspects = tuple(Possible(one.policy) for one in self._suspects)
        self.by_install = self._live.draws_installs or self._new.draws_installs
        self.by_circumstances = bool(self._live.uses or self._new.uses)

    def change(self, subscriber: Subscriber, phone: Case) -> Change:
        """What changes for a user on a phone."""
        subject = phone.subject(subscriber)
        if not any(policy.candidates(subject) for policy in self._suspects):
            return NO_CHANGE
        old, new = self._live.resolve(subject), self._new.resolve(subject)
        fates, moves = tuple(_fates(old.verdict, new.verdict)), tuple[Move, ...]()
        if isinstance(old.verdict, LetIn) and isinstance(new.verdict, LetIn):
            moves, registers = self._account(subscriber, phone, old, new)
            if registers and subject.occasion is Occasion.AGAIN:
                fates = (Fate.REGISTERS_ANEW,)
            if _dialled(old) != _dialled(new):
                before, after = (common(self._tenant, subscriber, one, _MARKS) for one in (old, new))
                moves += tuple(_dials(before, after))
        return Change(moves, fates)

    def _account(
        self, subscriber: Subscriber, phone: Case, old: Resolution, new: Resolution
    ) -> tuple[tuple[Move, ...], bool]:
        """The keys that are sent otherwise, and whether the phone registers with others than it did."""
        either = old.settings.keys() | new.settings.keys()
        keys = {key for key in either if not _alike(old.settings.get(key), new.settings.get(key))}
        if not keys:
            return (), False
        grant = Grant(phone.install_id, _VEILED, _VEILED, again=phone.occasion is Occasion.AGAIN)

        def composed(resolution: Resolution) -> Document:
            settings = {key: one for key, one in resolution.settings.items() if key in keys}
            narrow = msgspec.structs.replace(resolution, settings=settings)
            return compose(self._tenant, subscriber, grant, narrow, _MARKS, keys=keys).document

        before, after = composed(old), composed(new)
        moves = tuple(_moves(Kind.KEY, _keys(before, keys), _keys(after, keys)))
        kept = Document({**before.keys, **after.keys})
        return moves, bool(moves) and registration.changed(before, kept)

    def may_follow(self, subscriber: Subscriber, now_s: int) -> bool:
        """Whether something may change for a user at another time or on another phone, for whom nothing does now.

        A rule that differs may match then; or it matches now, decides nothing, and may when one above it ceases to.
        """
        subject = Case(None, now_s).subject(subscriber)
        before, after = (dict(one.stances(subject)) for one in self._possible_suspects)
        names = [name for name in before | after if name in self._moved or before.get(name) != after.get(name)]
        differ = [stances[name] for name in names for stances in (before, after) if name in stances]
        if any(one.is_open for one in differ):
            return True
        things = {effect.target() for one in differ for effect in one.effects} | {_VERDICT} if differ else set()
        return any(
            one.is_open and not things.isdisjoint(effect.target() for effect in one.effects)
            for possible in (self._possible if differ else ())
            for _, one in possible.stances(subject)
        )


class _Marks:
    """Each secret as its name between marks: two of them differ, as they are likely to, and neither is shown."""

    def secret(self, subscriber: Subscriber, name: str) -> str:
        return f"\ue000{name}\ue001"

    def override(self, subscriber: Subscriber, key: str) -> Override:
        return VEIL.override(subscriber, key)


_MARKS: Final = _Marks()


def _differing(policy: Policy, other: Policy) -> frozenset[str]:
    """The rules that say something else in the other policy, are not there, or stand in another order."""
    ours, theirs = segments_of(policy), segments_of(other)
    known = {rule.id: said(rule, theirs) for rule in other.rules}
    other_words = {rule.id for rule in policy.rules if known.get(rule.id) != said(rule, ours)}
    return frozenset(other_words | _moved(policy, other))


def _moved(policy: Policy, other: Policy) -> frozenset[str]:
    """The rules that decide about the same thing, if not in the same order: of two, the upper one decides."""
    both = {rule.id for rule in policy.rules} & {rule.id for rule in other.rules}
    before, after = (_by_thing(rule for rule in one.rules if rule.id in both) for one in (policy, other))
    return frozenset(
        name
        for thing in before.keys() & after.keys()
        if [one for one in before[thing] if one in after[thing]]
        != [one for one in after[thing] if one in before[thing]]
        for name in (*before[thing], *after[thing])
    )


def _by_thing(rules: Iterable[Rule]) -> dict[tuple[str, str], dict[str, None]]:
    things: dict[tuple[str, str], dict[str, None]] = {}
    for rule in rules:
        for effect in rule.effects:
            things.setdefault(effect.target(), {})[rule.id] = None
    return things


def _fates(before: Verdict, after: Verdict) -> Iterator[Fate]:
    if type(before) is not type(after):
        yield _FATES[type(after)]
    elif not isinstance(before, LetIn) and not isinstance(after, LetIn) and before.message != after.message:
        yield Fate.OTHER_MESSAGE


def _alike(before: Setting | None, after: Setting | None) -> bool:
    if before is None or after is None:
        return before is after
    ours = before.value, before.rank, before.markup, before.sent
    return ours == (after.value, after.rank, after.markup, after.sent)


def _dialled(resolution: Resolution) -> tuple[object, object]:
    dials, actions = resolution.quick_dials.items(), resolution.dial_actions.items()
    return {name: one.item for name, one in dials}, {name: one.values for name, one in actions}


def _moves(kind: Kind, before: Mapping[str, _Told], after: Mapping[str, _Told]) -> Iterator[Move]:
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old is None or new is None or old[0] != new[0]:
            yield Move(kind, name, old and old[1], new and new[1])


def _keys(document: Document, keys: set[str]) -> dict[str, _Told]:
    return {key: _told(key, document.keys[key].value) for key in keys if key in document.keys}


def _told(name: str, value: Value) -> _Told:
    """All of a value but where it comes from, and what may be seen of it."""
    whole = value.content, value.rank, value.markup, value.attributes
    attributes = tuple((one, _masked(one, text)) for one, text in value.attributes)
    return whole, Sent(_cut(_masked(name, value.content, markup=value.markup)), value.rank, value.markup, attributes)


def _masked(name: str, text: str, *, markup: bool = False) -> str:
    return masked(name, _SEALED.sub(MASK, text), markup=markup)


def _cut(text: str) -> str:
    if len(text) <= MOST_SHOWN:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{text[: MOST_SHOWN - 50]}... ({len(text):,} characters, {digest})"


def _dials(before: GlobalAnswer, after: GlobalAnswer) -> Iterator[Move]:
    yield from _moves(Kind.QUICK_DIAL, _quick_dials(before), _quick_dials(after))
    yield from _moves(Kind.DIAL_ACTION, _dial_actions(before), _dial_actions(after))


def _quick_dials(answer: GlobalAnswer) -> dict[str, _Told]:
    dials = answer.part.quick_dials
    told: dict[str, _Told] = {one.id: (("", one.rank), Sent("", one.rank)) for one in dials.removals}
    for one in dials.items:
        texts = one.display_name, one.uri, one.portrait_url
        shown = (_masked("uri", text) for text in texts if text)
        told[one.id] = (*texts, one.rank), Sent(_cut(", ".join(shown)), one.rank)
    return told


def _dial_actions(answer: GlobalAnswer) -> dict[str, _Told]:
    told: dict[str, _Told] = {}
    for identity, values in answer.part.dial_actions.items():
        parts = {name: _told(name, value) for name, value in sorted(values.items())}
        text = ", ".join(f"{name} {shown.text}" for name, (_, shown) in parts.items())
        told[identity] = {name: whole for name, (whole, _) in parts.items()}, Sent(_cut(text), PROVIDER)
    return told
