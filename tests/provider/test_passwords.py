"""Slow password hashes: who fits, what it costs, and how many at once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import closing

import bcrypt
import pytest
from argon2 import PasswordHasher

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.provider.passwords import ARGON2, HashPool, hash_password
from offhook.provider.sealing import Sealer
from offhook.provider.subscriber import Argon2, Bcrypt, Sealed, StoredPassword
from tests.world_provider import LoadedDice, QuickArgon2, run

ROW = "subscriber|EXAMPLE|ann|cloud_password"
RIGHT, WRONG = Secret("S3cr&t ü"), Secret("S3cr&t u")
SEALER = Sealer(1, {1: b"k" * 32}, LoadedDice())


def bcrypt_of(password: Secret, prefix: str = "$2b$") -> Bcrypt:
    text = bcrypt.hashpw(password.reveal().encode(), bcrypt.gensalt(4)).decode()
    return Bcrypt(prefix + text.removeprefix("$2b$"))


STORED: dict[str, StoredPassword] = {
    "argon2": Argon2(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(RIGHT.reveal())),
    "bcrypt": bcrypt_of(RIGHT),
    "bcrypt of PHP": bcrypt_of(RIGHT, "$2y$"),
    "sealed": Sealed(SEALER.seal(RIGHT.reveal(), ROW)),
}


@pytest.fixture
def argon2() -> QuickArgon2:
    return QuickArgon2()


@pytest.fixture
def pool(argon2: QuickArgon2) -> Iterator[HashPool]:
    with closing(HashPool(SEALER, argon2=argon2, cores=2)) as pool:
        yield pool


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
def test_the_right_password_fits_and_another_does_not(pool: HashPool, stored: StoredPassword) -> None:
    """However a password is kept, exactly it fits."""
    assert run(pool.verify(stored, RIGHT, ROW))
    assert not run(pool.verify(stored, WRONG, ROW))
    assert not run(pool.verify(stored, Secret(""), ROW))
    assert not run(pool.verify(stored, Secret(RIGHT.reveal() + "\0"), ROW))


def test_nobody_has_a_password(pool: HashPool) -> None:
    """Without a subscriber there is nothing that fits."""
    assert not run(pool.verify(None, RIGHT, ROW))


@pytest.mark.parametrize("text", ["", "<bcrypt_hash_for_user002>", "$2y$10$short", "$2b$04$" + "!" * 53, "ü"])
def test_what_is_no_hash_fits_nothing(pool: HashPool, argon2: QuickArgon2, text: str) -> None:
    """A placeholder in an imported file lets nobody in, and takes as long as a hash."""
    before = argon2.verified

    assert not run(pool.verify(Bcrypt(text), Secret(text), ROW))
    assert argon2.verified - before == 1
    assert not run(pool.verify(Argon2(text), Secret(text), ROW))


def test_a_long_password_is_cut_as_php_cuts_it(pool: HashPool) -> None:
    """A hash that password_hash made of 100 characters fits those, though bcrypt looks at 72 only."""
    long = Secret("x" * 100)
    stored = Bcrypt(bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode())

    assert run(pool.verify(stored, long, ROW))


@pytest.mark.parametrize("stored", [None, STORED["argon2"], STORED["sealed"]], ids=["unknown", "argon2", "sealed"])
def test_every_refusal_costs_one_argon2(pool: HashPool, argon2: QuickArgon2, stored: StoredPassword | None) -> None:
    """Work is what time is made of: an unknown user costs what a wrong password costs."""
    before = argon2.verified

    assert not run(pool.verify(stored, WRONG, ROW))

    assert argon2.verified - before == 1


def test_the_real_hashes_have_the_recommended_cost() -> None:
    """Argon2id with 19 MiB, two passes and one lane."""
    hashed = hash_password(RIGHT)

    assert hashed.text.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert ARGON2.verify(hashed.text, RIGHT.reveal())


def test_a_new_hash_fits(pool: HashPool) -> None:
    """What `hash` makes, `verify` takes."""
    made = run(pool.hash(RIGHT))

    assert run(pool.verify(made, RIGHT, ROW))


@pytest.mark.parametrize(
    ("stored", "outdated"),
    [
        (hash_password(RIGHT), False),
        (Argon2(PasswordHasher(time_cost=1, memory_cost=65536, parallelism=1).hash("x")), False),
        (Argon2(PasswordHasher(time_cost=1, memory_cost=19456, parallelism=1).hash("x")), True),
        (STORED["bcrypt"], True),
        (STORED["sealed"], True),
        (Argon2("none"), True),
    ],
)
def test_what_is_weaker_than_ours_is_outdated(stored: StoredPassword, outdated: bool) -> None:
    """Memory times passes is what a guess costs; a stronger hash is not made weaker."""
    with closing(HashPool(SEALER)) as pool:
        assert pool.is_outdated(stored) is outdated


class Gate(PasswordHasher):
    """Holds every check until it is opened, and counts how many are held at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.opened = threading.Event()
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.opened.wait(5)
        with self.lock:
            self.inside -= 1
        return super().hash(password, salt=salt)


def test_no_more_than_the_cores_work_at_once_and_the_queue_is_bounded() -> None:
    """With two cores and four places to wait, the seventh is told to come back; afterwards there is room again."""
    gate = Gate()
    gate.opened.set()
    pool = HashPool(SEALER, argon2=gate, cores=2, waiting_per_core=2)
    gate.opened.clear()

    async def crowd() -> list[object]:
        waiting = [asyncio.ensure_future(pool.hash(RIGHT)) for _ in range(7)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        gate.opened.set()
        told: list[object] = list(await asyncio.gather(*waiting, return_exceptions=True))
        told.append(await pool.hash(RIGHT))
        return told

    with closing(pool):
        told = run(crowd())

    refused = [one for one in told if isinstance(one, Unavailable)]
    assert len(refused) == 1
    assert refused[0].retry_after_s > 0
    assert sum(isinstance(one, Argon2) for one in told) == 7
    assert gate.most == 2


def test_unless_told_otherwise_it_works_on_the_cores_there_are() -> None:
    """As many hashes at once as cores that this process may use: more would only take memory from each other."""
    gate = Gate()
    gate.opened.set()
    pool = HashPool(SEALER, argon2=gate)
    gate.opened.clear()
    cores = len(os.sched_getaffinity(0))

    async def crowd() -> None:
        waiting = [asyncio.ensure_future(pool.hash(RIGHT)) for _ in range(3 * cores)]
        await asyncio.wait(waiting, timeout=0.2)
        gate.opened.set()
        await asyncio.gather(*waiting)

    with closing(pool):
        run(crowd())

    assert gate.most == cores


def test_who_went_away_leaves_their_place() -> None:
    """A caller that was cancelled while waiting frees the queue once, not never and not twice."""
    gate = Gate()
    gate.opened.set()
    pool = HashPool(SEALER, argon2=gate, cores=1, waiting_per_core=1)
    gate.opened.clear()

    async def leave() -> Argon2:
        working, waiting = asyncio.ensure_future(pool.hash(RIGHT)), asyncio.ensure_future(pool.hash(RIGHT))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        second = asyncio.ensure_future(pool.hash(RIGHT))
        await asyncio.sleep(0.01)
        gate.opened.set()
        await working
        return await second

    with closing(pool):
        assert isinstance(run(leave()), Argon2)


def test_the_event_loop_goes_on_meanwhile() -> None:
    """Hashing happens on threads of its own."""
    gate = Gate()
    gate.opened.set()
    pool = HashPool(SEALER, argon2=gate, cores=1)
    gate.opened.clear()

    async def beat() -> int:
        hashing = asyncio.ensure_future(pool.hash(RIGHT))
        beats = 0
        for _ in range(50):
            await asyncio.sleep(0)
            beats += not hashing.done()
        gate.opened.set()
        await hashing
        return beats

    with closing(pool):
        assert run(beat()) == 50
