"""baresip for tests: the fixture `baresip`, phones that register with it, and users of the tests' Kamailio for them."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Final, TypeVar

import pytest

from offhook.core.mergeable import Document, Value, settle
from offhook.phone.useragent import Registered
from offhook.sipagent.baresip import Listen, Program, find
from offhook.sipagent.session import Heard, Machine
from offhook.sipagent.softphone import Softphone
from tests.real.kamailio import DOMAIN, Kamailio
from tests.real.programs import program

LOOPBACK: Final = Listen("127.0.0.1")
News = TypeVar("News")


@pytest.fixture(scope="session")
def baresip() -> Program:
    """The baresip of this machine."""
    program("baresip", "baresip-core")
    found = find()
    assert found, "baresip is there, and its modules are not"
    return found


class Phone:
    """A phone that registers, and remembers all that it heard."""

    def __init__(self, machine: Machine) -> None:
        self.heard: list[Heard] = []
        self._bell = asyncio.Event()
        self.sip = Softphone(machine, self._hear)

    def _hear(self, news: Heard) -> None:
        self.heard.append(news)
        self._bell.set()

    async def until(self, kind: type[News], patience_s: float = 10, after: int = 0) -> News:
        """The first news of this kind, of those that came `after` so many."""
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    for news in self.heard[after:]:
                        if isinstance(news, kind):
                            return news
                    self._bell.clear()
                    await self._bell.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} among {self.heard}") from None


@asynccontextmanager
async def phone(machine: Machine, account: Document | None = None) -> AsyncIterator[Phone]:
    """A phone, registered with the account; un-registered when the block ends."""
    one = Phone(machine)
    async with one.sip:
        if account is not None:
            await one.sip.register(account)
            await one.until(Registered)
        yield one


def account(kamailio: Kamailio, username: str, password: str, transport: str = "udp", **keys: str) -> Document:
    """The account of a user of this Kamailio."""
    port = {"udp": kamailio.udp_port, "tcp": kamailio.tcp_port}.get(transport, kamailio.tls_port)
    proxy = f"{kamailio.host}:{port}"
    texts = {"username": username, "password": password, "host": DOMAIN, "proxy": proxy, "transport": transport, **keys}
    return settle({key: Value(text, 20, "test") for key, text in texts.items()})


def add_user(kamailio: Kamailio, username: str, password: str, table: str = "subscriber") -> None:
    """Give a user a password; in the table `subscriber_former`, another one that is good as well. Needs SQLite."""
    ha1 = hashlib.md5(f"{username}:{DOMAIN}:{password}".encode()).hexdigest()
    with closing(_database(kamailio)) as database, database:
        database.execute(f"DELETE FROM {table} WHERE username = ? AND domain = ?", (username, DOMAIN))
        columns = "username, domain, password, ha1, ha1b"
        database.execute(f"INSERT INTO {table} ({columns}) VALUES (?, ?, '', ?, '')", (username, DOMAIN, ha1))


def contacts(kamailio: Kamailio, username: str) -> list[str]:
    """Where a user is registered. Needs SQLite."""
    with closing(_database(kamailio)) as database:
        rows = database.execute("SELECT contact FROM location WHERE username = ?", (username,))
        return [str(row[0]) for row in rows]


def _database(kamailio: Kamailio) -> sqlite3.Connection:
    return sqlite3.connect(kamailio.database_url.removeprefix("sqlite:///"), timeout=10)
