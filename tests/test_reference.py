"""The reference pages that are tables of the code say what the code says."""

from pathlib import Path

import pytest

from scripts import reference

PAGES = reference.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.name))
def test_a_page_is_up_to_date(path: Path) -> None:
    """Whoever changes a table writes the pages anew."""
    written = path.read_text(encoding="utf-8")

    assert written == PAGES[path], "stale: run python scripts/reference.py"
