"""Upstreams: where users are known already, who vouch for one that signs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from offhook.core.secret import Secret


class Vouched(msgspec.Struct, frozen=True):
    """A user as the upstream knows them: the name that is theirs there, attributes, and groups."""

    username: str
    attributes: Mapping[str, str] = {}
    groups: tuple[str, ...] = ()


class Upstream(Protocol):
    """One source of users. Its methods wait for it, so they belong into a thread, and have an end in time.

    Unavailable means that nothing is known: it is never taken for a no.
    """

    def vouch(self, username: str, password: Secret) -> Vouched | None:
        """The user whose password this is; None when the upstream says no, wrong or unknown alike.

        A wrong password is tried once and never twice, since a directory counts them. An empty one is never tried.
        Raises Refused with a text for the person where the upstream says that this user may not come in, TooMany where
        it is not asked any more lest it lock them, Unavailable.
        """

    def look_up(self, username: str) -> Vouched | None:
        """The user without a password, as they are known now; None when the upstream says that there is none.

        Raises Refused as `vouch`; Unavailable, also where an upstream cannot tell without the password.
        """
