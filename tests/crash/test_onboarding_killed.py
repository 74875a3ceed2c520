"""A server that makes users is really killed, again and again; then another one puts everything right."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest

from offhook.config import DataFolder
from offhook.provider.subscriber import State
from offhook.storage.database import Database
from tests.crash.play_onboarding import Server

KILLS = 10
# A machine that is slow has more of them, until enough was told: how fast it is decides nothing.
MOST_KILLS = 100
ROOT = Path(__file__).parents[2]


class Later:
    """A clock that is ahead, so that no lease of the killed is awaited."""

    def now_s(self) -> int:
        return int(time.time()) + 900


@pytest.mark.crash
def test_a_server_that_is_killed_leaves_nobody_half_made(tmp_path: Path) -> None:
    """Who was told yes is there and has an account; of those who are not there, none has."""
    dice, told, removed = Random(7), set[str](), set[str]()
    kills = 0
    while kills < KILLS or (len(told) <= KILLS and kills < MOST_KILLS):
        lines = _killed(tmp_path, kills * 1000, dice.uniform(0.02, 0.5))
        kills += 1
        told |= {line for line in lines if line.startswith("user")}
        removed |= {line[1:] for line in lines if line.startswith("-")}
        assert not [line for line in lines if line.startswith("#")]

    with closing(Database(DataFolder(tmp_path).database)) as database:
        server = Server(tmp_path, database)
        elsewhere = server.parts.elsewhere
        elsewhere.sagas._clock = elsewhere.lines._clock = Later()
        for _ in range(4):
            for saga_id in elsewhere.sagas.due(100):
                elsewhere.sagas.run(saga_id)
            elsewhere.register.settle(Later().now_s())
            for name in elsewhere.lines.due(1000):
                elsewhere.lines.run(name)
        users = {user.username: user for user in server.parts.subscribers.all_of("EXAMPLE")}
        entries = {entry.subscriber_id: entry for entry in elsewhere.register.all()}
        findings = [msgspec.to_builtins(one) for one in elsewhere.doctor().examine()]

    # The last one to be removed may be gone without having been said so.
    missing = told - removed - users.keys()
    assert len(told) > KILLS
    assert all(int(name.removeprefix("user")) % 3 == 0 for name in missing)
    assert len(missing) <= kills
    assert {user.state for user in users.values()} == {State.ACTIVE}
    assert server.sip.there() == {str(entries[user.id].address) for user in users.values()}
    assert findings == []


def _killed(folder: Path, first: int, after_s: float) -> list[str]:
    """What a server said until it was killed, so long after it was ready."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.crash.play_onboarding", str(folder), str(first)]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        time.sleep(after_s)
        server.kill()
        return server.stdout.read().splitlines()
