"""Apps and themes on disk: nothing half-done is ever seen, whoever else writes and whenever the power fails."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
import sqlalchemy as sa

from offhook.core.errors import Conflict, Unavailable
from offhook.core.theme import Theme, pack
from offhook.portal.versions import State
from offhook.storage import tables
from offhook.storage.themes import ThemeStore
from tests.world_apps import Desk, a_theme, an_app, desk

# Publishes for ever, a new theme with each version, and says when it is under way.
BUSY: Final = """
import sys
from pathlib import Path
from tests.world_apps import Desk, a_theme, an_app
office = Desk(Path(sys.argv[1]))
number = len(office.portal.all()) and office.portal.history("EXAMPLE")[0].number
while True:
    number += 1
    office.live(an_app(expires=60 + number), a_theme(f"theme {60 + number}"))
    print(office.portal.history("EXAMPLE")[0].number, flush=True)
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as opened:
        yield opened


def test_a_version_comes_back_as_it_was_kept(office: Desk) -> None:
    """Every field of a version survives the database, by every way of asking for it."""
    made = office.portal.create(an_app(expires=60, title="Příklad"), a_theme(), "Ann", "note")
    apps = office.portal.apps

    with apps.begin() as transaction:
        found = (
            transaction.standing("EXAMPLE", State.EDITABLE),
            transaction.numbered("EXAMPLE", 1),
            *transaction.newest("EXAMPLE", 5),
            *transaction.everywhere(),
        )
        nothing = transaction.standing("EXAMPLE", State.LIVE), transaction.numbered("EXAMPLE", 2)

    assert found == (made,) * 4
    assert office.store.read("EXAMPLE", State.EDITABLE) == made
    assert office.store.stamp("EXAMPLE", State.EDITABLE) == made.stamp
    assert (*nothing, office.store.read("OTHER", State.LIVE)) == (None, None, None)


def test_nothing_of_a_failed_transaction_stays(office: Desk) -> None:
    """When a use case ends in an error, no version of it is kept."""
    made = office.portal.create(an_app())

    def half_done() -> None:
        with office.portal.apps.begin() as transaction:
            transaction.put(msgspec.structs.replace(made, note="changed"))
            raise Conflict("no")

    with pytest.raises(Conflict):
        half_done()

    assert office.portal.show("EXAMPLE") == made


def test_the_database_itself_knows_one_live_and_one_editable(office: Desk) -> None:
    """Even a faulty program cannot make a second Live or Editable of an app (D17)."""
    made = office.portal.create(an_app())

    with pytest.raises(sa.exc.IntegrityError), office.portal.apps.begin() as transaction:
        transaction.put(msgspec.structs.replace(made, number=2))

    assert len(office.portal.history("EXAMPLE")) == 1


@pytest.mark.anyio
async def test_a_moment_is_kept_for_good(tmp_path: Path) -> None:
    """The first server that has new content dates it; any other, and the same after a restart, gives that date."""
    with desk(tmp_path) as one, desk(tmp_path) as two:
        first = await one.store.moment("A", State.LIVE, "base", "aa", 100)

        again = await two.store.moment("A", State.LIVE, "base", "aa", 500)
        newer = await two.store.moment("A", State.LIVE, "base", "bb", 90)
        back = await one.store.moment("A", State.LIVE, "base", "aa", 90)
        elsewhere = await one.store.moment("A", State.EDITABLE, "base", "aa", 90)

    assert (first, again, newer, back, elsewhere) == (100, 100, 101, 102, 90)


@pytest.mark.anyio
async def test_two_servers_agree_on_a_moment(tmp_path: Path) -> None:
    """Who comes second takes the date of who came first, also when both looked before either wrote."""
    with desk(tmp_path) as one, desk(tmp_path) as two:
        row = {"cloud_id": "A", "state": "live", "part": "base", "digest": "aa", "moment_s": 100}
        with one.database.begin() as connection:
            second = asyncio.create_task(two.store.moment("A", State.LIVE, "base", "aa", 500))
            await asyncio.sleep(0)
            connection.execute(sa.insert(tables.served_part), row)

        moment_s = await second

    assert moment_s == 100


def test_a_pulse_moves_when_anybody_writes(tmp_path: Path) -> None:
    """The pulse stands still while nobody writes, and moves with a write of this process or of another."""
    with desk(tmp_path) as one, desk(tmp_path) as two:
        pulses = [one.store.pulse(), one.store.pulse()]
        one.portal.create(an_app())
        pulses.append(one.store.pulse())
        two.portal.publish("EXAMPLE")
        pulses.append(one.store.pulse())
        one.database.write(lambda connection: connection.execute("DELETE FROM served_part")).result()

        pulses.append(one.store.pulse())

    assert pulses[0] == pulses[1]
    assert len(set(pulses[1:4])) == 3


def test_equal_themes_are_one_file(tmp_path: Path) -> None:
    """A package is named by its content and kept once; nothing else is left in the folder."""
    store = ThemeStore(tmp_path)

    digests = {store.put(pack(a_theme())) for _ in range(3)}

    assert len(digests) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{digests.pop()}.zip"]


def test_a_damaged_package_is_refused_and_replaced(tmp_path: Path) -> None:
    """A package that is not what its name says is never handed out, and keeping it again mends it."""
    store = ThemeStore(tmp_path)
    digest = store.put(pack(Theme()))
    (tmp_path / f"{digest}.zip").write_bytes(b"half of")

    with pytest.raises(Unavailable, match="missing or damaged"):
        store.get(digest)
    store.put(pack(Theme()))

    assert store.get(digest) == pack(Theme())
    with pytest.raises(Unavailable):
        store.get("0" * 64)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """When a theme cannot be kept, whoever applies it learns where and why."""
    store = ThemeStore(tmp_path / "missing")

    with pytest.raises(Unavailable, match="No such file or directory"):
        store.put(b"package")
    (tmp_path / "missing").mkdir()
    digest = store.put(b"package")
    (tmp_path / "missing" / f"{digest}.zip").unlink()
    (tmp_path / "missing" / f"{digest}.zip").mkdir()
    with pytest.raises(Unavailable, match="cannot be read"):
        store.get(digest)


def test_a_full_disk_is_not_filled_further(tmp_path: Path) -> None:
    """When a theme cannot be written to its end, what was written of it goes."""
    store = ThemeStore(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(Unavailable, match="File too large"):
            store.put(bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert list(tmp_path.iterdir()) == []


def test_a_kill_leaves_the_old_version_or_the_new(tmp_path: Path) -> None:
    """Whenever a publishing process is killed, each version that is there is whole, and its theme with it."""
    told = 0
    command = [sys.executable, "-c", BUSY, str(tmp_path)]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(3):
        with subprocess.Popen(command, env=paths, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = int(process.stdout.readline())
            time.sleep(random.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)

    with desk(tmp_path) as office:
        history = office.portal.history("EXAMPLE")
        names = [office.portal.theme(version).manifest.name for version in history]

    assert [version.number for version in history] == list(range(len(history), 0, -1))
    assert len(history) >= told
    assert [f"theme {version.app.account['expires'].content}" for version in history] == names
    assert {version.state for version in history[1:]} <= {State.PAST, State.LIVE}
