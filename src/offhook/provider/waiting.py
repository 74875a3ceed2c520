"""What a person is told whose account is being made while they wait."""

from __future__ import annotations

from typing import Final

from offhook.core.errors import Unavailable

NOT_READY: Final = "Your account is being made ready. Please try again in a moment."
NOT_READY_S: Final = 5


def not_ready() -> Unavailable:
    """It goes on by itself; the next try finds it done."""
    return Unavailable(NOT_READY, NOT_READY_S)
