"""How many users and phones of a Cloud ID get what otherwise, when a policy takes the place of another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.policy.rules import Policy
from offhook.policy.subject import Occasion
from offhook.provider.circumstances import NOTHING, Circumstances
from offhook.provider.evidence import NEVER_MET, Met
from offhook.provider.replacement import NO_BASES, Bases, Fate, Kind, Move, Replacement
from offhook.provider.rulings import Case
from offhook.provider.subscriber import State, Subscriber
from offhook.provider.tenant import Tenant

EXAMPLES: Final = 3
# So many different changes are told one by one, of one key and in all; those beyond are counted together, key by key.
MOST_OF_ONE: Final = 200
MOST_MOVES: Final = 10_000
# After so many users, whoever watches is told.
STEP: Final = 500


class Phone(msgspec.Struct, frozen=True):
    """An active install, and what it said of itself when it last asked; two of one device are one phone."""

    id: str
    device: str = ""
    circumstances: Circumstances = NOTHING
    met: Met = NEVER_MET


Member: TypeAlias = tuple[Subscriber, Sequence[Phone]]


class PopulationStore(Protocol):
    """Administration's view of users together with their phones. Every method may raise Unavailable."""

    def all_of(self, cloud_id: str) -> Iterator[Member]:
        """All users of a Cloud ID by username with their active installs, in pages so that memory stays bounded."""

    def count(self, cloud_id: str) -> int:
        """How many users there are."""


class Touched(msgspec.Struct, frozen=True):
    """How many users and installs something is about, and some of them, by `user@CLOUDID`."""

    users: int = 0
    installs: int = 0
    examples: tuple[str, ...] = ()


class Moved(msgspec.Struct, frozen=True):
    """A thing that is sent otherwise, and to how many."""

    move: Move
    touched: Touched


class Difference(msgspec.Struct, frozen=True):
    """All that changes at one moment, as far as it is known of each phone.

    `users` and `installs` were looked at; `passed_over` users are suspended or expired, so that they get nothing
    anyway. A user without an install counts as one who signs in for the first time, which is no install. `later` are
    users for whom nothing changes now, and something may at another time, on another phone, from another network, or
    when they sign in. `hints` say what the rules ask for that nobody was found to have.
    """

    now_s: int
    users: int
    installs: int
    passed_over: int
    affected: Touched
    later: Touched
    fates: dict[Fate, Touched]
    moves: tuple[Moved, ...]
    hints: tuple[Diagnostic, ...] = ()

    @property
    def share(self) -> float:
        """The part of the users for whom something changes, now or later: never less than it will be."""
        return (self.affected.users + self.later.users) / self.users if self.users else 0.0


Tick: TypeAlias = Callable[[int], None]


def difference(
    tenant: Tenant,
    live: Policy | None,
    new: Policy,
    members: Iterable[Member],
    now_s: int,
    *,
    bases: Bases = NO_BASES,
    tick: Tick = lambda _: None,
) -> Difference:
    """Count over all members, of whom no two are kept in mind; `tick` is told how many were looked at."""
    replacement, tally = Replacement(tenant, live, new, bases), _Tally()
    for number, (subscriber, phones) in enumerate(members, 1):
        if subscriber.state is State.SUSPENDED or (subscriber.expires_s is not None and subscriber.expires_s <= now_s):
            tally.passed_over += 1
        else:
            tally.add(subscriber, phones, replacement, now_s)
        if number % STEP == 0:
            tick(number)
    return tally.result(now_s)


def _cases(phones: Sequence[Phone], replacement: Replacement, now_s: int) -> Iterator[tuple[Case, int]]:
    """The phones of a user, each kind that can be told apart once, with their number; else a first sign-in."""
    if not phones:
        yield Case(None, now_s), 0
        return
    devices = len({phone.device or phone.id for phone in phones})
    alike: dict[object, list[Phone]] = {}
    for phone in phones:
        told_by = phone.id if replacement.by_install else ""
        alike.setdefault((told_by, phone.circumstances if replacement.by_circumstances else None), []).append(phone)
    for one, *others in alike.values():
        yield Case(None, now_s, one.circumstances, Occasion.AGAIN, devices, one.id), 1 + len(others)


_AFFECTED: Final = "affected"
_LATER: Final = "later"
_Mark: TypeAlias = Move | Fate | str


class _Count:
    __slots__ = ("examples", "installs", "users")

    def __init__(self) -> None:
        self.users, self.installs = 0, 0
        self.examples: list[str] = []

    def touched(self) -> Touched:
        return Touched(self.users, self.installs, tuple(self.examples))


class _Tally:
    """The counts so far."""

    def __init__(self) -> None:
        self.users = self.installs = self.passed_over = 0
        self._counts: dict[_Mark, _Count] = {}
        self._moves: Counter[tuple[Kind, str]] = Counter()

    def add(self, subscriber: Subscriber, phones: Sequence[Phone], replacement: Replacement, now_s: int) -> None:
        """Count one user: once in whatever is about any of their phones."""
        self.users += 1
        self.installs += len(phones)
        marks: Counter[_Mark] = Counter()
        for case, installs in _cases(phones, replacement, now_s):
            change = replacement.change(subscriber, case)
            found: set[_Mark] = {*map(self._listed, change.moves), *change.fates}
            found |= {_AFFECTED} if found else set()
            for mark in found:
                marks[mark] += installs
        if _AFFECTED not in marks and replacement.may_follow(subscriber, now_s):
            marks[_LATER] = len(phones)
        for mark, installs in marks.items():
            count = self._counts.setdefault(mark, _Count())
            count.users += 1
            count.installs += installs
            if len(count.examples) < EXAMPLES:
                count.examples.append(subscriber.name)

    def _listed(self, move: Move) -> Move:
        """The change itself, or the various ones of its key when too many are listed."""
        if move in self._counts:
            return move
        name = move.kind, move.name
        if self._moves[name] >= MOST_OF_ONE or self._moves.total() >= MOST_MOVES:
            return Move(*name, various=True)
        self._moves[name] += 1
        self._counts[move] = _Count()
        return move

    def result(self, now_s: int) -> Difference:
        """The counts, the greatest first."""
        counted = {mark: count.touched() for mark, count in self._counts.items()}
        moves = [Moved(mark, touched) for mark, touched in counted.items() if isinstance(mark, Move)]
        moves.sort(key=lambda one: (one.move.various, -one.touched.users, one.move.kind, one.move.name))
        return Difference(
            now_s=now_s,
            users=self.users,
            installs=self.installs,
            passed_over=self.passed_over,
            affected=counted.get(_AFFECTED, Touched()),
            later=counted.get(_LATER, Touched()),
            fates={fate: counted[fate] for fate in Fate if fate in counted},
            moves=tuple(moves),
        )
