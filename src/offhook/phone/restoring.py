"""A user's backup put back into the record after a sign-in, and removed when it is safe there (D15)."""

from __future__ import annotations

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import OffhookError
from offhook.phone import backup
from offhook.phone.commands import DropBackup, Flow, Remark, Update, take_backup
from offhook.phone.saved import Saved


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
