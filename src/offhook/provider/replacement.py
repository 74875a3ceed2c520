"""What one phone gets otherwise when a policy takes the place of another one, computed without opening a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Final, TypeAlias

import msgspec

from offhook.core import registration
from offhook.core.mergeable import PROVIDER, Document, Value
from offhook.core.secret import MASK, Secret
from offhook.policy.conditions import reach
from offhook.policy.during import During
from offhook.policy.evaluate import Compiled
from offhook.policy.resolution import LetIn, Logout, Refusal, Resolution, Setting, Verdict
from offhook.policy.rules import Policy, Rule
from offhook.policy.stamping import said, segments_of
from offhook.policy.subject import Fact, Occasion, Subject
from offhook.provider.change import is_secret
from offhook.provider.compose import Grant, common, compose
from offhook.provider.globalpart import GlobalAnswer
from offhook.provider.opening import VEIL
from offhook.provider.rulings import Case
from offhook.provider.sipregister import Line
from offhook.provider.subscriber import SIP_PASSWORD, Override, Subscriber
from offhook.provider.tenant import Tenant

# A longer text is cut, and told from others that begin alike by its length and digest.
MOST_SHOWN: Final = 200
_VEILED: Final = Secret(MASK)
_SEALED: Final = re.compile("\ue000[^\ue001]*\ue001")
_FAR_S: Final = 2**60
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
    """What changes for one phone now. `later`: something may at another time, or from another network."""

    moves: tuple[Move, ...] = ()
    fates: tuple[Fate, ...] = ()
    later: bool = False


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
        self._open = {id(rule) for policy in (live, new) for rule in policy.rules if _is_open(rule, policy)}
        self.by_install = self._live.draws_installs or self._new.draws_installs
        self.by_circumstances = bool(self._live.uses or self._new.uses)

    def change(self, subscriber: Subscriber, phone: Case) -> Change:
        """What changes for a user on a phone."""
        subject = phone.subject(subscriber)
        suspects = [rule for policy in self._suspects for rule in policy.candidates(subject)]
        if not suspects:
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
        later = not (moves or fates) and self._may_follow(subject, suspects, old, new)
        return Change(moves, fates, later)

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

    def _may_follow(self, subject: Subject, suspects: list[Rule], old: Resolution, new: Resolution) -> bool:
        """Whether a rule that differs may match, or one that matches may count, when a clock strikes or a phone roams.

        A rule that differs and does not match now never will, unless it asks for the time or the network itself.
        """
        if not self._open:
            return False
        if any(id(rule) in self._open and _draws(rule, subject) for rule in suspects):
            return True
        differ = set[str]().union(*self._differing)
        if differ.isdisjoint(by.rule for by in (*old.matched, *new.matched)):
            return False
        tried = (rule for policy in (self._live, self._new) for rule in policy.candidates(subject))
        return any(id(rule) in self._open and _draws(rule, subject) for rule in tried)


class _Marks:
    """Each secret as its name between marks: two of them differ, as they are likely to, and neither is shown."""

    def secret(self, subscriber: Subscriber, name: str) -> str:
        return f"\ue000{name}\ue001"

    def override(self, subscriber: Subscriber, key: str) -> Override:
        return VEIL.override(subscriber, key)

    def line(self, line: Line) -> str:
        return f"\ue000{SIP_PASSWORD}\ue001"


_MARKS: Final = _Marks()


def _differing(policy: Policy, other: Policy) -> frozenset[str]:
    """The rules that say something else in the other policy, or are not there; all, if the others are moved about."""
    ours, theirs = segments_of(policy), segments_of(other)
    known = {rule.id: said(rule, theirs) for rule in other.rules}
    same = {rule.id for rule in policy.rules if known.get(rule.id) == said(rule, ours)}
    before, after = ([rule.id for rule in one.rules if rule.id in same] for one in (policy, other))
    return frozenset(rule.id for rule in policy.rules if rule.id not in same or before != after)


def _is_open(rule: Rule, policy: Policy) -> bool:
    """Whether it may match at another time or from another network, which nobody knows of a phone afterwards."""
    if rule.rollout is not None and rule.rollout.stages:
        return True
    parts = () if rule.when is None else reach(rule.when, segments_of(policy))
    return any(isinstance(one, During) or Fact.NETWORK in one.uses() for one in parts)


def _draws(rule: Rule, subject: Subject) -> bool:
    """Whether its rollout, if it has any, takes this one in at last."""
    if rule.rollout is None:
        return True
    whole = msgspec.structs.replace(rule.rollout, guard=None)
    return whole.takes(whole.lot(subject, rule.id), _FAR_S) is not False


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
    return whole, Sent(_cut(_masked(name, value.content)), value.rank, value.markup, value.attributes)


def _masked(name: str, text: str) -> str:
    return MASK if text and is_secret(name) else _SEALED.sub(MASK, text)


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
        told[one.id] = (*texts, one.rank), Sent(_cut(_masked("", ", ".join(filter(None, texts)))), one.rank)
    return told


def _dial_actions(answer: GlobalAnswer) -> dict[str, _Told]:
    told: dict[str, _Told] = {}
    for identity, values in answer.part.dial_actions.items():
        parts = {name: _told(name, value) for name, value in sorted(values.items())}
        text = ", ".join(f"{name} {shown.text}" for name, (_, shown) in parts.items())
        told[identity] = {name: whole for name, (whole, _) in parts.items()}, Sent(_cut(text), PROVIDER)
    return told
