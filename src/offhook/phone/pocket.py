"""What a phone without a disk keeps, in memory: for thousands of them in one process, which nobody switches off."""

from __future__ import annotations

import hashlib
from typing import assert_never

import msgspec

from offhook.phone.backup import Backup, Found
from offhook.phone.commands import (
    DeviceCommand,
    DeviceReply,
    DropBackup,
    DropReport,
    Erase,
    KeepTheme,
    KeepTrust,
    PutBackup,
    PutReport,
    Save,
    SetAside,
    TakeBackup,
    TakeReports,
    Tidy,
    Update,
)
from offhook.phone.reports import Report
from offhook.phone.saved import Saved


class Pocket:
    """Does what a conversation wants kept. Of a theme only its digest is kept, in the record: nobody looks at it."""

    __slots__ = ("_backups", "_reports", "saved")

    def __init__(self) -> None:
        self.saved: Saved | None = None
        # None as long as there is none: most phones of a fleet never have one.
        self._reports: dict[str, Report] | None = None
        self._backups: dict[str, Backup] | None = None

    def act(self, command: DeviceCommand) -> DeviceReply:
        """As the device of an `Edge` does; it never fails."""
        match command:
            case Save(saved=saved) | Update(saved=saved):
                self.saved = saved
            case Erase():
                self.saved = None
            case TakeReports():
                return tuple((self._reports or {}).values())
            case PutReport(report=report):
                self._reports = {**(self._reports or {}), report.id: report}
            case DropReport(report_id=report_id):
                (self._reports or {}).pop(report_id, None)
            case PutBackup(owner=owner, backup=backup):
                self._backups = {**(self._backups or {}), owner: backup}
            case TakeBackup(owner=owner):
                return _found((self._backups or {}).get(owner))
            case DropBackup(owner=owner):
                (self._backups or {}).pop(owner, None)
            case KeepTheme() | KeepTrust() | SetAside() | Tidy():
                pass
            case _:
                assert_never(command)
        return None


def _found(backup: Backup | None) -> Found | None:
    if backup is None:
        return None
    return Found(backup, hashlib.sha256(msgspec.msgpack.encode(backup)).hexdigest())
