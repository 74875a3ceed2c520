"""How a user stands with a directory: right, wrong, or refused for a reason that the person is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from offhook.core.errors import Refused, Unavailable
from offhook.identity.directory import Answer

# What tells of users who are not to come in: Active Directory, 389 Directory Server and FreeIPA, OpenLDAP.
ATTRIBUTES: Final = ("userAccountControl", "accountExpires", "nsAccountLock", "pwdAccountLockedTime")
DISABLED: Final = "Your account is disabled. Please contact your provider."
EXPIRED: Final = "Your account has expired. Please contact your provider."
LOCKED: Final = "Your account is locked after wrong passwords. Please wait, or contact your provider."
MUST_CHANGE: Final = "Your password must be changed first, where you work. Then sign in with the new one."
NOT_NOW: Final = "Your account may not sign in at this time, or from here. Please contact your provider."
CLOSED: Final = "Your provider's directory does not let you in. Please contact your provider."

_OK, _CONSTRAINT, _UNWILLING = 0, 19, 53
_WRONG: Final = 49
# Unknown, no name at all, or a name without a password: to the person it is all the same.
_NO: Final = frozenset({32, 34, 48, _WRONG})
REFUSED_NAMES: Final = frozenset({*_NO, _CONSTRAINT, _UNWILLING})
# What Active Directory adds to "wrong", in hexadecimal: https://ldapwiki.com/wiki/Common%20Active%20Directory%20Bind%20Errors
_ACTIVE_DIRECTORY: Final[Mapping[str, str]] = {
    "52f": NOT_NOW,
    "530": NOT_NOW,
    "531": NOT_NOW,
    "532": MUST_CHANGE,
    "533": DISABLED,
    "568": CLOSED,
    "701": EXPIRED,
    "773": MUST_CHANGE,
    "775": LOCKED,
}
_POLICY: Final[Mapping[int, str]] = {0: MUST_CHANGE, 1: LOCKED, 2: MUST_CHANGE}
_DATA: Final = re.compile(r"\bdata ([0-9a-f]{3,4})\b", re.IGNORECASE)
_AD_DISABLED: Final = 0x2
# Active Directory counts tenths of microseconds since 1601, and never is one of these.
_AD_EPOCH_S: Final = 11_644_473_600
_AD_NEVER: Final = frozenset({0, 0x7FFF_FFFF_FFFF_FFFF})
# Locked by an administrator, and not by wrong passwords, which time heals.
_FOR_GOOD: Final = "000001010000Z"


def fits(answer: Answer) -> bool:
    """What a bind with the person's own password means. Raises Refused with a text for them, Unavailable."""
    if answer.policy is not None and (text := _POLICY.get(answer.policy)):
        raise Refused(text)
    if answer.code == _OK:
        return True
    if answer.code == _WRONG and (found := _DATA.search(answer.text)):
        if text := _ACTIVE_DIRECTORY.get(found[1].lower()):
            raise Refused(text)
        return False
    if answer.code in _NO:
        return False
    if answer.code in {_CONSTRAINT, _UNWILLING}:
        raise Refused(CLOSED)
    raise Unavailable("Your provider's directory cannot check your password right now. Please try again later.")


def disabled(first: Callable[[str], str | None], now_s: float) -> str:
    """Why this user is not to come in at all; empty when they may. A lock that passes by itself is no reason."""
    if _number(first("userAccountControl")) & _AD_DISABLED:
        return DISABLED
    expires = _number(first("accountExpires"))
    if expires not in _AD_NEVER and expires / 10_000_000 - _AD_EPOCH_S <= now_s:
        return EXPIRED
    if (first("nsAccountLock") or "").lower() == "true" or first("pwdAccountLockedTime") == _FOR_GOOD:
        return DISABLED
    return ""


def _number(text: str | None) -> int:
    try:
        return int(text or "0")
    except ValueError:
        return 0
