"""Where the data is."""

from __future__ import annotations

from pathlib import Path

import pytest

from offhook.config import DataFolder
from offhook.core.errors import Invalid


def test_the_folder_named_counts_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--data, then OFFHOOK_DATA, then the XDG rules."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("OFFHOOK_DATA", raising=False)
    by_rule = DataFolder.choose(None)
    monkeypatch.setenv("OFFHOOK_DATA", str(tmp_path / "environment"))

    chosen = [by_rule.path, DataFolder.choose(None).path, DataFolder.choose(tmp_path / "named").path]

    assert chosen == [tmp_path / "xdg" / "offhook", tmp_path / "environment", tmp_path / "named"]


def test_the_folder_is_made_for_us_alone(tmp_path: Path) -> None:
    """Database, keys and themes lie where nobody else can read."""
    folder = DataFolder(tmp_path / "new").make()

    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder.path, folder.keys, folder.themes))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message says which option to mend."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Invalid, match=r"--data: .*file"):
        DataFolder(tmp_path / "file").make()
