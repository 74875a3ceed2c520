"""The example of a hook does what the reference says, and the reference says what is sent."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Secret
from offhook.outgoing.hook import WebhookCodes, WebhookHook
from offhook.outgoing.webhook import Settings, Webhook
from offhook.provider.hooks import Wish

ROOT: Final = Path(__file__).parents[2]
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    command = [sys.executable, str(ROOT / "examples" / "hook.py"), "--port", "0", "--file", str(tmp_path / "boxes")]
    env = {**os.environ, "OFFHOOK_SECRET": SECRET}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().removeprefix("Listening on ").strip()
        finally:
            running.terminate()


def boxes(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "boxes")) as database:
        return [name for (name,) in database.execute("SELECT name FROM mailbox ORDER BY name")]


def wish(*, undo: bool = False, name: str = "ann") -> Wish:
    return Wish("crm", "EXAMPLE", name, undo, {"number": "201"})


def test_it_does_a_thing_once_and_undoes_it(url: str, tmp_path: Path) -> None:
    """Asked again with the same key it answers as before; to undo what is not there is right, too."""
    hook = WebhookHook(Webhook(Settings(url, Secret(SECRET))))

    given = [hook.perform(wish(), "k1") for _ in range(3)]
    there = boxes(tmp_path)
    undone = [hook.perform(wish(undo=True), key) for key in ("k2", "k2", "k3")]

    assert given == [{"mailbox": "201"}] * 3
    assert there == ["201"]
    assert (undone, boxes(tmp_path)) == ([{}] * 3, [])


def test_it_gets_codes_to_people(url: str) -> None:
    """The same address can be what sends the codes of those who sign up."""
    WebhookCodes(Webhook(Settings(url, Secret(SECRET)))).send("EXAMPLE", "ann@example.com", Secret("123456"), "k")


def test_it_says_no_with_a_text(url: str, tmp_path: Path) -> None:
    """Which the person reads; who is not asked with the right secret does nothing."""
    with closing(sqlite3.connect(tmp_path / "boxes")) as database, database:
        database.executemany("INSERT INTO mailbox VALUES ('OTHER', ?, 'x')", [(str(one),) for one in range(1000)])
    other = "whsec_" + "QUJD" * 8

    with pytest.raises(Refused, match="All mailboxes are taken"):
        WebhookHook(Webhook(Settings(url, Secret(SECRET)))).perform(wish(), "k1")
    with pytest.raises((Refused, Unavailable)):
        WebhookHook(Webhook(Settings(url, Secret(other)))).perform(wish(), "k2")


def test_the_reference_shows_what_is_sent() -> None:
    """Its example has the fields of a request, and its table the kinds."""
    page = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")

    for word in ("user.provision", "user.deprovision", "user.code", '"step"', '"cloud_id"', '"username"'):
        assert word in page
