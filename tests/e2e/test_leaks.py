"""The search for secrets finds what it looks for, so that its silence means something."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.leaks import Evidence

SECRET = 'pä$$ "word"&<x>/+% 42'
WRITTEN = {
    "plain": SECRET,
    "query": urlencode({"cloud_password": SECRET}),
    "JSON": json.dumps({"password": SECRET}),
    "JSON within JSON": json.dumps({"line": SECRET}, ensure_ascii=False),
    "XML": '<password>pä$$ "word"&amp;&lt;x&gt;/+% 42</password>',
    "basic": "Authorization: Basic " + base64.b64encode(f"ann:{SECRET}".encode()).decode(),
    "basic of others": "Basic " + base64.b64encode(f"anna:{SECRET}:more".encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(f"{SECRET}".encode()).decode(),
    "repr": repr({"password": SECRET}),
    "hexadecimal": SECRET.encode().hex(),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_planted_leak_is_found(tmp_path: Path, way: str) -> None:
    """In a file of a folder and in an output, however it is written; the finding does not repeat it."""
    evidence = Evidence()
    evidence.secret("ann's password", SECRET)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log").write_text(f"something {WRITTEN[way]} else")
    evidence.folder(tmp_path / "data")
    evidence.text("a page", WRITTEN[way])

    assert evidence.leaks() == ["ann's password, in a page", "ann's password, in data/log"]


def test_where_nothing_is_nothing_is_found(tmp_path: Path) -> None:
    """Also where files that may hold it are named."""
    evidence = Evidence()
    evidence.secret("ann's password", SECRET)
    (tmp_path / "connections.toml").write_text(SECRET)
    (tmp_path / "log").write_bytes(gzip.compress(b"nothing"))
    evidence.folder(tmp_path, frozenset({"connections.toml"}))

    assert evidence.leaks() == []
