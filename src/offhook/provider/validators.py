"""Whether a phone has the answer already: what we said of it, and what the phone says it has (D10)."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Final

import msgspec

ACCOUNT: Final = "account"
GLOBAL: Final = "global"
# Whoever changes what equal settings compose to makes this one more. Every date becomes a second later by it, so that
# no phone goes on having what an earlier release composed; those whose bytes are the same are told so by their tag.
COMPOSER_VERSION: Final = 1

_TAG: Final = re.compile(r'(?:W/)?"([0-9a-f]{1,16})-([0-9a-f]{16})-([0-9a-f]{32})"')
_MOST_TAGS: Final = 16


class Claim(msgspec.Struct, frozen=True):
    """What a request says its sender has: the value of If-None-Match if it has one, the date of If-Modified-Since."""

    tags: str | None = None
    since_s: int | None = None


class Validators(msgspec.Struct, frozen=True):
    """What we say of an answer: when it was modified, and its tag."""

    modified_s: int
    etag: str


class Served(msgspec.Struct, frozen=True):
    """What an install was served last: from what it was made, the digest of its bytes, and its date."""

    variant: str = ""
    digest: str = ""
    dated_s: int = 0


NEVER_SERVED: Final = Served()


class Edition(msgspec.Struct, frozen=True):
    """One service's answer to one owner as of `modified_s`, before anything is composed.

    Between two changes an answer stays the same, byte for byte. So the date that we gave, or a tag with this date that
    was made for this owner and service, is enough to know that the phone has it.
    """

    service: str
    owner: str
    modified_s: int

    @classmethod
    def of_account(cls, install_id: str, modified_s: int) -> Edition:
        """The account of an install."""
        return cls(ACCOUNT, install_id, modified_s)

    @classmethod
    def of_global(cls, cloud_id: str, subscriber_id: int, modified_s: int) -> Edition:
        """The global part of a user, who asks for it before there is an install and gets the same on all of them."""
        return cls(GLOBAL, f"{cloud_id}|{subscriber_id}", modified_s)

    @property
    def mark(self) -> str:
        """Tells the tags of one owner and service from those of any other."""
        return _mark(self.service, self.owner)

    def validators(self, digest: str) -> Validators:
        """The validators of the answer with this digest."""
        return Validators(self.modified_s, f'"{self.modified_s:x}-{self.mark}-{digest}"')

    def is_held(self, claim: Claim) -> Validators | None:
        """The validators to repeat when the phone has this edition, else None.

        A date that we never gave is always in doubt, also one that is later than ours: it was written by a clock that
        may have been set back since, and the change that we know of may have come after it.
        """
        if claim.tags is not None:
            held = (tag for tag in self._own_tags(claim) if tag.modified_s == self.modified_s)
            return next((Validators(self.modified_s, tag.etag) for tag in held), None)
        return Validators(self.modified_s, "") if claim.since_s == self.modified_s else None

    def has(self, claim: Claim, digest: str) -> bool:
        """Whether the phone has an earlier edition with the very same bytes."""
        return claim.tags is not None and any(tag.digest == digest for tag in self._own_tags(claim))

    def held_s(self, claim: Claim) -> int:
        """The date of what the phone has, as far as it says so; 0 when it does not."""
        return max((tag.modified_s for tag in self._own_tags(claim)), default=claim.since_s or 0)

    def _own_tags(self, claim: Claim) -> list[_Tag]:
        ours = self.mark
        return [tag for tag in _tags(claim.tags or "") if tag.mark == ours]


@lru_cache(maxsize=1024)
def _mark(service: str, owner: str) -> str:
    return blake2b(f"{service}|{owner}".encode(), digest_size=8).hexdigest()


class _Tag(msgspec.Struct, frozen=True):
    """A tag of ours, taken apart."""

    etag: str
    modified_s: int
    mark: str
    digest: str


@lru_cache(maxsize=1024)
def _tags(written: str) -> tuple[_Tag, ...]:
    """Those in a header, which one request looks at more than once and a phone sends again until something changes."""
    found = islice(_TAG.finditer(written), _MOST_TAGS)
    return tuple(_Tag(tag[0].removeprefix("W/"), int(tag[1], 16), tag[2], tag[3]) for tag in found)
