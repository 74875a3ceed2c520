"""What is left to do after a sign-in: others are signed out, the user's own backup is put back (D13, D15)."""

from __future__ import annotations

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import OffhookError
from offhook.phone import backup, logout
from offhook.phone.commands import DropBackup, Flow, Remark, Update, take_backup
from offhook.phone.device import Device
from offhook.phone.saved import Saved


def move_in(saved: Saved, device: Device, *, strict: bool = False) -> Flow[Saved]:
    """The record without those who were here before, and with what its user left behind at the last logout.

    What cannot be done now is told, and stays to be done.
    """
    try:
        saved = yield from logout.make_room(saved, device, strict=strict)
    except OffhookError as error:
        yield Remark(Diagnostic("logout", f"of whoever was signed in before goes on later: {error.text}"))
        return saved
    return (yield from restore(saved))


def restore(saved: Saved) -> Flow[Saved]:
    """The record with what the user left behind at the last logout; as it is when that cannot be done now."""
    try:
        found = yield from take_backup(saved.owner)
        if found is None:
            return saved
        # A crash between the two commands leaves a backup that is in the record already.
        if found.digest != saved.restored:
            restored = backup.restore(saved, found)
            yield Update(restored)
            saved = restored
        yield DropBackup(saved.owner)
    except OffhookError as error:
        yield Remark(Diagnostic("backup", f"stays where it is for now: {error.text}"))
    return saved
