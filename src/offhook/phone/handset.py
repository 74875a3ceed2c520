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
from typing import Final

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Conflict, NotFound
from offhook.core.login import CloudId, Login
from offhook.phone import editing, files
from offhook.phone.commands import Flow
from offhook.phone.device import Device
from offhook.phone.editing import Edited
from offhook.phone.files import Disk, Files, in_words
from offhook.phone.flow import Offered, initial_screen, sign_in
from offhook.phone.keystore import FileKeystore, Keystore
from offhook.phone.portal import Portal
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
    ) -> None:
        self.folder, self.files, self.clock = folder, disk or Disk(), clock
        self.vault = Vault(folder / "vault", keystore or FileKeystore(folder / "keystore", self.files), self.files)
        self.remarks: tuple[Diagnostic, ...] = ()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who changes this phone; cleans up after a crash. Raises Conflict when somebody else is."""
        self.files.make_folder(self.folder)
        with _locked(self.folder):
            self._clean_up()
            yield

    def saved(self) -> Opened:
        """What the phone keeps."""
        return self.vault.load()

    def device(self) -> Device:
        """This device; its install id is made at the first start and kept."""
        return Device(
            install_id=self._install_id(),
            platform=platform.system().lower(),
            platform_version=platform.release(),
            model="Offhook",
            cpu=platform.machine(),
            locale=(locale.getlocale()[0] or "en").replace("_", "-"),
        )

    def signing_in(self, login: Login, portal: Portal, *, pinned: str = "", strict: bool = False) -> Flow[Saved]:
        """The conversation of a sign-in, to be driven while `alone`."""
        earlier = self.vault.load().saved
        return sign_in(login, portal, self.device(), self.clock(), pinned=pinned, earlier=earlier, strict=strict)

    def first_screen(self, cloud_id: CloudId, portal: Portal, *, pinned: str = "") -> Flow[Offered]:
        """The conversation that fetches the initial screen of a white label."""
        return initial_screen(cloud_id, portal, self.device(), pinned=pinned, earlier=self.vault.load().saved)

    def edit(self, key: str, content: str) -> Edited:
        """Make a change of the user's, while `alone`. Raises NotFound, Invalid or Refused, with the reason."""
        saved = self.vault.load().saved
        if saved is None:
            raise NotFound("Nobody is signed in on this phone. Sign in first.")
        edited = editing.edit(saved, key, content, self.device().locale)
        self.vault.update(edited.saved)
        return edited

    def _clean_up(self) -> None:
        opened = self.vault.load()
        if opened.damage:
            aside = self.vault.set_aside()
            self.remarks = (Diagnostic("vault", f"could not be read ({opened.damage}) and was set aside as {aside}"),)
        self.vault.tidy(opened.saved)

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
