"""Telephone numbers and extensions to give: ranges of a pool, what becomes of each number, and who may have it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, Protocol

import msgspec
import phonenumbers

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid

# Nobody gets that many from a carrier; a typing error in the middle of a number gives more.
MAX_RANGE: Final = 10_000_000
MAX_RANGES: Final = 1_000
# Long enough that whoever still has the number of before in a telephone has met somebody who says so.
QUARANTINE_S: Final = 30 * 86400
_POOL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_EXTENSION: Final = re.compile(r"[0-9]{1,10}")
# How people write numbers: what stands between the digits says nothing.
_DECORATION: Final = re.compile(r"[ ()/.\u00a0]")


class Kind(StrEnum):
    """What the numbers of a pool are."""

    E164 = "e164"  # world-wide numbers, each of which only one user of the whole installation may have
    EXTENSION = "extension"  # short ones, for one Cloud ID alone


class Use(StrEnum):
    """What has become of a number; of one that is free and was never used nothing is kept."""

    FREE = "free"
    PINNED = "pinned"  # for a user who has still to come
    RESERVED = "reserved"  # for a user whose things are being made
    ASSIGNED = "assigned"
    RELEASED = "released"  # and given to nobody until its quarantine is over
    EXCLUDED = "excluded"  # never given: the switchboard's own, say


class Range(msgspec.Struct, frozen=True):
    """Numbers in a row, all with as many digits."""

    kind: Kind
    first: int
    last: int
    digits: int

    @classmethod
    def parse(cls, written: str) -> Range:
        """Read `+4930123400-99`, `+4930123400-+4930123499`, `201-299`, or one number alone. Raises Invalid."""
        plain = _DECORATION.sub("", written)
        begin, _, end = plain.partition("-")
        kind = Kind.E164 if begin.startswith("+") else Kind.EXTENSION
        first, last = begin.removeprefix("+"), end.removeprefix("+") or begin.removeprefix("+")
        if not _DIGITS.fullmatch(first) or not _DIGITS.fullmatch(last):
            raise Invalid.at("range", f"{written[:80]!r} is none: write +4930123400-99, or 201-299 for extensions")
        if len(last) < len(first) and not end.startswith("+"):
            last = first[: len(first) - len(last)] + last
        if kind is Kind.EXTENSION and not _EXTENSION.fullmatch(first):
            raise Invalid.at("range", f"{written[:80]!r} has too many digits for extensions; is a + missing?")
        if len(first) != len(last) or int(last) < int(first):
            raise Invalid.at("range", f"{written[:80]!r} ends before it begins, or with another number of digits")
        found = cls(kind, int(first), int(last), len(first))
        if len(found) > MAX_RANGE:
            raise Invalid.at("range", f"{written[:80]!r} has {len(found):,} numbers; at most {MAX_RANGE:,} are allowed")
        for end in {found.number(found.first), found.number(found.last)} if kind is Kind.E164 else ():
            if not _is_possible(end):
                raise Invalid.at("range", f"{end} cannot be a number: its country has none of that length")
        return found

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        first = self.number(self.first)
        return first if self.first == self.last else f"{first}-{self.number(self.last)}"

    def number(self, value: int) -> str:
        """One of them as it is written."""
        return f"{'+' if self.kind is Kind.E164 else ''}{value:0{self.digits}}"

    def overlaps(self, other: Range) -> bool:
        """Whether some number is in both."""
        alike = (self.kind, self.digits) == (other.kind, other.digits)
        return alike and self.first <= other.last and other.first <= self.last

    def remarks(self) -> tuple[Diagnostic, ...]:
        """What should be said of it although it may be right: lists of numbering plans are never quite new."""
        ends = {self.number(self.first), self.number(self.last)}
        unknown = sorted(end for end in ends if self.kind is Kind.E164 and not _is_valid(end))
        return tuple(
            Diagnostic(end, "is in no numbering plan that we know: look at its digits again") for end in unknown
        )


class Pool(msgspec.Struct, frozen=True):
    """A pool of one Cloud ID, and how long a number rests when its user is gone."""

    cloud_id: str
    name: str
    kind: Kind
    quarantine_s: int = QUARANTINE_S
    ranges: tuple[Range, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.ranges))


class Kept(msgspec.Struct, frozen=True):
    """A number of which something is known. `until_s` ends its quarantine, `username` is whose it is, or is to be."""

    cloud_id: str
    pool: str
    number: str
    use: Use
    subscriber_id: int = 0
    username: str = ""
    attribute: str = ""
    since_s: int = 0
    until_s: int = 0

    def use_at(self, now_s: int) -> Use:
        """What it is now: a quarantine that is over makes it free."""
        return Use.FREE if self.use is Use.RELEASED and self.until_s <= now_s else self.use


class Stock(msgspec.Struct, frozen=True):
    """A pool and how many of its numbers are what."""

    pool: Pool
    free: int
    pinned: int = 0
    reserved: int = 0
    assigned: int = 0
    quarantined: int = 0
    excluded: int = 0


class Wanted(msgspec.Struct, frozen=True):
    """Who is to have a number of a pool, and as which attribute."""

    cloud_id: str
    pool: str
    subscriber_id: int
    username_key: str
    attribute: str


class NumberStore(Protocol):
    """The pools. Every method is one transaction, and may raise Unavailable."""

    def add(self, pool: Pool, now_s: int) -> None:
        """Keep a pool, or add ranges to one. Raises Conflict when a number would be in two ranges."""

    def stocks(self, cloud_id: str, now_s: int) -> list[Stock]:
        """The pools of a Cloud ID, by name."""

    def kept(self, cloud_id: str, pool: str = "", *, number: str = "") -> list[Kept]:
        """What is known of numbers of a Cloud ID, of one pool or one number where that is named."""

    def pool_of(self, cloud_id: str, number: str) -> Pool:
        """The pool that a number is in. Raises NotFound."""

    def take(self, wanted: Wanted, key: str, now_s: int) -> str:
        """Reserve a number for a user, the one pinned for them first.

        Asked again, with the same key or for the same attribute, it is the same number. Raises NotFound for an unknown
        pool, Unavailable when no number is free.
        """

    def confirm(self, cloud_id: str, subscriber_id: int, now_s: int) -> None:
        """What is reserved for a user is theirs."""

    def give_back(self, cloud_id: str, subscriber_id: int, attribute: str, now_s: int) -> None:
        """A number that was only reserved is free; one that was the user's rests for a while. None is right, too."""

    def assign(self, wanted: Wanted, number: str, now_s: int) -> None:
        """Give a user this number; without a subscriber, pin it for them. Raises Conflict when it is another's."""

    def release(self, cloud_id: str, number: str, now_s: int, *, at_once: bool = False) -> Kept:
        """Nobody has it any more, and nobody gets it before its quarantine is over; returns what it was."""

    def exclude(self, cloud_id: str, number: str, now_s: int) -> None:
        """Never give it. Raises Conflict when somebody has it."""


def pool_name(name: str) -> str:
    """A name that a pool can have. Raises Invalid."""
    if not _POOL.fullmatch(name):
        raise Invalid.at("pool", f"{name[:80]!r} is no name for one: it has 1 to 32 of a-z, 0-9 and -")
    return name


def written(number: str) -> str:
    """A number as it is kept: without what people put between its digits. Raises Invalid."""
    single = Range.parse(number)
    if single.first != single.last:
        raise Invalid.at("number", f"{number[:80]!r} is a range: name one number")
    return single.number(single.first)


def shown(number: str) -> str:
    """A number as people read it, with spaces where its country puts them."""
    if not number.startswith("+"):
        return number
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _is_possible(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def _is_valid(number: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(number))
