"""The real server code on a real database, in one thread, with crashes and a disk in trouble."""

from __future__ import annotations

import asyncio
import atexit
import base64
import dataclasses
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import msgspec

from offhook import wiring
from offhook.config import DataFolder
from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.provider.sealing import Sealer
from offhook.provider.subscriber import Argon2, Bcrypt, Sealed, StoredPassword
from offhook.storage.database import Database
from offhook.web.events import Field
from offhook.web.http import Answer, Call, Handler
from tests.simulation.clock import Heap, WallClock
from tests.simulation.truth import PUBLIC_URL

# Whatever is secret in a simulation has this in it, however it is written; so it can be found wherever it leaks.
_MARK: Final = b"\x5e\xc2\xe7\x5e\xc2\xe7"
SECRET_MARKS: Final = (_MARK.hex().upper(), base64.b64encode(_MARK).decode())
_SECRET_SIZES: Final = frozenset({20, 32})
_PART: Final = re.compile("/portal/(?P<cloud_id>[^/]*)/(?P<part>[^/]*)")

# A handler that takes more steps of the event loop waits for something.
_MOST_STEPS: Final = 100

T = TypeVar("T")


class ServerCrash(BaseException):
    """The server's process is gone: no code of ours may notice."""


class Chance:
    """Dice of one seed. A token or SIP password that is made with them bears the mark of a secret."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def token(self, size_bytes: int) -> bytes:
        """Bytes that nobody but the seed knows."""
        thrown = self._random.randbytes(size_bytes)
        return _MARK + thrown[len(_MARK) :] if size_bytes in _SECRET_SIZES else thrown


class QuickPasswords:
    """Checks passwords in no time; a stored hash looks like one of Argon2id and is none."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        """As the port says."""
        match stored:
            case None | Bcrypt():
                return False
            case Argon2():
                return stored == quick_hash(password)
            case Sealed():
                return self._sealer.open(stored.text, row) == password

    async def hash(self, password: Secret) -> Argon2:
        """As the port says."""
        return quick_hash(password)

    def is_outdated(self, stored: StoredPassword) -> bool:
        """As the port says."""
        return not isinstance(stored, Argon2)


def quick_hash(password: Secret) -> Argon2:
    """A hash that costs nothing."""
    return Argon2(f"$quick${blake2b(password.reveal().encode(), digest_size=16).hexdigest()}")


class TroubledDatabase(Database):
    """A database whose disk may be full, that may be unreadable, and whose process may die around a commit."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, inline=True, flushed=False)
        self.full = False
        self.unreadable = False
        self.crash_before_commit = self.crash_after_commit = False

    @property
    def in_trouble(self) -> bool:
        """Whether a fault of the database explains an answer of 503."""
        return self.full or self.unreadable

    def write(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """As the base does, with the trouble that is due."""

        def troubled(connection: sqlite3.Connection) -> T:
            result = work(connection)
            if self.crash_before_commit:
                raise ServerCrash
            if self.full:
                raise sqlite3.OperationalError("database or disk is full")
            return result

        future = super().write(troubled)
        if self.crash_after_commit:
            raise ServerCrash
        return future

    def set_unreadable(self, *, unreadable: bool) -> None:
        """Let every read of the device plane fail, or work again."""
        self.unreadable = unreadable
        self.reader.set_progress_handler((lambda: 1) if unreadable else None, 1)


class Noted:
    """The last events of the server, and whether any of them told a secret."""

    def __init__(self) -> None:
        self.count = 0
        self.leak = ""

    def __call__(self, event: str, **fields: Field) -> None:
        self.count += 1
        line = f"{event} {fields}"
        if holds_secret(line):
            self.leak = line


def holds_secret(text: str) -> bool:
    """Whether a text tells a secret of this simulation."""
    return SECRET_MARKS[0] in text or SECRET_MARKS[1] in text


class Server:
    """One server of portal and provider. What it has in memory is gone after a crash; its data folder is not."""

    def __init__(self, folder: Path, heap: Heap, seed: str) -> None:
        self.folder, self.heap, self.clock, self.chance = DataFolder(folder).make(), heap, WallClock(heap), Chance(seed)
        self.noted = Noted()
        self.is_up = False
        self.crashes = 0
        shutil.copyfile(_empty_database(), self.folder.database)
        self.start()

    def start(self) -> None:
        """Open the database and serve."""
        self.database = TroubledDatabase(self.folder.database)
        self.parts = wiring.Parts(self.folder, self.database, self.clock, self.chance)
        self.desk = wiring.Desk(self.parts)
        self.desk.directory = dataclasses.replace(self.desk.directory, hash_password=quick_hash)
        self.handlers = self.build()
        self.is_up = True

    def build(self) -> dict[str, Handler]:
        """What is served at which path."""
        world = wiring.World(seconds=lambda: self.heap.now_s, sleep=no_time)
        passwords = QuickPasswords(self.parts.sealer)
        return wiring.handlers_of(self.parts, passwords, PUBLIC_URL, self.noted, world=world)

    def crash(self) -> None:
        """Lose everything that is in memory only."""
        self.crashes += 1
        self.close()

    def close(self) -> None:
        """Stop serving."""
        if self.is_up:
            self.is_up = False
            self.database.close()

    def flush(self) -> None:
        """Keep what was noted beside the requests, as a thread of the real server does."""
        if self.is_up:
            try:
                self.parts.sightings.flush()
            except Unavailable as error:
                self.noted("sightings.unavailable", reason=error.text)

    def answer(self, call: Call) -> Answer:
        """The answer to a request. Raises ServerCrash, and whatever a handler lets through."""
        path = call.path
        if found := _PART.fullmatch(path):
            path = f"/portal/{{cloud_id}}/{found['part']}"
            call = msgspec.structs.replace(call, parameters={"cloud_id": found["cloud_id"]})
        return run(self.handlers[path](call))


def run(work: Awaitable[T]) -> T:
    """What an async function says that has nothing to wait for but work beside it, which is done at once.

    Most wait for nothing at all, so the loop turns only for those that do.
    """
    loop, coroutine = _loop(), _waited(work)
    for _ in range(_MOST_STEPS):
        asyncio._set_running_loop(loop)
        try:
            waited_for = coroutine.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            asyncio._set_running_loop(None)
        if waited_for is not None:
            waited_for._asyncio_future_blocking = False
            loop.run_until_complete(asyncio.wait([waited_for]))
    raise AssertionError("a handler waits for something that is not part of the simulation")


async def _waited(work: Awaitable[T]) -> T:
    return await work


class _AtOnce(ThreadPoolExecutor):
    """Threads of which there are none: all is done by whoever asks for it."""

    def submit(self, work: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:  # noqa: ANN401 - as the base
        future: Future[T] = Future()
        try:
            future.set_result(work(*args, **named))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it raises it
            future.set_exception(error)
        return future


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_AtOnce())
    atexit.register(loop.close)
    return loop


async def no_time(seconds: float) -> None:
    """Take no time."""


@cache
def _empty_database() -> Path:
    """One with all tables, made once, since making them takes longer than most simulated days."""
    folder = Path(tempfile.mkdtemp(prefix="offhook-empty-"))
    Database(folder / "empty.sqlite3").close()
    return folder / "empty.sqlite3"
