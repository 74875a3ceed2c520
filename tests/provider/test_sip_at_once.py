"""Many sign-ins at the same moment, two servers on one database, and what must never be written down."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest

from offhook.core.errors import OffhookError, Refused, Unavailable
from offhook.provider.beside import Beside
from offhook.provider.chores import Rounds, rounds
from offhook.provider.doctor import Doctor
from offhook.provider.limits import Limits, Rate
from offhook.provider.lineatsignin import LineAtSignIn
from offhook.provider.sipdoctor import LineCheck
from offhook.provider.siplines import AWAY_S, Postponed, SipLines
from offhook.provider.siprotation import SipRotation
from offhook.provider.tenant import PerWhom, Tenant
from offhook.storage.sipaccounts import SipRegister
from offhook.web.beside import beside
from offhook.web.http import Answer, Call
from tests.world_provider import CLIENT, Phone, Provider
from tests.world_sip import SIP, MemorySip, SipWorld


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    rate = Rate(burst=1000, every_s=1)
    with closing(Provider(tmp_path, waiting=1000, limits=Limits(rate, rate, rate))) as provider:
        yield provider


def test_200_sign_ins_at_once_make_one_account(provider: Provider) -> None:
    """However slow the SIP system is; and each phone is told what works."""
    world = SipWorld(provider)
    world.trouble.before = lambda what: time.sleep(0.2) if what.startswith("sip.") else None
    provider.has_user("johndow@EXAMPLE")
    beside = Beside()
    provider.sign_in._lines = LineAtSignIn(world.lines, aside=beside, sleep=asyncio.sleep, seconds=time.monotonic)
    query = urlencode({"cloud_id": "EXAMPLE", "cloud_username": "johndow", "cloud_password": "12345678"})

    async def all_at_once() -> list[Answer]:
        handler = provider.handlers["/prov"]
        return await asyncio.gather(*(handler(Call("GET", "/prov", query, client=CLIENT)) for _ in range(200)))

    answers = provider.loop.run(all_at_once())
    beside.close()

    assert world.system.made == 1
    assert [what for what, _ in world.system.asked] == ["ensure"]
    assert len(world.entries()) == 1
    phones = [Phone(provider, "EXAMPLE", answer) for answer in answers if answer.status == 200]
    assert len(phones) == 200
    assert len({phone.account["password"] for phone in phones}) == 1
    assert world.system.registers(phones[0].account["username"], SIP.domain, phones[0].account["password"])


def test_a_sign_in_waits_no_longer_than_it_says(provider: Provider) -> None:
    """A SIP system that hangs is left to itself, and the next try finds the account."""
    world = SipWorld(provider)
    answers = threading.Event()
    world.trouble.before = lambda what: None if not what.startswith("sip.") else _waits(answers)
    beside = Beside()
    provider.has_user("johndow@EXAMPLE")
    lines = LineAtSignIn(world.lines, aside=beside, sleep=asyncio.sleep, seconds=time.monotonic, within_s=0.3)

    async def sign_in() -> str:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await lines.line(world.tenant, world.user(), "", rotate=False)
        assert time.monotonic() - began < 20
        answers.set()
        for _ in range(200):
            with suppress(Unavailable):
                return (await lines.line(world.tenant, world.user(), "", rotate=False)).username
        raise AssertionError("it was never ready")

    username = asyncio.run(sign_in())
    beside.close()

    assert [address.username for address in world.system.accounts] == [username]
    assert world.system.made == 1


def _waits(answers: threading.Event) -> None:
    assert answers.wait(60), "somebody gave up before"


def test_two_servers_make_one_account(provider: Provider) -> None:
    """Each with threads of its own, on one database: the lease lets one of them act at a time."""
    world = SipWorld(provider)
    provider.has_user("johndow@EXAMPLE")
    user = world.user()
    servers = [
        SipLines(
            register=SipRegister(provider.database),
            systems={"berlin": world.system},
            sealer=provider.sealer,
            chance=provider.dice,
            clock=provider.clock,
        )
        for _ in range(2)
    ]
    world.trouble.before = lambda what: time.sleep(0.05)

    def makes(number: int) -> str:
        for _ in range(200):
            try:
                return servers[number % 2].make(world.tenant, user, "").address.username
            except OffhookError:
                time.sleep(0.02)
        raise AssertionError("it was never ready")

    with ThreadPoolExecutor(16) as pool:
        names = set(pool.map(makes, range(40)))

    assert len(names) == world.system.made == len(world.entries()) == 1


def test_rounds_do_what_is_due_and_go_on_after_a_fault(provider: Provider) -> None:
    """A bug of ours is noted without anything that it said, and keeps nothing else waiting."""
    world, noted = SipWorld(provider), list[tuple[str, str]]()

    class Broken:
        def due(self, most: int) -> list[str]:
            return ["one"]

        def do(self, name: str) -> object:
            raise KeyError("the secret")

    provider.has_user("johndow@EXAMPLE")
    world.lines.ask_for(SIP, world.user(), "")
    all_rounds = Rounds({"broken": Broken(), "sip": world.lines}, lambda kind, why: noted.append((kind, why)))
    for future in all_rounds.go():
        future.exception()
    all_rounds.close()

    assert len(world.system.accounts) == 1
    assert noted == [("broken", "a bug: KeyError")]


def test_a_system_that_hangs_keeps_no_other_waiting(provider: Provider) -> None:
    """Whoever is to be cut off comes first, each system in its turn, and one that does not answer has to wait."""
    world = SipWorld(provider)
    asked = list[str]()
    world.trouble.before = asked.append
    lines, hangs = world.lines, MemorySip()
    hangs.trouble.before = _does_not_answer
    lines.systems = {"berlin": hangs, "munich": world.system}
    for number in range(6):
        provider.has_user(f"user{number}@EXAMPLE")
        lines.ask_for(SIP, world.user(f"user{number}"), "")
        provider.clock.time_s += 1
    munich = provider.has_tenant(Tenant("MUNICH", sip=msgspec.structs.replace(SIP, system="munich")))
    for number in range(2):
        provider.has_user(f"user{number}@MUNICH")
        lines.make(munich, provider.subscribers.get("MUNICH", f"user{number}"), "")
    asked.clear()
    provider.suspend(provider.subscribers.get("MUNICH", "user1"))
    first, (second, *_) = lines.due(1), lines.due(100)[1:]
    for name in lines.due(3):
        with suppress(Postponed):
            lines.do(name)
    after = lines.due(100)
    provider.clock.time_s += AWAY_S

    assert [lines.register.get(name).cloud_id for name in first] == ["MUNICH"]
    assert lines.register.get(second).cloud_id == "EXAMPLE"
    assert "sip.disable" in asked
    assert after == []
    assert hangs.asked == [hangs.asked[0]]
    assert len(lines.due(100)) == 6


def _does_not_answer(what: str) -> None:
    raise Unavailable("Away.")


def test_a_look_that_breaks_keeps_no_other_chore_from_being_done() -> None:
    """The thread goes on, and says that there is a bug."""
    noted, rounds_of_good = list[tuple[str, str]](), threading.Semaphore(0)

    class Broken:
        def due(self, most: int) -> list[str]:
            raise ValueError("the secret")

        def do(self, name: str) -> object:
            return None

    class Good(Broken):
        def due(self, most: int) -> list[str]:
            rounds_of_good.release()
            return []

    with rounds({"broken": Broken(), "good": Good()}, lambda kind, why: noted.append((kind, why)), 0.01):
        reached = [rounds_of_good.acquire(timeout=30) for _ in range(3)]

    assert all(reached)
    assert set(noted) == {("broken", "a bug: ValueError")}


def test_what_is_done_beside_requests_survives_a_bug() -> None:
    """As the rounds do."""
    noted, times = list[str](), threading.Semaphore(0)

    def work(over: threading.Event) -> None:
        times.release()
        raise ValueError("the secret")

    with beside("test", 0.01, work, noted.append):
        reached = [times.acquire(timeout=30) for _ in range(3)]

    assert all(reached)
    assert set(noted) == {"a bug: ValueError"}


def test_a_sip_system_that_is_down_is_noted_once_in_a_while(provider: Provider) -> None:
    """However many accounts wait for it: once, and after a minute again, by its name."""
    world, noted, now = SipWorld(provider), list[tuple[str, str]](), [0.0]

    def is_down(what: str) -> None:
        if what.startswith("sip."):
            raise Unavailable("It does not answer.")

    for name in ("johndow", "eve", "ann"):
        provider.has_user(f"{name}@EXAMPLE")
        world.lines.ask_for(SIP, world.user(name), "")
    world.trouble.before = is_down
    rounds = Rounds({"sip": world.lines}, lambda kind, why: noted.append((kind, why)), seconds=lambda: now[0])

    counts = []
    for now[0] in (0.0, 59.0, 61.0):
        for future in rounds.go():
            future.exception()
        provider.clock.time_s += 3600
        counts.append(len(noted))
    rounds.close()

    assert counts == [1, 1, 2]
    assert set(noted) == {("sip", "berlin: It does not answer.")}


@pytest.mark.parametrize("keep", [True, False])
def test_no_sip_password_is_written_down(provider: Provider, caplog: pytest.LogCaptureFixture, keep: bool) -> None:
    """Through a whole life, with refusals and rotations: not in the database, its journal, logs, findings or errors."""
    caplog.set_level(logging.DEBUG)
    world = SipWorld(provider, msgspec.structs.replace(SIP, accounts=PerWhom.INSTALL, keep_passwords=keep))
    provider.has_user("johndow@EXAMPLE")
    said: list[str] = []

    def refuses(what: str) -> None:
        if what == "sip.rotate":
            raise Refused("No.")

    phone = provider.phone()
    rotation = SipRotation(world.register, provider.subscribers, provider.tenants, provider.clock)
    world.trouble.before = refuses
    rotation.of_user("EXAMPLE", "johndow", at_once=True)
    world.works(1)
    said += [f"{one}" for one in Doctor({"sip": LineCheck(world.lines, provider.clock)}).examine()]
    world.trouble.over()
    provider.clock.time_s += 4000
    world.works(2)
    phone.asks()
    phone.asks()
    world.works(2)
    provider.suspend(world.user())
    world.works(1)
    said += [repr(entry) for entry in world.entries()] + [repr(one) for one in world.system.meant]
    said += [repr(account) for account in world.system.accounts.values()] + [repr(provider.noted.events), caplog.text]

    used = set(world.system.secrets)
    used |= {phone.account["password"], phone.account["cloud_password"], "12345678"}
    files = b"".join(path.read_bytes() for path in provider.database.path.parent.iterdir() if path.is_file())
    assert len(used) >= 5
    assert said
    assert [secret for secret in used if re.search(re.escape(secret), " ".join(said), re.IGNORECASE)] == []
    assert [secret for secret in used if secret.encode().lower() in files.lower()] == []


def test_a_304_reads_one_row_with_a_sip_account_too(provider: Provider) -> None:
    """One query, nothing is opened, nothing is written, and no SIP system is asked."""
    world = SipWorld(provider)
    provider.has_user("johndow@EXAMPLE")
    phone = provider.phone()
    phone.asks()
    statements: list[str] = []
    asked = len(world.system.asked)
    for connection in (provider.database.reader, provider.database._writer):
        connection.set_trace_callback(statements.append)
    provider.composer.sealer._ciphers.clear()

    assert phone.asks().status == 304

    assert len(statements) == 1
    assert len(world.system.asked) == asked
    for connection in (provider.database.reader, provider.database._writer):
        connection.set_trace_callback(None)


def test_the_register_is_found_by_indices(provider: Provider) -> None:
    """What is looked for each second costs nothing while nothing is due."""
    with closing(sqlite3.connect(provider.database.path)) as connection:
        for table, where, order in (
            ("sip_account", "done < version AND (runner = '' OR leased_s <= 5) AND next_s <= 5", "next_s"),
            ("saga", "is_over = 0 AND (runner = '' OR leased_s <= 5) AND next_s <= 5", "next_s"),
        ):
            plan = connection.execute(
                f"EXPLAIN QUERY PLAN SELECT id FROM {table} WHERE {where} ORDER BY {order}"
            ).fetchall()
            assert [step[3].split(" (")[0] for step in plan] == [f"SEARCH {table} USING INDEX {table}_to_do"]
