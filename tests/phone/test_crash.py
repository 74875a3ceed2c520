"""A phone that is killed at any moment of a sign-in has the old state or the new one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from offhook.core import theme
from offhook.core.theme import Manifest, Theme
from offhook.phone.handset import Handset
from tests.world_portal import ANN, World, served

ROOT = Path(__file__).parents[2]
KILLS = 200
# A save takes a few milliseconds; half of the kills are aimed at it, the others at the whole sign-in.
SAVE_S = 0.004


@pytest.fixture
def forks() -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.phone.fork_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def sign_in_and_kill(
    forks: subprocess.Popen[str], folder: Path, portal: str, after_s: float | None, *, saving: bool
) -> str:
    """Start a sign-in, kill it after a while (from the save on, or from the start); the last that was heard of it."""
    assert forks.stdin
    assert forks.stdout
    forks.stdin.write(f"{folder} {portal}\n")
    forks.stdin.flush()
    child = int(forks.stdout.readline())
    heard = ""
    if saving:
        heard = forks.stdout.readline().strip()
        assert heard == "saving"
    if after_s is not None:
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
    forks.stdin.write("wait\n")
    forks.stdin.flush()
    for line in iter(forks.stdout.readline, "gone\n"):
        heard = line.strip()
    return heard


def revise(world: World, revision: int) -> bytes:
    """Everything that the services say has this number in it; the theme package is another one."""
    world.account = ANN.replace("</account>", f"<X-revision>{revision}</X-revision></account>")
    world.base = msgspec.structs.replace(world.base, version=revision)
    world.theme = theme.pack(Theme(Manifest(f"Theme {revision}")))
    return world.theme


@pytest.mark.crash
def test_two_hundred_kills(forks: subprocess.Popen[str], tmp_path: Path) -> None:
    """After each, the vault is whole: account, version and theme all of the old revision, or all of the new one."""
    seed = int(os.environ.get("OFFHOOK_SEED", "0")) or int(time.time())
    random, world, ends = Random(seed), World(), Counter[tuple[str, str]]()
    handset = Handset(tmp_path / "phone")
    with served(world) as address:
        revise(world, 0)
        sign_in_and_kill(forks, handset.folder, address, None, saving=False)
        begin = time.perf_counter()
        sign_in_and_kill(forks, handset.folder, address, None, saving=False)
        whole_s = time.perf_counter() - begin
        install_id = handset.device().install_id
        held = 0

        for revision in range(1, KILLS + 1):
            saving = random.random() < 0.5
            revise(world, revision)
            heard = sign_in_and_kill(
                forks, handset.folder, address, random.uniform(0, SAVE_S if saving else whole_s), saving=saving
            )

            opened = handset.saved()
            replay = f"OFFHOOK_SEED={seed}, kill {revision}"
            assert opened.saved, replay
            found = opened.saved.base_version
            assert found in ({revision} if heard == "saved" else {held, revision}), replay
            assert opened.saved.account.text("X-revision") == str(found), replay
            assert handset.vault.theme(opened.saved.theme).manifest.name == f"Theme {found}", replay
            ends[heard or "asking", "new" if found == revision else "old"] += 1
            held = found

    with handset.alone():
        kept = sorted(path.name for path in handset.vault.folder.rglob("*.*"))
    assert len(kept) == 2
    assert handset.device().install_id == install_id
    assert ends["asking", "old"], ends
    assert ends["saving", "old"], ends
    assert sum(count for (_, which), count in ends.items() if which == "new"), ends
