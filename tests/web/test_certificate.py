"""The copies of certificate and key: nobody else can read them, and none outlives its process for long."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from offhook.core.errors import Invalid
from offhook.web.certificate import Copies, Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "chain.pem"))
    return Pair(tmp_path / "chain.pem", tmp_path / "key.pem")


def test_the_copies_are_private(tmp_path: Path, pair: Pair) -> None:
    """Folders and key are readable for nobody else, and the key is in the form that the server knows."""
    copies = Copies(tmp_path / "tls")

    copy = copies.keep(pair)

    kept = (tmp_path / "tls", copy.key.parent, copy.key)
    assert [path.stat().st_mode & 0o077 for path in kept] == [0, 0, 0]
    assert copy.key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    copies.close()
    assert list((tmp_path / "tls").iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path, pair: Pair) -> None:
    """The next process removes copies that nobody uses, and leaves those of one that lives."""
    left = tmp_path / "tls" / "left"
    left.mkdir(parents=True)
    (left / "key.pem").write_text("a key")
    one, two = Copies(tmp_path / "tls"), Copies(tmp_path / "tls")

    copies = [one.keep(pair), two.keep(pair)]

    assert not left.exists()
    assert all(copy.key.exists() for copy in copies)
    assert copies[0].key != copies[1].key


def test_a_pair_that_is_none_is_named(tmp_path: Path, pair: Pair) -> None:
    """The message names both files, and no folder is made."""
    pair.key.write_text("not a key")

    with pytest.raises(Invalid, match=r"chain\.pem and .*key\.pem are not a certificate and its key"):
        Copies(tmp_path / "tls").keep(pair)

    assert not (tmp_path / "tls").exists()


def test_stamps_move_when_a_file_goes_and_comes_back(pair: Pair) -> None:
    """A file that is missing for a moment counts as a change, so that its return is one too."""
    before = pair.stamps()
    content = pair.key.read_bytes()
    pair.key.unlink()
    without = pair.stamps()

    pair.key.write_bytes(content)

    assert len({before, without, pair.stamps()}) == 3
