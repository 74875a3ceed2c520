"""What the laws of the core are tried on: always the same examples, and all of Unicode."""

from __future__ import annotations

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st

# A failure here is one that anybody can repeat.
law: Final = settings(max_examples=100, derandomize=True, database=None, deadline=None)

ANYTHING: Final = st.text(st.characters(exclude_categories=[]))
UNICODE: Final = st.text(st.characters(exclude_categories=["Cs"]))
