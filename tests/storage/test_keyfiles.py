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
        ("pepper", keyfiles.pepper, b"A"),
        ("pepper", keyfiles.pepper, b"\xff"),
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


def test_keys_are_made_for_a_new_database_only(tmp_path: Path) -> None:
    """Beside a database, a missing key is asked for and not made anew, since the secrets need the one that was."""
    database = tmp_path / "offhook.sqlite3"
    folder = tmp_path / "keys"
    folder.mkdir()
    keyfiles.ready(folder, database)
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    database.touch()

    keyfiles.ready(folder, database)
    (folder / "sealing.json").unlink()
    with pytest.raises(Invalid, match=r"lacks sealing\.json, .* restore the keys from the backup"):
        keyfiles.ready(folder, database)

    assert len(made) == 3
    assert not (folder / "sealing.json").exists()


def test_a_key_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """What the system says of it is told, as with every other fault."""
    (tmp_path / "pepper").mkdir()

    with pytest.raises(Invalid, match="cannot be used: Is a directory"):
        keyfiles.pepper(tmp_path)


def test_a_key_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """A folder that is not there is no traceback either."""
    with pytest.raises(Invalid, match="cannot be used: No such file"):
        keyfiles.pepper(tmp_path / "none")
