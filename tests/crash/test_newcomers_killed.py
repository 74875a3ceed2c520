"""Real processes under SIGKILL while they make users: number, SIP account and hook are all there in the end, or none.

The SIP system and the hook are the examples of the documentation, each a process with a database of its own.
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import pytest

from offhook import wiring
from offhook.config import DataFolder
from offhook.connections import FILE
from offhook.core.errors import Conflict, Unavailable
from offhook.provider import saga as moves
from offhook.provider.change import NOBODY
from offhook.provider.making import steps_of
from offhook.provider.numbers import Use
from offhook.provider.onboarding import NumberFrom
from offhook.provider.saga import Stage
from offhook.provider.subscriber import State, Subscriber
from offhook.provider.tenant import Sip, Tenant
from offhook.storage import keyfiles
from offhook.storage.database import Database

KILLS: Final = 25
# A machine that is slow has more of them, until enough was told: how fast it is decides nothing.
MOST_KILLS: Final = 250
READY: Final = "?"
READY_WITHIN_S: Final = 120
# Longer than the lease of a runner that was killed.
LATER_S: Final = 130
ROOT: Final = Path(__file__).parents[2]
SECRET: Final = "whsec_" + base64.b64encode(b"a secret of a test, long enough").decode()
TENANT: Final = Tenant("EXAMPLE", sip=Sip("berlin", "sip.example.org"), numbers=(NumberFrom("main"),), hooks=("crm",))

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["offhook.wiring", __name__])


class LaterClock:
    """The time of this machine, and some more."""

    def __init__(self, more_s: int) -> None:
        self.more_s = more_s

    def now_s(self) -> int:
        return int(time.time()) + self.more_s


@contextmanager
def parts(folder: Path, more_s: int) -> Iterator[wiring.Parts]:
    data = DataFolder(folder).make()
    keyfiles.ready(data.keys, data.database)
    with closing(Database(data.database, flushed=False)) as database:
        yield wiring.Parts(data, database, LaterClock(more_s))


def enters(opened: wiring.Parts, name: str) -> bool:
    """Whether this user was made, and may be told so."""
    sagas, now_s = opened.elsewhere.sagas, opened.clock.now_s()
    pending = Subscriber("EXAMPLE", name, NOBODY, State.PENDING, created_s=now_s, changed_s=now_s)
    saga = moves.to_make(sagas.new_id(), "EXAMPLE", 0, name, steps_of(TENANT), now_s)
    entered = sagas.store.enter(pending, saga)
    if entered.saga is None:
        return entered.subscriber.state is State.ACTIVE
    ran = sagas.run(entered.saga.id)
    return ran is not None and ran.stage is Stage.DONE


def goes_round(opened: wiring.Parts) -> None:
    for chore in opened.elsewhere.chores().values():
        for name in chore.due(200):
            try:
                chore.do(name)
            except (Unavailable, Conflict):
                continue


def work(folder: Path, more_s: int, names: list[str], told: Connection) -> None:
    """A process that makes users, each of them wanted by two phones, until it is killed."""
    with parts(folder, more_s) as opened:
        told.send(READY)

        def make(mine: list[str]) -> None:
            for name in mine:
                try:
                    if enters(opened, name):
                        told.send(name)
                except (Unavailable, Conflict):
                    continue

        threads = [threading.Thread(target=make, args=(mine,)) for mine in (names[::2], names, names[1::2])]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            goes_round(opened)
        told.send("")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose connections lead to the examples."""
    places = []
    with ExitStack() as stack:
        for script, file in (("sip_webhook.py", "sip"), ("hook.py", "crm")):
            command = [sys.executable, str(ROOT / "examples" / script), "--port", "0", "--file", str(tmp_path / file)]
            env = {**os.environ, "OFFHOOK_SECRET": SECRET}
            running = stack.enter_context(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True))
            stack.callback(running.terminate)
            assert running.stdout is not None
            places.append(running.stdout.readline().split()[-1])
        data = DataFolder(tmp_path / "data").make()
        (data.path / FILE).write_text(
            f'[sip.berlin]\nkind = "webhook"\nurl = "{places[0]}"\nsecret = "{SECRET}"\n'
            f'[hook.crm]\nurl = "{places[1]}"\nsecret = "{SECRET}"\n'
        )
        with parts(data.path, 0) as opened:
            opened.tenants.put(TENANT)
            opened.elsewhere.numbering.add("EXAMPLE", "main", ["1000-9999"], 0)
        yield tmp_path


@pytest.mark.crash
def test_users_are_whole_after_kills(folder: Path) -> None:
    """Whoever was told yes is there with all of it, everybody else gets it, and the doctor finds nothing."""
    dice, said, number, at_work, kills = random.Random(7), set[str](), 0, 0, 0
    while kills < KILLS or ((len(said) <= KILLS or at_work <= KILLS // 2) and kills < MOST_KILLS):
        names = [f"user{number + index}" for index in range(-3 if kills else 0, 12)]
        number += 12
        ours, theirs = _context.Pipe(duplex=False)
        child = _context.Process(target=work, args=(folder / "data", kills * LATER_S, names, theirs))
        child.start()
        theirs.close()
        assert ours.poll(READY_WITHIN_S), "it is ready at some time"
        assert ours.recv() == READY
        said |= heard(ours, dice.uniform(0.2, 1.2))
        at_work += "" not in said
        said.discard("")
        child.kill()
        child.join()
        said |= heard(ours, 0) - {""}
        kills += 1

    with parts(folder / "data", kills * LATER_S) as opened:
        clock = opened.clock
        assert isinstance(clock, LaterClock)
        for _ in range(12):
            goes_round(opened)
            clock.more_s += 30
        findings = list(opened.elsewhere.doctor().examine())
        users = {user.username: user for user in opened.subscribers.all_of("EXAMPLE")}
        kept = opened.elsewhere.numbering.store.kept("EXAMPLE")

    assert findings == []
    assert said <= set(users)
    assert {user.state for user in users.values()} == {State.ACTIVE}
    assert sorted(one.subscriber_id for one in kept if one.use is Use.ASSIGNED) == sorted(
        user.id for user in users.values()
    )
    assert {one.number for one in kept} == {user.attributes["number"] for user in users.values()}
    assert rows(folder / "crm", "SELECT username FROM mailbox") == sorted(users)
    assert len(rows(folder / "sip", "SELECT username FROM account")) == len(users)
    assert len(said) > KILLS
    assert at_work > KILLS // 2, "most of them were killed while they worked"


def heard(told: Connection, seconds: float) -> set[str]:
    """What a process said within that time."""
    names, until = set[str](), time.monotonic() + seconds
    while told.poll(max(until - time.monotonic(), 0)):
        try:
            names.add(told.recv())
        except EOFError:
            break
    return names


def rows(file: Path, query: str) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return sorted(value for (value,) in database.execute(query))
