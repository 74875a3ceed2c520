"""SIP systems of a Cloud ID at the command line: chosen, left, rotated, examined; and the keys of secrets."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offhook import connections, wiring
from offhook.cli.main import app
from offhook.config import DataFolder
from offhook.provider.siplines import SipLines
from offhook.storage.database import Database
from tests.world_sip import MemorySip

BERLIN = """
[sip.berlin]
kind = "webhook"
url = "http://127.0.0.1:9/nobody-listens"
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
"""


class Room:
    """A data folder with a SIP system that nobody answers for, and commands typed on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = DataFolder(folder).make()
        (folder / connections.FILE).write_text(BERLIN)

    def types(self, *words: str) -> Result:
        env = {"OFFHOOK_DATA": str(self.folder.path), "COLUMNS": "200"}
        return CliRunner().invoke(app, words, env=env, catch_exceptions=False)

    def does(self, *words: str) -> Any:  # noqa: ANN401 - an object or an array
        result = self.types(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def works(self) -> MemorySip:
        """What a server would do now, had it a SIP system that answers."""
        system = MemorySip()
        with closing(Database(self.folder.database)) as database:
            parts = wiring.Parts(self.folder, database)
            lines: SipLines = parts.elsewhere.lines
            lines.systems = {"berlin": system}
            for _ in range(2):
                lines.register.settle(parts.clock.now_s())
                for sip, subscriber, install_id in lines.register.missing(parts.clock.now_s(), 100):
                    lines.ask_for(sip, subscriber, install_id, confirmed=True)
                for name in lines.due(100):
                    lines.do(name)
        return system


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room(tmp_path)
    room.does("tenant", "create", "EXAMPLE")
    return room


CHOOSE = ("tenant", "set", "EXAMPLE", "--sip-system", "berlin", "--sip-domain", "sip.example.org")


def test_a_cloud_id_gets_a_sip_system(room: Room) -> None:
    """Then users get no made-up SIP credentials of their own; what makes no sense is refused in words."""
    room.does(*CHOOSE, "--sip-accounts", "per-user", "--sip-rotate-days", "30", "--sip-alias", "number")
    user = room.does("user", "add", "ann@EXAMPLE", "--generate-password")
    system = room.works()

    assert user["attributes"] == {}
    assert [address.domain for address in system.accounts] == ["sip.example.org"]
    assert "accounts per-user, new passwords every 30 days" in room.types("tenant", "show", "EXAMPLE").stdout
    assert room.types(*CHOOSE[:3], "--sip-system", "munich").exit_code == 4
    assert room.types(*CHOOSE[:3], "--no-sip", "--sip-domain", "a.example").exit_code == 2
    assert "SIP passwords" in room.types(*CHOOSE[:3], "--sip-forget-passwords").output
    assert "too often" in room.types(*CHOOSE[:3], "--sip-rotate-days", "1").output
    refused = room.types(*CHOOSE[:3], "--no-sip")
    assert (refused.exit_code, "1 SIP accounts at berlin" in refused.output) == (8, True)
    assert room.does(*CHOOSE[:3], "--no-sip", "--move-sip-accounts")["sip"] is None


def test_passwords_are_rotated(room: Room) -> None:
    """Of a user, and of a whole Cloud ID over some time; not twice at the same time."""
    room.does(*CHOOSE)
    room.does("user", "add", "ann@EXAMPLE", "--generate-password")
    room.works()

    first = room.does("user", "rotate-sip", "ann@EXAMPLE")
    second = room.types("user", "rotate-sip", "ann@EXAMPLE")
    at_once = room.does("user", "rotate-sip", "ann@EXAMPLE", "--at-once")
    everybody = room.does("tenant", "rotate-sip", "EXAMPLE", "--within-hours", "1")

    assert (first["accounts"], at_once["accounts"], everybody["accounts"]) == (1, 1, 1)
    assert (second.exit_code, "--at-once" in second.output) == (8, True)
    assert room.types("install", "rotate", "nothing").exit_code == 4


def test_the_doctor_says_what_is_wrong(room: Room) -> None:
    """In words and as JSON, with an exit code; and nothing when nothing is."""
    file = room.folder.path / connections.FILE
    file.rename(file.with_suffix(".away"))
    healthy = room.types("doctor")
    file.with_suffix(".away").rename(file)
    room.does(*CHOOSE)
    room.does("user", "add", "ann@EXAMPLE", "--generate-password")

    before = room.types("doctor")
    found = json.loads(room.types("doctor", "--json").stdout)
    mended = room.types("doctor", "--mend")
    after = room.types("doctor")

    assert (healthy.exit_code, healthy.stdout) == (0, "Nothing is wrong.\n")
    assert before.exit_code == 1
    assert "ann@EXAMPLE has no SIP account at berlin. To mend: make it." in before.stdout
    assert [(one["check"], one["mended"]) for one in found] == [("sip", None), ("connections", None)]
    assert "Not mended" in mended.stdout
    assert "is to be active, and is not yet (http://127.0.0.1:9" in after.stdout


def test_keys_are_changed(room: Room) -> None:
    """Everything is sealed anew at once; the old key is deleted later, on purpose."""
    room.does("user", "add", "ann@EXAMPLE", "--generate-password")

    rotated = room.does("keys", "rotate")
    listed = room.does("keys", "list")
    too_early = room.types("keys", "forget", "--yes")

    assert rotated == {"key": 2, "rows": 1}
    assert listed == [
        {"number": 1, "is_current": False, "texts": 0},
        {"number": 2, "is_current": True, "texts": 1},
    ]
    assert too_early.exit_code == 8
    assert "is current" in room.types("keys", "list").stdout
    assert room.types("user", "show", "ann@EXAMPLE", "--reveal-secrets").exit_code == 0
