"""The demo: what a stranger sees first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OFFHOOK = Path(sys.executable).with_name("offhook")


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder), "HOME": str(folder), "COLUMNS": "100"}
    return subprocess.run(
        [str(OFFHOOK), "demo", "--once"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_phone_is_signed_in_and_nothing_is_left_behind(tmp_path: Path) -> None:
    """Without a terminal the demo ends by itself, well, and its folder is gone; it can be run again."""
    first = demo(tmp_path)
    second = demo(tmp_path)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "account part   200" in first.stdout
    assert "Ann Adler" in first.stdout
    assert "Front desk" in first.stdout
    assert first.stderr == ""
    assert not list(tmp_path.glob("offhook-demo-*"))


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither the password that is typed nor the ones that come back appear."""
    shown = demo(tmp_path).stdout

    assert "demo-ann" not in shown
    assert "********" in shown
