"""The logout (D13): step by step, each noted in the record before the next, so that a crash only delays it."""

from __future__ import annotations

from typing import Final

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid
from offhook.phone import reports, trust
from offhook.phone.backup import back_up
from offhook.phone.commands import Erase, Flow, KeepTrust, PutBackup, PutReport, Remark, Skip, Unregister, Update
from offhook.phone.device import Device
from offhook.phone.reports import Report
from offhook.phone.saved import Leaving, Left, Saved, Step

_ORDER: Final = tuple(Step)


def decide(saved: Saved, message: str) -> Flow[Saved]:
    """Note that this account is to go; from here on nothing but a finished logout ends it."""
    leaving = msgspec.structs.replace(saved, leaving=Leaving(Step.UNREGISTER, message))
    yield Update(leaving)
    return leaving


def leave(saved: Saved, device: Device, *, strict: bool = False) -> Flow[Saved]:
    """All steps that come before the erasure, from the one that is noted on."""
    assert saved.leaving is not None
    for step in _ORDER[_ORDER.index(saved.leaving.step) : _ORDER.index(Step.ERASE)]:
        match step:
            case Step.UNREGISTER:
                yield Unregister()
            case Step.REPORT:
                yield from _report(saved, device, strict=strict)
            case _:
                yield PutBackup(saved.owner, back_up(saved))
        following = Leaving(_ORDER[_ORDER.index(step) + 1], saved.leaving.message)
        saved = msgspec.structs.replace(saved, leaving=following)
        yield Update(saved)
    return saved


def erase(saved: Saved) -> Flow[Left]:
    """The last step: account, secrets and theme go; the portal's pin and the message stay."""
    assert saved.leaving is not None
    left = Left(saved.portal, saved.portal_key, saved.leaving.message)
    yield KeepTrust(saved.portal, trust.of_record(saved), earlier=True)
    yield Erase(left)
    return left


def _report(saved: Saved, device: Device, *, strict: bool) -> Flow[None]:
    try:
        prepared = reports.removal(saved, device, strict=strict)
    except Invalid as error:
        yield Remark(Diagnostic(reports.REMOVAL, f"cannot be sent: {error.text}"))
        return
    if prepared is None:
        yield Skip(reports.REMOVAL, "the account names no such service")
        return
    for diagnostic in prepared.diagnostics:
        yield Remark(diagnostic)
    yield PutReport(Report(reports.removal_id(saved, device), prepared.request))
