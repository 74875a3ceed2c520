"""Reports to the provider: that an account was removed (D14), and the push tokens at a fresh start."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from enum import Enum
from typing import Final

import msgspec

from offhook.core import webservice
from offhook.core.placeholders import Scope
from offhook.core.webservice import Prepared, Request, Response
from offhook.phone.device import Device
from offhook.phone.saved import Saved

REMOVAL: Final = "removal report"
PUSH_TOKEN: Final = "push token report"
KEPT_S: Final = 7 * 86400
MAX_ANSWER_BYTES: Final = 65536

_RETRIED: Final = frozenset({408, 429})


class Report(msgspec.Struct, frozen=True):
    """A removal report, its values filled in when the account was still there.

    `age_s` counts only while the phone runs, so that neither a clock that steps nor weeks in a drawer use up the seven
    days in which it is tried.
    """

    id: str
    request: Request
    attempts: int = 0
    age_s: float = 0.0


class Verdict(Enum):
    """What an answer means for a report."""

    DELIVERED = "delivered"
    AGAIN = "to be tried again"
    REFUSED = "refused for good"


def verdict(answer: Response | object) -> Verdict:
    """2xx ends it; 408, 429, 5xx and no answer are tried again; anything else ends it, too (D14)."""
    if not isinstance(answer, Response):
        return Verdict.AGAIN
    if 200 <= answer.status < 300:
        return Verdict.DELIVERED
    return Verdict.AGAIN if answer.status in _RETRIED or answer.status >= 500 else Verdict.REFUSED


def removal_id(saved: Saved, device: Device) -> str:
    """The same for one sign-in, so that a logout which is resumed does not report twice."""
    return _digest(device.install_id, saved.owner, saved.signed_in_at.isoformat(), saved.account.text("X-install-id"))


def removal(saved: Saved, device: Device, *, strict: bool = False) -> Prepared | None:
    """The request that reports the removal of this account; None when no service is named. Raises Invalid."""
    return _prepared(webservice.REMOVAL_REPORTER, saved, device, strict=strict)


def push_tokens(saved: Saved, device: Device, *, strict: bool = False) -> Prepared | None:
    """The request that reports the push tokens; None when no service is named. Raises Invalid."""
    return _prepared(webservice.PUSH_TOKEN_REPORTER, saved, device, strict=strict)


def account_scope(saved: Saved, device: Device, more: Mapping[str, str] | None = None) -> Scope:
    """The placeholders once there is an account: `%account[...]%` and the global ones, no longer what was typed."""
    account = {key: value.content for key, value in saved.account.values().items()}
    return Scope(names={**device.names(), **(more or {})}, account=account, extras=saved.extras)


def _prepared(prefix: str, saved: Saved, device: Device, *, strict: bool) -> Prepared | None:
    definition = webservice.define(prefix, saved.account.text)
    if definition is None:
        return None
    prepared = webservice.prepare(definition, account_scope(saved, device, _tokens(saved, device)), strict=strict)
    return Prepared(device.dress(prepared.request), prepared.diagnostics)


def _tokens(saved: Saved, device: Device) -> dict[str, str]:
    """What identifies the account on the device, and its push tokens: made up, since no push service knows this one."""
    incoming, other = (_token(device, kind) for kind in ("incoming call", "other"))
    return {
        "selector": f"{hashlib.sha1(saved.owner.encode(), usedforsecurity=False).hexdigest()}:1",
        "pushToken": other,
        "pushTokenIncomingCall": incoming,
        "pushTokenOther": other,
        "pushappid_incoming_call": "org.offhook.phone.voip",
        "pushappid_other": "org.offhook.phone",
    }


def _token(device: Device, kind: str) -> str:
    return base64.b64encode(bytes.fromhex(_digest("push token", kind, device.install_id))).decode()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]
