"""How a user comes in the first time, by Cloud ID, and what is made for them then."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from offhook.core.errors import Fault
from offhook.provider.subscriber import SIP_USERNAME

CODE_S: Final = 900
REFRESH_S: Final = 3600
MIN_REFRESH_S: Final = 60
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_ATTRIBUTE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_DOMAIN: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")


class Closed(msgspec.Struct, frozen=True, tag="closed", forbid_unknown_fields=True):
    """Only users whom the operator added."""

    def __str__(self) -> str:
        return "closed: only users whom you added"


class ByInvitation(msgspec.Struct, frozen=True, tag="invitation", forbid_unknown_fields=True):
    """Users with an invitation, and those whom the operator added."""

    def __str__(self) -> str:
        return "by invitation"


class SignUp(msgspec.Struct, frozen=True, tag="sign_up", forbid_unknown_fields=True):
    """Whoever gets the code that is sent to an e-mail address: by mail, or by a hook that is named.

    Where `domains` are given, the address has to be in one of them. A code is good for `code_s` seconds.
    """

    sent_by: str = ""
    domains: tuple[str, ...] = ()
    code_s: int = CODE_S

    def admits(self, address: str) -> bool:
        """Whether an address is in one of the domains."""
        return not self.domains or address.rpartition("@")[2].casefold() in self.domains

    def __str__(self) -> str:
        way = f"the hook {self.sent_by}" if self.sent_by else "mail"
        whose = f" of {', '.join(self.domains)}" if self.domains else ""
        return f"sign-up with any e-mail address{whose}; codes go by {way}"


class ByUpstream(msgspec.Struct, frozen=True, tag="upstream", forbid_unknown_fields=True):
    """Users for whom an upstream vouches. It is asked for each of them again every `refresh_s` seconds."""

    upstream: str
    refresh_s: int = REFRESH_S

    def __str__(self) -> str:
        return f"the upstream {self.upstream} vouches for users"


AnyOnboarding: TypeAlias = Closed | ByInvitation | SignUp | ByUpstream


class NumberFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each user gets a number of this pool, as this attribute."""

    pool: str
    attribute: str = "number"

    def __str__(self) -> str:
        return f"{self.attribute} from {self.pool}"


def faults(
    onboarding: AnyOnboarding, numbers: tuple[NumberFrom, ...], hooks: tuple[str, ...], *, keeps_password: bool
) -> Iterator[Fault]:
    """Why these settings cannot be used."""
    match onboarding:
        case SignUp(sent_by, domains, code_s):
            if sent_by and not _NAME.fullmatch(sent_by):
                yield Fault("sign-up", f"{sent_by[:80]!r} is no name of a hook")
            for domain in domains:
                if not _DOMAIN.fullmatch(domain):
                    yield Fault("sign-up", f"{domain[:80]!r} is no domain in lower case, such as example.com")
            if not 60 <= code_s <= 86400:
                yield Fault("sign-up", "a code is good for 60 seconds to a day")
        case ByUpstream(upstream, refresh_s):
            if not _NAME.fullmatch(upstream):
                yield Fault("upstream", f"{upstream[:80]!r} is no name of a connection")
            if refresh_s < MIN_REFRESH_S:
                yield Fault("upstream", f"is asked at most every {MIN_REFRESH_S} seconds")
        case Closed() | ByInvitation():
            pass
    if keeps_password and isinstance(onboarding, SignUp | ByUpstream | ByInvitation):
        yield Fault(
            "credential",
            "the app would keep a password that is not kept here, and could not ask again: choose token or sip",
        )
    yield from _thing_faults(numbers, hooks)


def _thing_faults(numbers: tuple[NumberFrom, ...], hooks: tuple[str, ...]) -> Iterator[Fault]:
    for one in numbers:
        if not _NAME.fullmatch(one.pool):
            yield Fault("number", f"{one.pool[:80]!r} is no name of a pool")
        if not _ATTRIBUTE.fullmatch(one.attribute) or one.attribute == SIP_USERNAME:
            yield Fault("number", f"{one.attribute[:80]!r} is no name that an attribute with a number can have")
    attributes = [one.attribute for one in numbers]
    for attribute in sorted({name for name in attributes if attributes.count(name) > 1}):
        yield Fault("number", f"{attribute} would come from more than one pool")
    for name in hooks:
        if not _NAME.fullmatch(name):
            yield Fault("hook", f"{name[:80]!r} is no name of a connection")
    for name in sorted({name for name in hooks if hooks.count(name) > 1}):
        yield Fault("hook", f"{name} stands more than once")
