"""Whether the settings of a Cloud ID can be used, looked at before they are stored."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Fault, Invalid
from offhook.provider import globalpart, invitation, onboarding, template
from offhook.provider.tenant import Credential, Names, PerWhom, Tenant

MIN_OVERLAP_S: Final = 600
MIN_ROTATION_S: Final = 3600
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_NAME: Final = re.compile(r"[A-Za-z0-9_.~-]{1,64}")
# What a phone also meets when a password is wrong or a server is in trouble (D21): it must not log anybody out.
_TAKEN: Final = frozenset({400, 403, 404, 405, 408, 411, 413, 414, 415, 421, 425, 429, 431})


def check(tenant: Tenant, columns: Collection[str] = ()) -> tuple[Diagnostic, ...]:
    """What was tolerated; `columns` are what the template can ask for. Raises Invalid with every fault."""
    remarks: list[Diagnostic] = []
    faults = [*_name_faults(tenant.names), *_logout_faults(tenant.logout_status), *tenant.logout_limits.faults()]
    faults += onboarding.faults(
        tenant.onboarding,
        tenant.numbers,
        tenant.hooks,
        keeps_password=tenant.credential is Credential.PASSWORD,
    )
    faults += _sip_faults(tenant)
    faults += invitation.faults(tenant.inviting)
    try:
        for remark in template.validate(tenant.template, columns):
            remarks.append(Diagnostic(f"template, {remark.place}", remark.text))
    except Invalid as error:
        faults += (Fault(f"template, {fault.place}", fault.text) for fault in error.faults)
    try:
        remarks += globalpart.validate(tenant.common)
    except Invalid as error:
        faults += error.faults
    Invalid.unless_empty(faults)
    return tuple(remarks)


def _name_faults(names: Names) -> Iterator[Fault]:
    given = msgspec.structs.asdict(names)
    for kind, name in given.items():
        if _NAME.fullmatch(name) is None:
            yield Fault(f"name of {kind}", f"{name[:80]!r} is not of 1 to 64 letters, digits, '.', '_', '~' or '-'")
    called = list(given.values())
    for name in sorted({name for name in called if called.count(name) > 1}):
        yield Fault("names", f"{name} stands for more than one parameter")


def _logout_faults(status: int) -> Iterator[Fault]:
    if not 400 <= status <= 499 or status in _TAKEN:
        yield Fault("logout status", f"{status} is not a status of 400 to 499 that means nothing else, such as 410")


def _sip_faults(tenant: Tenant) -> Iterator[Fault]:
    sip = tenant.sip
    if sip is None:
        return
    if _DOMAIN.fullmatch(sip.domain) is None:
        yield Fault("SIP domain", f"{sip.domain[:80]!r} is no domain in small letters, such as sip.example.org")
    if not sip.keep_passwords and sip.accounts is PerWhom.USER:
        yield Fault("SIP passwords", "must be kept for accounts per user: each further phone has to be told, too")
    if not sip.keep_passwords and tenant.credential is Credential.SIP:
        yield Fault("SIP passwords", "must be kept where the app authenticates with them: use --credential token")
    if not sip.keep_passwords and sip.rotate_every_s:
        yield Fault("SIP rotation", "needs passwords that are kept: without them, phones cannot go on with the former")
    if sip.rotate_every_s < 0 or 0 < sip.rotate_every_s < max(MIN_ROTATION_S, 2 * sip.overlap_s):
        least = f"{MIN_ROTATION_S:,} s and twice the overlap of {sip.overlap_s:,} s"
        yield Fault("SIP rotation", f"every {sip.rotate_every_s:,} s is too often: it takes at least {least}")
    if sip.overlap_s < MIN_OVERLAP_S:
        yield Fault("SIP overlap", f"of {sip.overlap_s:,} s is too short for phones to come back: {MIN_OVERLAP_S} s")
