"""What one phone gets otherwise when another app or policy takes the place of the Live one; no secret is opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from offhook.core import registration
from offhook.core.base import Base
from offhook.core.dialplan import GlobalPart
from offhook.core.features import gating
from offhook.core.mergeable import PROVIDER, Document
from offhook.core.secret import MASK, Secret
from offhook.core.webservice import LOGOUT_STATUS_KEY
from offhook.policy.evaluate import Compiled
from offhook.policy.possible import Possible
from offhook.policy.resolution import DeviceLimit, LetIn, Logout, Refusal, Resolution, Setting, Verdict
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import said, segments_of
from offhook.policy.subject import Occasion
from offhook.provider import template
from offhook.provider.compose import INSTALL_KEY, Composition, Grant, common, compose
from offhook.provider.opening import VEIL
from offhook.provider.rulings import Case
from offhook.provider.settlement import (
    AFTER_SECRET,
    BEFORE_SECRET,
    Beneath,
    Sent,
    Settlement,
    Told,
    dial_actions,
    quick_dials,
    tell,
)
from offhook.provider.sipregister import Line
from offhook.provider.subscriber import SIP_PASSWORD, SIP_USERNAME, Override, Subscriber
from offhook.provider.tenant import Tenant

_VEILED: Final = Secret(MASK)
_VERDICT: Final = ("verdict", "")
_DIALS: Final = ("quick dial", "dial action")
# What the provider may send of itself, whatever the template, the rules and single users say.
_SENT: Final = (SIP_USERNAME, SIP_PASSWORD, "cloud_username", "cloud_password", INSTALL_KEY, LOGOUT_STATUS_KEY)


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
    DEVICES = "devices"  # how many a user may have, and what becomes of one too many
    APP = "app"  # a part of the app that is the same for everybody, such as its theme


class Move(msgspec.Struct, frozen=True):
    """One thing that is otherwise; None is not sent, and what is not sent stays on the phone (D5).

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


class Bases(msgspec.Struct, frozen=True):
    """What the portal says before and after, each None where that is not known.

    `everybody` names what changes for all users alike and beside their accounts, such as the theme.
    """

    live: Base | None = None
    new: Base | None = None
    everybody: tuple[str, ...] = ()


NO_BASES: Final = Bases()


class Replacement:
    """A policy and an app in the place of others, of which there may be none.

    A phone merges: the portal's values have a low rank, so that a change of the app reaches only whom nobody sends
    something else, and licences say what is taken of that (D5, D18). Only rules that differ and keys of the app that
    differ can change anything, so whoever none of them concerns is not looked at any further. `by_install` and
    `by_circumstances` say what phones of one user may be told apart by.
    """

    def __init__(self, tenant: Tenant, live: Policy | None, new: Policy, bases: Bases = NO_BASES) -> None:
        live = live or Policy()
        self._tenant, self._live, self._new = tenant, Compiled(live), Compiled(new)
        differing = _differing(live, new), _differing(new, live)
        self._suspects = [
            Compiled(msgspec.structs.replace(policy, rules=tuple(one for one in policy.rules if one.id in ids)))
            for policy, ids in zip((live, new), differing, strict=True)
        ]
        self._moved = _moved(live, new)
        self._possible = Possible(live), Possible(new)
        self._possible_suspects = tuple(Possible(one.policy) for one in self._suspects)
        self._before, self._after = Beneath(bases.live), Beneath(bases.new)
        self._everybody = tuple(Move(Kind.APP, name, various=True) for name in bases.everybody)
        self._keys = frozenset(_differing_keys(self._before, self._after))
        self._sent = {*_SENT, *template.parse(tenant.template).entries}
        self._plainly = _plainly(self._before, self._after, self._keys)
        self._licences = self._before.features != self._after.features
        self._dials = self._before.common != self._after.common
        self._is_new_app = bool(self._keys or self._licences or self._dials or self._everybody)
        self._covered = {target for policy in (live, new) for target in self._of_app(policy)}
        self.by_install = self._live.draws_installs or self._new.draws_installs
        self.by_circumstances = self._is_new_app or bool(self._live.uses or self._new.uses)

    def change(self, subscriber: Subscriber, phone: Case) -> Change:
        """What changes for a user on a phone. Who tests the Editable app has what is published of it already."""
        subject = phone.subject(subscriber)
        is_new_app = self._is_new_app and not phone.circumstances.editable
        suspects = [rule for policy in self._suspects for rule in policy.candidates(subject)]
        if not suspects and not is_new_app:
            return NO_CHANGE
        old = self._live.resolve(subject)
        new = self._new.resolve(subject) if suspects else old
        fates = tuple(_fates(old.verdict, new.verdict))
        moves = self._everybody if is_new_app else ()
        if isinstance(old.verdict, LetIn) and isinstance(new.verdict, LetIn):
            before = self._before if is_new_app else self._after
            keys, registers = self._account(subscriber, phone, (before, old), (self._after, new))
            moves += keys
            moves += tuple(_moves(Kind.DEVICES, _limit(old.device_limit), _limit(new.device_limit)))
            if registers and subject.occasion is Occasion.AGAIN:
                fates = (Fate.REGISTERS_ANEW,)
            if _dialled(old) != _dialled(new) or before.common != self._after.common:
                moves += tuple(_dials(*(self._global(subscriber, *one) for one in ((before, old), (self._after, new)))))
        return Change(moves, fates)

    def _account(
        self,
        subscriber: Subscriber,
        phone: Case,
        before: tuple[Beneath, Resolution],
        after: tuple[Beneath, Resolution],
    ) -> tuple[tuple[Move, ...], bool]:
        """The keys that are settled otherwise, and whether the phone registers with others than it did."""
        old, new = before[1].settings, after[1].settings
        keys = {key for key in old.keys() | new.keys() if not _alike(old.get(key), new.get(key))}
        if before[0] is not after[0]:
            keys |= self._keys
            if self._licences:
                keys |= self._gated(subscriber, old.keys() | new.keys())
        if not keys:
            return (), False
        if keys == self._keys and keys.isdisjoint(self._sent | subscriber.overrides.keys() | old.keys() | new.keys()):
            return self._plainly
        grant = Grant(phone.install_id, _VEILED, _VEILED, again=phone.occasion is Occasion.AGAIN)

        def composed(resolution: Resolution) -> Composition:
            settings = {key: one for key, one in resolution.settings.items() if key in keys}
            narrow = msgspec.structs.replace(resolution, settings=settings)
            return compose(self._tenant, subscriber, grant, narrow, _MARKS, keys=keys)

        had = composed(before[1])
        has = had if after[1] is before[1] else composed(after[1])
        return _compared(before[0].settled(had, keys), after[0].settled(has, keys))

    def _gated(self, subscriber: Subscriber, ruled: Collection[str]) -> set[str]:
        """What the provider may send that needs a licence."""
        return {key for key in {*self._sent, *subscriber.overrides, *ruled} if gating(key)}

    def _global(self, subscriber: Subscriber, beneath: Beneath, resolution: Resolution) -> tuple[GlobalPart, ...]:
        """What the portal says beside the account, and what the provider lays over it."""
        return beneath.common, common(self._tenant, subscriber, resolution, _MARKS).part

    def may_follow(self, subscriber: Subscriber, now_s: int) -> bool:
        """Whether something may change for a user at another time or on another phone, for whom nothing does now.

        A rule that differs may match then; or it matches now, decides nothing, and may when one above it ceases to. As
        much is true of what the app says otherwise, beneath any rule; and who tests the app may have a phone that does
        not.
        """
        if self._is_new_app and self.change(subscriber, Case(None, now_s)) != NO_CHANGE:
            return True
        subject = Case(None, now_s).subject(subscriber)
        before, after = (dict(one.stances(subject)) for one in self._possible_suspects)
        names = [name for name in before | after if name in self._moved or before.get(name) != after.get(name)]
        differ = [stances[name] for name in names for stances in (before, after) if name in stances]
        if any(one.is_open for one in differ):
            return True
        things = {effect.target() for one in differ for effect in one.effects} | {_VERDICT} if differ else set()
        things |= self._covered
        return any(
            one.is_open and not things.isdisjoint(effect.target() for effect in one.effects)
            for possible in (self._possible if things else ())
            for _, one in possible.stances(subject)
        )

    def _of_app(self, policy: Policy) -> Iterator[tuple[str, str]]:
        """What a policy decides and the app says otherwise: all of it, where somebody is turned away."""
        for rule in policy.rules if self._is_new_app else ():
            for kind, name in (effect.target() for effect in rule.effects):
                is_key = kind == "key" and (name in self._keys or (self._licences and bool(gating(name))))
                if is_key or (self._dials and kind in _DIALS) or (kind, name) == _VERDICT:
                    yield kind, name


class _Marks:
    """Each secret as its name between marks: two of them differ, as they are likely to, and neither is shown."""

    def secret(self, subscriber: Subscriber, name: str) -> str:
        return f"{BEFORE_SECRET}{name}{AFTER_SECRET}"

    def override(self, subscriber: Subscriber, key: str) -> Override:
        return VEIL.override(subscriber, key)

    def line(self, line: Line) -> str:
        return f"\ue000{SIP_PASSWORD}\ue001"


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


def _moves(kind: Kind, before: Mapping[str, Told], after: Mapping[str, Told]) -> Iterator[Move]:
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if (old and old[0]) != (new and new[0]):
            yield Move(kind, name, old and old[1], new and new[1])


def _limit(limit: DeviceLimit | None) -> dict[str, Told]:
    """The limit counts at the next sign-in, and no phone gets anything; all the same it is what the user may do."""
    if limit is None:
        return {}
    return {"limit": ((limit.count, limit.then, limit.message), Sent(f"{limit.count}, {limit.then}", PROVIDER))}


def _compared(before: Settlement, after: Settlement) -> tuple[tuple[Move, ...], bool]:
    """What is settled otherwise, and whether a phone registers with others than it did; what is not sent stays."""
    (told_before, had), (told_after, has) = before, after
    moves = tuple(_moves(Kind.KEY, told_before, told_after))
    return moves, bool(moves) and registration.changed(had, Document({**had.keys, **has.keys}))


def _plainly(before: Beneath, after: Beneath, keys: Collection[str]) -> tuple[tuple[Move, ...], bool]:
    """What changes for whom nobody sends any of these keys."""
    nothing = Composition(Document(), {})
    return _compared(before.settled(nothing, keys), after.settled(nothing, keys))


def _differing_keys(before: Beneath, after: Beneath) -> Iterator[str]:
    """The keys of which the portal says something else."""
    for key in before.account.keys() | after.account.keys():
        old, new = before.account.get(key), after.account.get(key)
        if old is None or new is None or tell(key, old)[0] != tell(key, new)[0]:
            yield key


def _dials(before: tuple[GlobalPart, ...], after: tuple[GlobalPart, ...]) -> Iterator[Move]:
    yield from _moves(Kind.QUICK_DIAL, quick_dials(before), quick_dials(after))
    yield from _moves(Kind.DIAL_ACTION, dial_actions(before), dial_actions(after))
