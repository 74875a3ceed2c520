"""The certificate and its key as the listening process reads them: checked, the key in the one form it knows."""

from __future__ import annotations

import fcntl
import os
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate

from offhook.core.errors import Invalid


class Pair(NamedTuple):
    """A certificate chain and its key: the files an operator names, or our copies of them."""

    certificate: Path
    key: Path

    def stamps(self) -> tuple[int, ...]:
        """Other numbers than last time when a file has changed, is missing, or is back."""
        return tuple(path.stat().st_mtime_ns for path in self if path.exists())

    def read(self) -> tuple[bytes, bytes]:
        """Their content, the key as PKCS#8; raises Invalid when they are not a pair."""
        try:
            private = load_pem_private_key(self.key.read_bytes(), None)
            theirs = load_pem_x509_certificate(self.certificate.read_bytes()).public_key()
            if _spelt(theirs) != _spelt(private.public_key()):
                raise Invalid.at("--tls-cert", f"{self.certificate} is the certificate of another key than {self.key}")
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
            key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return self.certificate.read_bytes(), key
        except (OSError, ValueError, TypeError) as error:
            reason = f"{self.certificate} and {self.key} are not a certificate and its key without a passphrase"
            raise Invalid.at("--tls-cert", f"{reason} ({error})") from None


def _spelt(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Copies:
    """Copies of a pair in a folder of this process alone, below one that all processes of a data folder share.

    Each holds a lock on its own folder while it lives. What a killed process has left has no lock, and is removed by
    the next one. Only a process that speaks TLS makes any folder.
    """

    def __init__(self, shared: Path) -> None:
        self._shared = shared
        self._folder: Path | None = None
        self._lock = -1

    def keep(self, pair: Pair) -> Pair:
        """New copies of a pair, also when somebody has swept the former ones away; raises Invalid, OSError."""
        certificate, key = pair.read()
        if self._folder is None or not self._folder.exists():
            self.close()
            self._take_a_folder()
        assert self._folder is not None
        copy = Pair(self._folder / "certificate.pem", self._folder / "key.pem")
        copy.certificate.write_bytes(certificate)
        copy.key.touch(0o600)
        copy.key.write_bytes(key)
        return copy

    def _take_a_folder(self) -> None:
        self._shared.mkdir(mode=0o700, exist_ok=True)
        everybody = os.open(self._shared, os.O_RDONLY)
        try:
            # Nobody may take a folder that was just made, and is not locked yet, for one that was left.
            fcntl.flock(everybody, fcntl.LOCK_EX)
            for folder in self._shared.iterdir():
                if (lock := _lock(folder)) is not None:
                    shutil.rmtree(folder)
                    os.close(lock)
            self._folder = Path(tempfile.mkdtemp(dir=self._shared))
            self._lock = os.open(self._folder, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        finally:
            os.close(everybody)

    def close(self) -> None:
        """Remove the copies."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self._lock)
            self._folder = None


def _lock(folder: Path) -> int | None:
    """A lock on a folder that nobody holds any more, or None."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
