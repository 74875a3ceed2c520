"""The logout (D13): step by step, each noted in the record before the next, so that a crash only delays it.

Whoever signs in over another user's record takes its place in one write (D8). The steps that are left for that other
user are taken afterwards, from a copy of the record that lies in the new one until then.
"""

from __future__ import annotations

from typing import Final

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid, OffhookError
from offhook.phone import reports, trust
from offhook.phone.backup import back_up, join
from offhook.phone.commands import (
    Erase,
    Flow,
    KeepTrust,
    PutBackup,
    PutReport,
    Remark,
    Skip,
    Unregister,
    Update,
    take_backup,
)
from offhook.phone.device import Device
from offhook.phone.reports import Report
from offhook.phone.saved import Leaving, Left, Saved, Step

_ORDER: Final = tuple(Step)


def decide(saved: Saved, message: str) -> Saved:
    """The record of an account that is to go; once it is kept, nothing but a finished logout ends it."""
    return msgspec.structs.replace(saved, leaving=Leaving(Step.UNREGISTER, message))


def back_up_again(saved: Saved) -> Saved:
    """The record after a change of the user's, who came in between: a backup that was made before does not have it."""
    if saved.leaving is None or saved.leaving.step is not Step.ERASE:
        return saved
    return msgspec.structs.replace(saved, leaving=Leaving(Step.BACK_UP, saved.leaving.message))


def leave(saved: Saved, device: Device, *, strict: bool = False) -> Flow[Saved]:
    """All steps that come before the erasure, from the one that is noted on, after those of earlier users."""
    saved = yield from make_room(saved, device, strict=strict)
    while _step(saved) is not Step.ERASE:
        yield from _take(_step(saved), saved, device, strict=strict)
        saved = _following(saved)
        yield Update(saved)
    return saved


def succeed(saved: Saved, earlier: Saved) -> Saved:
    """The record of who signs in now, which carries what has to be done yet for whoever was there before."""
    if earlier.leaving is None:
        earlier = decide(earlier, "")
    if _step(earlier) is Step.UNREGISTER:
        # What is registered ends with the app or with the next registration, and must not be the successor's.
        earlier = _following(earlier)
    going = msgspec.structs.replace(earlier, predecessors=())
    waiting = () if _step(going) is Step.ERASE else (going,)
    return msgspec.structs.replace(saved, predecessors=(*earlier.predecessors, *waiting))


def make_room(saved: Saved, device: Device, *, strict: bool = False) -> Flow[Saved]:
    """Finish the logouts of those who were signed in before."""
    while saved.predecessors:
        going, *waiting = saved.predecessors
        yield from _take(_step(going), going, device, strict=strict)
        going = _following(going)
        left = waiting if _step(going) is Step.ERASE else [going, *waiting]
        saved = msgspec.structs.replace(saved, predecessors=tuple(left))
        yield Update(saved)
    return saved


def erase(saved: Saved) -> Flow[Left]:
    """The last step: account, secrets and theme go; the portal's address and the message stay, and its pin elsewhere.

    Secrets do not wait for a file of pins that cannot be read: the pin is in it since the sign-in, if anywhere.
    """
    assert saved.leaving is not None
    left = Left(saved.portal, saved.leaving.message)
    try:
        yield KeepTrust(saved.portal, trust.of_record(saved), earlier=True)
    except OffhookError as error:
        yield Remark(Diagnostic("portals", f"how new the parts of this portal are was not noted: {error.text}"))
    yield Erase(left)
    return left


def _step(saved: Saved) -> Step:
    assert saved.leaving is not None
    return saved.leaving.step


def _following(saved: Saved) -> Saved:
    assert saved.leaving is not None
    following = Leaving(_ORDER[_ORDER.index(saved.leaving.step) + 1], saved.leaving.message)
    return msgspec.structs.replace(saved, leaving=following)


def _take(step: Step, saved: Saved, device: Device, *, strict: bool) -> Flow[None]:
    match step:
        case Step.UNREGISTER:
            yield Unregister()
        case Step.REPORT:
            yield from _report(saved, device, strict=strict)
        case _:
            yield from _back_up(saved)


def _back_up(saved: Saved) -> Flow[None]:
    """Keep what is the user's, with what lies in a backup that could not be put back since (D15)."""
    found = yield from take_backup(saved.owner)
    own = back_up(saved)
    yield PutBackup(saved.owner, join(found.backup, own) if found and found.digest != saved.restored else own)


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
