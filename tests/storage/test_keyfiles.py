"""Key files: made once, for us alone, and never silently replaced when they are damaged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from offhook.core.errors import Invalid
from offhook.core.signing import public_text
from offhook.storage import keyfiles


def test_each_key_is_made_once_and_kept(tmp_path: Path) -> None:
    """The second use finds what the first one made, in files that nobody else can read."""
    first = (
        keyfiles.sealing_keys(tmp_path),
        keyfiles.pepper(tmp_path),
        public_text(keyfiles.portal_key(tmp_path).public_key()),
    )
    second = (
        keyfiles.sealing_keys(tmp_path),
        keyfiles.pepper(tmp_path),
        public_text(keyfiles.portal_key(tmp_path).public_key()),
    )

    assert first == second
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 3


def test_two_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    """Whoever comes second takes the key of the first."""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(keyfiles.pepper, [tmp_path] * 32))

    assert len(found) == 1


@pytest.mark.parametrize(
    ("name", "read", "content"),
    [
        ("sealing.json", keyfiles.sealing_keys, b"{"),
        ("sealing.json", keyfiles.sealing_keys, b'{"current": 2, "keys": {}}'),
        ("sealing.json", keyfiles.sealing_keys, b'{"current": 1, "keys": {"1": "AAAA"}}'),
        ("pepper", keyfiles.pepper, b"AAAA"),
        ("portal-ed25519.pem", keyfiles.portal_key, b"nothing"),
    ],
)
def test_a_damaged_key_is_reported_and_left_as_it_is(
    tmp_path: Path, name: str, read: Callable[[Path], object], content: bytes
) -> None:
    """A new key in place of a damaged one would lose every secret, so a person has to decide."""
    (tmp_path / name).write_bytes(content)

    with pytest.raises(Invalid, match="damaged"):
        read(tmp_path)
    assert (tmp_path / name).read_bytes() == content


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """The portal signs with Ed25519 only."""
    other = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "portal-ed25519.pem").write_bytes(other)

    with pytest.raises(Invalid, match="Ed25519"):
        keyfiles.portal_key(tmp_path)
