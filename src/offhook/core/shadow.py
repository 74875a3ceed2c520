"""Two services that were asked the same: what each said to a user, what came of it, and the sum over many users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from offhook.core import accountxml, comparison, dialplan
from offhook.core.comparison import Difference, Veil, What
from offhook.core.dialplan import GlobalPart
from offhook.core.errors import Invalid
from offhook.core.mergeable import PROVIDER, Value
from offhook.core.secret import Discreet
from offhook.core.webservice import Response

THEIRS: Final = "theirs"
OURS: Final = "ours"
# Of each group so many users are named, and so many groups are told apart.
MOST_EXAMPLES: Final = 3
MOST_GROUPS: Final = 2000
MOST_NAMED: Final = 1000
OTHERS: Final = "others"
_GLOBAL: Final = "global part: "
# Nothing was decided about this user: too many requests, or a service in trouble.
_UNDECIDED: Final = frozenset({408, 425, 429})


class Account(Discreet, frozen=True):
    """An account was given, and the global part if it was asked for."""

    values: dict[str, Value]
    common: GlobalPart | None = None

    def __str__(self) -> str:
        return f"{len(self.values)} keys"


class Refusal(msgspec.Struct, frozen=True):
    """The user may not come in."""

    status: int
    message: str = ""

    def __str__(self) -> str:
        return f"{self.status}, {self.message}" if self.message else str(self.status)


class Failure(msgspec.Struct, frozen=True):
    """There was no answer that says anything about the user."""

    why: str

    def __str__(self) -> str:
        return self.why


Said: TypeAlias = Account | Refusal | Failure


def heard(response: Response, secrets: Iterable[str] = ()) -> Said:
    """What an answer to the question for an account says; `secrets` are not repeated, whatever a service writes."""
    declined = _declined(response, Veil(secrets))
    if declined is not None:
        return declined
    try:
        return Account(accountxml.loads(response.body, PROVIDER, "service").values)
    except Invalid as error:
        return Failure(f"answered {response.status} with what no app can use: {error.text}")


def heard_common(response: Response, account: Account, secrets: Iterable[str] = ()) -> Said:
    """The account with the global part, as the answer to the question for that says it."""
    declined = _declined(response, Veil(secrets))
    if isinstance(declined, Failure):
        return Failure(_GLOBAL + declined.why)
    if declined is not None:
        return Failure(f"{_GLOBAL}answered {declined}, after an account was given")
    try:
        return msgspec.structs.replace(account, common=dialplan.loads(response.body, PROVIDER, "service"))
    except Invalid as error:
        return Failure(f"{_GLOBAL}answered {response.status} with what no app can use: {error.text}")


def _declined(response: Response, veil: Veil) -> Refusal | Failure | None:
    status = response.status
    if 200 <= status < 300:
        return None
    message = veil.over(accountxml.read_error(response.body) or "")
    if status < 400 or status >= 500 or status in _UNDECIDED:
        return Failure(f"answered {status}{f': {message}' if message else ''}")
    return Refusal(status, message)


class Same(msgspec.Struct, frozen=True):
    """An app would do the same with both accounts; `expected` is what has to differ."""

    expected: tuple[Difference, ...] = ()


class Different(msgspec.Struct, frozen=True):
    """An app would not do the same with both accounts."""

    differences: tuple[Difference, ...]
    expected: tuple[Difference, ...] = ()


class Refused(msgspec.Struct, frozen=True):
    """Neither lets the user in."""

    theirs: Refusal
    ours: Refusal


class OneRefuses(msgspec.Struct, frozen=True):
    """One lets the user in, the other does not."""

    who: str
    refusal: Refusal


class Failed(msgspec.Struct, frozen=True):
    """There is nothing to compare."""

    who: str
    why: str


Verdict: TypeAlias = Same | Different | Refused | OneRefuses | Failed


def judge(theirs: Said, ours: Said, secrets: Iterable[str] = ()) -> Verdict:
    """What came of asking both about one user; `secrets` as in `compare`."""
    match theirs, ours:
        case Failure(why=why), _:
            return Failed(THEIRS, why)
        case _, Failure(why=why):
            return Failed(OURS, why)
        case Refusal(), Refusal():
            return Refused(theirs, ours)
        case Refusal(), _:
            return OneRefuses(THEIRS, theirs)
        case _, Refusal():
            return OneRefuses(OURS, ours)
        case _:
            assert isinstance(theirs, Account)
            assert isinstance(ours, Account)
            return _compared(theirs, ours, tuple(secrets))


def _compared(theirs: Account, ours: Account, secrets: tuple[str, ...]) -> Same | Different:
    found = comparison.compare(theirs.values, ours.values, secrets)
    if theirs.common is not None and ours.common is not None:
        found += comparison.compare_common(theirs.common, ours.common, secrets)
    expected = tuple(one for one in found if one.expected)
    unexpected = tuple(one for one in found if not one.expected)
    return Different(unexpected, expected) if unexpected else Same(expected)


class Example(Discreet, frozen=True):
    """A user of a group, with both values as anybody may see them."""

    user: str
    theirs: str | None
    ours: str | None

    def __str__(self) -> str:
        return self.user


class Group(msgspec.Struct):
    """One kind of difference in one key, and for how many users."""

    key: str
    what: What
    expected: str
    users: int = 0
    examples: list[Example] = []


class Words(msgspec.Struct):
    """Refusals or failures that are told in the same words, and for how many users."""

    theirs: str
    ours: str
    users: int = 0
    examples: list[str] = []


class Tally:
    """The sum over users, in memory that does not grow with them."""

    def __init__(self) -> None:
        self.alike = self.different = self.refused = self.failed = 0
        # So many in a row did not get an account where they should: that is trouble, and asking on makes it worse.
        self.in_a_row = 0
        self.named: list[str] = []
        self._groups: dict[tuple[str, What, str], Group] = {}
        self._refusals: dict[tuple[str, str], Words] = {}
        self._failures: dict[tuple[str, str], Words] = {}

    @property
    def asked(self) -> int:
        """How many users there is a verdict about."""
        return self.alike + self.different + self.refused + self.failed

    def add(self, user: str, verdict: Verdict) -> None:
        """Count a verdict."""
        in_trouble = isinstance(verdict, Failed) or (isinstance(verdict, OneRefuses) and verdict.who == THEIRS)
        self.in_a_row = self.in_a_row + 1 if in_trouble else 0
        match verdict:
            case Same(expected=expected):
                self.alike += 1
                self._add_all(user, expected)
            case Different(differences=differences, expected=expected):
                self.different += 1
                self._add_all(user, (*differences, *expected))
            case Refused(theirs=theirs, ours=ours):
                self.refused += 1
                _count(self._refusals, str(theirs), str(ours), user)
            case OneRefuses(who=who, refusal=refusal):
                self.different += 1
                told = (str(refusal), "") if who == THEIRS else ("", str(refusal))
                _count(self._refusals, *told, user)
            case failure:
                self.failed += 1
                _count(self._failures, *((failure.why, "") if failure.who == THEIRS else ("", failure.why)), user)
        if isinstance(verdict, Different | OneRefuses) and len(self.named) < MOST_NAMED:
            self.named.append(user)

    def groups(self, *, expected: bool = False) -> list[Group]:
        """The differences, those of most users first; those that have to be, if so asked."""
        chosen = (group for group in self._groups.values() if bool(group.expected) is expected)
        return sorted(chosen, key=lambda group: -group.users)

    def refusals(self, *, by_both: bool) -> list[Words]:
        """Refusals by both services, or by one of them; the other then has no words."""
        chosen = (words for words in self._refusals.values() if bool(words.theirs and words.ours) is by_both)
        return sorted(chosen, key=lambda words: -words.users)

    def failures(self) -> list[Words]:
        """Why there was nothing to compare; the service that did not fail has no words."""
        return sorted(self._failures.values(), key=lambda words: -words.users)

    def _add_all(self, user: str, differences: Iterable[Difference]) -> None:
        for one in differences:
            key = one.key if (one.key, one.what, one.expected) in self._groups else self._room_for(one.key)
            group = self._groups.setdefault((key, one.what, one.expected), Group(key, one.what, one.expected))
            group.users += 1
            if len(group.examples) < MOST_EXAMPLES:
                group.examples.append(Example(user, one.theirs, one.ours))

    def _room_for(self, key: str) -> str:
        """Keys may be called after users, so that there is no end of them."""
        return key if len(self._groups) < MOST_GROUPS else OTHERS


def _count(counted: dict[tuple[str, str], Words], theirs: str, ours: str, user: str) -> None:
    if (theirs, ours) not in counted and len(counted) >= MOST_GROUPS:
        theirs, ours = theirs and OTHERS, ours and OTHERS
    words = counted.setdefault((theirs, ours), Words(theirs, ours))
    words.users += 1
    if len(words.examples) < MOST_EXAMPLES:
        words.examples.append(user)
