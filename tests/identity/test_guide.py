"""The examples of the guide are what Offhook reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from offhook.connections import loads
from offhook.identity.sources import open_upstream

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "upstreams.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_can_be_used(text: str) -> None:
    """As it stands there."""
    found = loads(text.encode(), "connections.toml").upstream

    (settings,) = found.values()

    open_upstream(settings).close()
