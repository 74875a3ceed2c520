"""What a device keeps beside the record, and beyond it: removal reports under way (D14), and backups by user (D15).

reports/ID.bin         one report, sealed; gone when it is delivered or given up
backups/DIGEST.bin     the newest backup of one user, sealed and bound to Cloud ID and username
*.damaged-1            what could not be read, as it was
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, TypeVar

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid
from offhook.core.secret import Secret
from offhook.phone.backup import Backup, Found, join
from offhook.phone.drawer import Drawer
from offhook.phone.reports import Report
from offhook.phone.saved import Call

MAX_REPORTS: Final = 100

_Kind = TypeVar("_Kind")


class Kept:
    """Both drawers; `remarks` tells what had to be set aside."""

    __slots__ = ("backups", "remarks", "reports")

    def __init__(self, reports: Drawer, backups: Drawer) -> None:
        self.reports, self.backups = reports, backups
        self.remarks: tuple[Diagnostic, ...] = ()

    def take_reports(self) -> tuple[Report, ...]:
        """Every report that is under way."""
        found = [self._read(self.reports, key, f"report {key}", Report) for key in self.reports.keys()[:MAX_REPORTS]]
        return tuple(report for report in found if report is not None)

    def put_report(self, report: Report) -> None:
        """Keep a report in the place of the one with the same id."""
        content = msgspec.msgpack.encode(report, enc_hook=_write_secret)
        self.reports.put(report.id, f"report {report.id}", content)

    def drop_report(self, report_id: str) -> None:
        """A report is delivered, or given up."""
        self.reports.remove(report_id)

    def take_backup(self, owner: str) -> Found | None:
        """The newest backup of a user; one that cannot be decrypted is set aside, and there is none."""
        sealed = self.backups.sealed(_key(owner))
        backup = self._read(self.backups, _key(owner), _name(owner), Backup)
        return Found(backup, hashlib.sha256(sealed).hexdigest()) if sealed and backup is not None else None

    def put_backup(self, owner: str, backup: Backup) -> None:
        """Keep a user's backup in the place of an older one."""
        self.backups.put(_key(owner), _name(owner), msgspec.msgpack.encode(backup))

    def add_calls(self, owner: str, calls: tuple[Call, ...]) -> None:
        """Write calls into the backup of a user who is not signed in any more."""
        found = self.take_backup(owner)
        self.put_backup(owner, join(found.backup if found else Backup(), Backup(history=calls)))

    def drop_backup(self, owner: str) -> None:
        """The backup is in the record now."""
        self.backups.remove(_key(owner))

    def tidy(self) -> None:
        """Remove what a crash left half written."""
        self.reports.tidy()
        self.backups.tidy()

    def _read(self, drawer: Drawer, key: str, name: str, kind: type[_Kind]) -> _Kind | None:
        sealed = drawer.sealed(key)
        if sealed is None:
            return None
        try:
            return msgspec.msgpack.decode(drawer.open(sealed, name), type=kind, dec_hook=_read_secret)
        except (Invalid, msgspec.DecodeError) as error:
            aside = drawer.set_aside(key)
            reason = error.text if isinstance(error, Invalid) else "it makes no sense"
            self.remarks += (Diagnostic(name.partition(" ")[0], f"could not be read ({reason}); now at {aside}"),)
            return None


def _key(owner: str) -> str:
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _name(owner: str) -> str:
    return f"backup {owner}"


def _write_secret(value: Any) -> str:  # noqa: ANN401 - the library's own type
    assert isinstance(value, Secret)
    return value.reveal()


def _read_secret(kind: type, value: Any) -> Secret:  # noqa: ANN401 - the library's own type
    assert kind is Secret
    return Secret(value)
