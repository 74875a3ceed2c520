"""The recorded session is true: it is played again, and shows what the page shows."""

from __future__ import annotations

from pathlib import Path

from scripts import session


def test_the_session_can_be_played_again(tmp_path: Path) -> None:
    """A phone beside a server: an edit, a call, a suspension, another user, a return."""
    page = session.PAGE.read_text("utf-8")

    played = session.play(tmp_path)

    assert played == page, "stale: run python scripts/session.py"
