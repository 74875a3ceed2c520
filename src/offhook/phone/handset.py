"""One phone: its device, its vault, its keystore, and what its user changed."""

from __future__ import annotations

import fcntl
import locale
import os
import platform
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, assert_never

from offhook.core.errors import Conflict, Invalid, NotFound
from offhook.core.login import CloudId, Login
from offhook.core.screen import Shown
from offhook.phone import editing, files
from offhook.phone.commands import (
    DeviceCommand,
    DeviceReply,
    DropBackup,
    DropReport,
    Erase,
    Flow,
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
from offhook.phone.device import Device
from offhook.phone.drawer import Drawer
from offhook.phone.editing import Edited
from offhook.phone.files import Disk, Files, in_words
from offhook.phone.flow import Offered, initial_screen, sign_in
from offhook.phone.kept import Kept
from offhook.phone.keystore import FileKeystore, Keystore
from offhook.phone.life import Life
from offhook.phone.portal import Portal
from offhook.phone.portals import Portals
from offhook.phone.restoring import move_in
from offhook.phone.saved import Saved
from offhook.phone.vault import Opened, Vault

_INSTALL_ID: Final = re.compile(r"[0-9a-f]{32}")


def _now() -> datetime:
    return datetime.now(UTC)


class Handset:
    """A phone whose things lie in one folder.

    `alone` must be held to change anything; reading is possible at any time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keystore: Keystore | None = None,
        disk: Files | None = None,
        clock: Callable[[], datetime] = _now,
        device: Device | None = None,
    ) -> None:
        self.folder, self.files, self.clock, self._device = folder, disk or Disk(), clock, device
        keys = keystore or FileKeystore(folder / "keystore", self.files)
        self.vault = Vault(folder / "vault", keys, self.files)
        self.kept = Kept(Drawer(folder / "reports", keys, self.files), Drawer(folder / "backups", keys, self.files))
        self.portals = Portals(folder / "portals.json", self.files)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who changes this phone; cleans up after a crash. Raises Conflict when somebody else is."""
        self.files.make_folder(self.folder)
        with _locked(self.folder):
            self._clean_up()
            yield

    def saved(self) -> Opened:
        """What the phone keeps. Raises Invalid when that cannot be read: only a sign-in goes on then."""
        opened = self.vault.load()
        if opened.trouble:
            how = "Nothing was changed; the next sign-in sets it aside"
            raise Invalid.at(str(self.vault.folder), f"cannot be opened: {opened.trouble}. {how}")
        return opened

    def device(self) -> Device:
        """This device; its install id is made at the first start and kept."""
        return self._device or self._this_machine()

    def _this_machine(self) -> Device:
        return Device(
            install_id=self._install_id(),
            platform=platform.system().lower(),
            platform_version=platform.release(),
            model="Offhook",
            cpu=platform.machine(),
            locale=(locale.getlocale()[0] or "en").replace("_", "-"),
        )

    def signing_in(
        self, login: Login, portal: Portal, *, pinned: str = "", shown: Shown | None = None, strict: bool = False
    ) -> Flow[Saved]:
        """The conversation of a sign-in, with what the user left behind here; to be driven while `alone`.

        `shown` is the screen on which it begins. A vault that cannot be read is set aside when all else is done.
        """
        opened = self.vault.load()
        device, trusted = self.device(), self.portals.find(portal.url)
        saved = yield from sign_in(
            login,
            portal,
            device,
            self.clock(),
            pinned=pinned,
            trusted=trusted,
            earlier=opened.saved,
            trouble=opened.trouble,
            shown=shown,
            strict=strict,
        )
        return (yield from move_in(saved, device, strict=strict))

    def living(self, *, fresh: bool = False, strict: bool = False) -> Life:
        """The life of this phone from now on, to be driven while `alone`; `fresh` as in `Life`. Raises as `saved`."""
        return Life(self.device(), self.saved().saved, fresh=fresh, strict=strict)

    def act(self, command: DeviceCommand) -> DeviceReply:
        """Do what a conversation wants kept, found or removed, while `alone`. Raises OffhookError."""
        match command:
            case Save(saved=saved, theme=package):
                self.vault.save(saved, package)
            case SetAside():
                return str(self.vault.set_aside())
            case KeepTheme(package=package):
                self.vault.keep_theme(package)
            case Update(saved=saved):
                self.vault.update(saved)
            case Tidy(saved=saved):
                self.vault.tidy(saved)
            case Erase(left=left):
                self.vault.erase(left)
            case KeepTrust(portal=url, trust=learned, earlier=earlier):
                self.portals.keep(url, learned, earlier=earlier)
            case TakeReports():
                return self.kept.take_reports()
            case PutReport(report=report):
                self.kept.put_report(report)
            case DropReport(report_id=report_id):
                self.kept.drop_report(report_id)
            case PutBackup(owner=owner, backup=backup):
                self.kept.put_backup(owner, backup)
            case TakeBackup(owner=owner):
                return self.kept.take_backup(owner)
            case DropBackup(owner=owner):
                self.kept.drop_backup(owner)
            case _:
                assert_never(command)
        return None

    def first_screen(self, cloud_id: CloudId, portal: Portal, *, pinned: str = "") -> Flow[Offered]:
        """The conversation that fetches the initial screen of a white label."""
        return initial_screen(
            cloud_id,
            portal,
            self.device(),
            pinned=pinned,
            trusted=self.portals.find(portal.url),
            earlier=self.vault.load().saved,
        )

    def edit(self, key: str, content: str, *, preference: bool = False) -> Edited:
        """Make a change of the user's, while `alone`. Raises NotFound, Invalid or Refused, with the reason."""
        saved = self.signed_in()
        if preference:
            return self._changed(editing.prefer(saved, key, content))
        return self._changed(editing.edit(saved, key, content, self.device().locale))

    def add_dial(self, identity: str, display_name: str, uri: str) -> Edited:
        """Set a quick dial of the user's, while `alone`. Raises as `edit` does."""
        return self._changed(editing.add_dial(self.signed_in(), identity, display_name, uri))

    def signed_in(self) -> Saved:
        """The record; raises NotFound when nobody is signed in, or a logout is under way, else as `saved`."""
        saved = self.saved().saved
        if saved is None or saved.leaving:
            raise NotFound("Nobody is signed in on this phone. Sign in first.")
        return saved

    def _changed(self, edited: Edited) -> Edited:
        self.vault.update(edited.saved)
        return edited

    def _clean_up(self) -> None:
        """Remove what a crash left behind; a vault that cannot be read stays exactly as it is."""
        opened = self.vault.load()
        if not opened.trouble:
            self.vault.tidy(opened.saved)
        self.kept.tidy()

    def _install_id(self) -> str:
        path = self.folder / "install-id"
        known = (self.files.read(path, 64) or b"").decode("ascii", "replace").strip()
        if _INSTALL_ID.fullmatch(known):
            return known
        made = secrets.token_hex(16)
        files.put(self.files, path, made.encode() + b"\n")
        return made


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process that holds it."""
    with in_words(folder):
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"Another process is using the phone in {folder}. Wait until it has ended.") from None
        yield
    finally:
        os.close(descriptor)
