"""The program of the app developer's guide is true: it signs a phone in at a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_tutorial import Reader

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "app-developer.md"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody with a served Cloud ID, and the program of the guide in a file."""
    reader = Reader(tmp_path)
    (program,) = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "sign_in.py").write_text(program, "utf-8")
    reader.run("offhook tenant create DEMO --data data")
    reader.run(
        "offhook app create DEMO --host sip.example.net --data data && offhook app publish DEMO --yes --data data"
    )
    reader.run("echo secret-1 | offhook user add ann@DEMO --password-stdin --sip-username 2001 --data data")
    reader.start(f"offhook serve --data data --listen 127.0.0.1:{reader.port} 2>&1")
    yield reader
    reader.leave()


def test_the_program_of_the_guide_signs_in(reader: Reader) -> None:
    """It prints every key with where it came from; refused, it ends with the words for the user and the detail."""
    portal = f"http://127.0.0.1:{reader.port}"

    received = _program(reader, portal, "ann@DEMO", "secret-1")
    refused = _program(reader, portal, "ann@DEMO", "guess")
    mistyped = _program(reader, "portal.example.com", "ann@DEMO", "secret-1")

    assert received.returncode == 0, received.stderr
    assert "host = sip.example.net (from portal, rank 10)" in received.stdout
    assert "username = 2001 (from provider, rank 20)" in received.stdout
    assert "cloud_password = ******** (from provider, rank 20)" in received.stdout
    assert (refused.returncode, refused.stderr) == (1, "Wrong username or password. (global part answered 403)\n")
    assert mistyped.returncode == 1
    assert mistyped.stderr.startswith("portal: is not an address such as ")


def _program(reader: Reader, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "sign_in.py", *arguments],
        cwd=reader.folder,
        env=reader.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
