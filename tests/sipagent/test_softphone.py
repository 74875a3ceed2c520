"""The phone and its SIP server, with real programs on both sides: baresip and Kamailio."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
import trustme

from offhook.phone.useragent import Failed, NotRegistered, Registered, Registering
from offhook.sipagent import running, told
from offhook.sipagent.baresip import Listen, Program
from offhook.sipagent.line import parse
from offhook.sipagent.session import Answered, Machine, Over, Ringing
from tests.real.baresip import LOOPBACK, account, add_user, contacts, phone
from tests.real.kamailio import DOMAIN, Kamailio
from tests.real.programs import free_port_of_both

pytestmark = [pytest.mark.sip, pytest.mark.kamailio]


@pytest.fixture
def machine(baresip: Program, kamailio: Kamailio) -> Machine:
    return Machine(baresip, LOOPBACK, str(kamailio.ca))


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "tls+sip:"])
def test_it_registers(kamailio: Kamailio, machine: Machine, transport: str) -> None:
    """Over each transport; and when it is un-registered, the server knows of it no more."""
    name = f"reg-{transport.rstrip(':').replace('+', '-')}"
    add_user(kamailio, name, "s3cret")

    async def play() -> list[list[str]]:
        async with phone(machine, account(kamailio, name, "s3cret", transport)) as ann:
            during = contacts(kamailio, name)
            await ann.sip.unregister()
            assert ann.heard == [Registering(), Registered(f"{name}@{DOMAIN}"), NotRegistered()]
            return [during, contacts(kamailio, name)]

    during, after = asyncio.run(play())

    assert len(during) == 1
    assert ("transport=" in during[0]) == (transport != "udp")
    assert after == []


def test_a_wrong_password(kamailio: Kamailio, machine: Machine) -> None:
    """The server's status and words are told, and nothing is registered."""
    add_user(kamailio, "wrong", "right")

    async def play() -> None:
        async with phone(machine) as ann:
            await ann.sip.register(account(kamailio, "wrong", "s3cret"))

            failed = await ann.until(Failed)

            assert failed == Failed(401, "Unauthorized")
            assert str(ann.sip.state) == "failed: 401 Unauthorized"
            assert await ann.sip.call("204") == "This phone is failed: 401 Unauthorized."

    asyncio.run(play())
    assert contacts(kamailio, "wrong") == []


def test_a_new_password_drops_nothing(kamailio: Kamailio, machine: Machine) -> None:
    """During the overlap the earlier registration stays until the one with the new password is there."""
    add_user(kamailio, "rotated", "before")

    async def play() -> list[int]:
        async with phone(machine, account(kamailio, "rotated", "before")) as ann:
            (earlier,) = contacts(kamailio, "rotated")
            add_user(kamailio, "rotated", "before", "subscriber_former")
            add_user(kamailio, "rotated", "after")
            heard, seen = len(ann.heard), list[int]()

            await ann.sip.register(account(kamailio, "rotated", "after"))
            while earlier in (found := contacts(kamailio, "rotated")) or not found:
                seen.append(len(found))
                assert len(seen) < 1000, ann.heard
                await asyncio.sleep(0.01)

            await ann.until(Registered, after=heard)
            return [*seen, len(found)]

    seen = asyncio.run(play())

    assert 0 not in seen
    assert seen[-1] == 1
    assert contacts(kamailio, "rotated") == []


def test_a_new_password_that_is_not_good(kamailio: Kamailio, machine: Machine) -> None:
    """It is told, and the phone stays reachable by what it had."""
    add_user(kamailio, "hasty", "before")

    async def play() -> None:
        async with phone(machine, account(kamailio, "hasty", "before")) as ann:
            await ann.sip.register(account(kamailio, "hasty", "after"))

            assert (await ann.until(Failed)).status == 401
            assert len(contacts(kamailio, "hasty")) == 1

    asyncio.run(play())
    assert contacts(kamailio, "hasty") == []


def test_another_user(kamailio: Kamailio, machine: Machine) -> None:
    """Who was registered before is un-registered first: nobody gets the calls of somebody else."""
    add_user(kamailio, "first", "a")
    add_user(kamailio, "second", "b")

    async def play() -> None:
        async with phone(machine, account(kamailio, "first", "a")) as ann:
            heard = len(ann.heard)
            await ann.sip.register(account(kamailio, "second", "b"))
            assert contacts(kamailio, "first") == []
            await ann.until(Registered, after=heard)
            assert len(contacts(kamailio, "second")) == 1

    asyncio.run(play())


def test_a_port_of_its_own(kamailio: Kamailio, baresip: Program) -> None:
    """On a fixed port one registration ends before the next begins."""
    add_user(kamailio, "fixed", "a")
    port = free_port_of_both()
    machine = Machine(baresip, Listen("127.0.0.1", port))

    async def play() -> None:
        async with phone(machine, account(kamailio, "fixed", "a")) as ann:
            heard = len(ann.heard)
            await ann.sip.register(account(kamailio, "fixed", "a", expires="120"))
            await ann.until(Registered, after=heard)
            (contact,) = contacts(kamailio, "fixed")
            assert f"127.0.0.1:{port}" in contact

    asyncio.run(play())


@pytest.mark.parametrize(("callers", "called"), [("udp", "udp"), ("tcp", "tls"), ("tls", "udp")])
def test_a_call(kamailio: Kamailio, machine: Machine, callers: str, called: str) -> None:
    """It rings at the other phone, is answered, goes on, and ends when one of the two hangs up."""
    ann, bob = f"ann-{callers}-{called}", f"bob-{callers}-{called}"
    add_user(kamailio, ann, "a")
    add_user(kamailio, bob, "b")

    async def play() -> None:
        async with (
            phone(machine, account(kamailio, ann, "a", callers)) as first,
            phone(machine, account(kamailio, bob, "b", called)) as second,
        ):
            assert await second.sip.answer() == "Nobody calls."
            assert await first.sip.call(bob) == ""

            assert await second.until(Ringing) == Ringing(ann, incoming=True)
            assert await first.until(Ringing) == Ringing(bob, incoming=False)
            assert await first.sip.answer() == "Nobody calls."
            assert await second.sip.answer() == ""
            assert await first.until(Answered) == Answered(bob, incoming=False)
            assert await second.until(Answered) == Answered(ann, incoming=True)
            assert first.sip.in_call
            assert await first.sip.hang_up() == ""
            assert (await second.until(Over)).number == ann
            assert (await first.until(Over)).number == bob
            assert await first.sip.hang_up() == "There is no call that could end."

    asyncio.run(play())


def test_a_call_that_is_turned_away(kamailio: Kamailio, machine: Machine) -> None:
    """The caller hears of it; and who is not registered cannot be reached."""
    for name in ("caller", "busy"):
        add_user(kamailio, name, name)

    async def play() -> None:
        async with (
            phone(machine, account(kamailio, "caller", "caller")) as first,
            phone(machine, account(kamailio, "busy", "busy")) as second,
        ):
            await first.sip.call("busy")
            await second.until(Ringing)
            assert await second.sip.hang_up() == ""
            assert (await first.until(Over)).reason.startswith(("486", "603"))
            heard = len(first.heard)
            assert await first.sip.call(f"sip:nobody@{DOMAIN}") == ""
            assert (await first.until(Over, after=heard)) == Over("nobody", False, "480 Temporarily Unavailable")
            assert "neither a number" in await first.sip.call("two words")
            assert "255 bytes" in await first.sip.call("5" * 250)

    asyncio.run(play())


def test_an_agent_that_is_killed(kamailio: Kamailio, machine: Machine) -> None:
    """Another one takes its place; a call that went through it is over."""
    for name in ("killed", "other"):
        add_user(kamailio, name, name)

    async def play() -> None:
        async with (
            phone(machine, account(kamailio, "killed", "killed")) as first,
            phone(machine, account(kamailio, "other", "other")),
        ):
            await first.sip.call("other")
            await first.until(Ringing)
            before, heard = first.sip.pid, len(first.heard)
            assert before
            os.kill(before, signal.SIGKILL)

            failed = await first.until(Failed, after=heard)
            await first.until(Registered, after=heard)

            assert failed == Failed(0, "the SIP agent ended; tried again in 1 s")
            assert (await first.until(Over)).reason == "the SIP agent ended"
            assert first.sip.pid not in {before, None}

    asyncio.run(play())


@pytest.mark.parametrize(
    "password",
    ['a"b', '"quoted"', "a;b", "a b", "a\\b", "trailing\\", "a>b<c", "a%41b", "ä€😀", " blank ", "a{b}|~^`'#", "=,:@/"],
)
def test_odd_passwords(kamailio: Kamailio, machine: Machine, password: str) -> None:
    """What a person types as a password is what the SIP server checks."""
    name = f"odd-{password.encode().hex()}"
    add_user(kamailio, name, password)

    async def play() -> None:
        async with phone(machine, account(kamailio, name, password)):
            assert len(contacts(kamailio, name)) == 1

    asyncio.run(play())


def test_odd_names(kamailio: Kamailio, machine: Machine) -> None:
    """A name for authentication may hold blanks, semicolons and letters of any language."""
    add_user(kamailio, "näme; of=", "a")

    async def play() -> None:
        async with phone(machine) as ann:
            await ann.sip.register(account(kamailio, "oddly", "a", authUsername="näme of"))
            # Kamailio takes only the user's own name for the user's registration, and says so after it has checked it.
            assert (await ann.until(Failed)).status in {401, 403}

    asyncio.run(play())


def test_what_cannot_be_registered(kamailio: Kamailio, machine: Machine) -> None:
    """It is told by key, shows no password, and starts nothing."""

    async def play() -> None:
        async with phone(machine) as ann:
            await ann.sip.register(account(kamailio, "x", 'p4ss";outbound="sip:evil', host="not a host"))
            assert isinstance(ann.sip.state, Failed)
            assert "host" in ann.sip.state.reason
            assert "p4ss" not in repr(ann.heard)
            await ann.sip.register(account(kamailio, "x", 'p4ss";outbound="sip:evil'))
            assert "password" in ann.sip.state.reason
            assert "p4ss" not in repr(ann.heard)
            assert ann.sip.pid is None

    asyncio.run(play())


def test_a_server_that_cannot_be_trusted(kamailio: Kamailio, machine: Machine, tmp_path: Path) -> None:
    """Its certificate is looked at before a password is sent; it is tried again, as the server may be mended."""
    add_user(kamailio, "careful", "a")
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)

    async def play() -> None:
        async with phone(Machine(machine.program, LOOPBACK, str(other))) as ann:
            await ann.sip.register(account(kamailio, "careful", "a", "tls"))
            failed = await ann.until(Failed)
            assert failed.status == 0
            assert "is not secure" in failed.reason
            assert ann.sip.pid is None

    asyncio.run(play())
    assert contacts(kamailio, "careful") == []


def test_the_agent_itself_looks_at_the_certificate(kamailio: Kamailio, machine: Machine, tmp_path: Path) -> None:
    """Also when the server is another one than a moment ago, or later: baresip by itself would take any."""
    add_user(kamailio, "later", "a")
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)

    async def play(ca: str) -> told.Told:
        async with running.started(machine.program, LOOPBACK, ca) as agent:
            agent.register(parse(account(kamailio, "later", "a", "tls")).account())
            async for news in agent.heard():
                if not isinstance(news, told.Began):
                    return news
        return told.Gone()

    assert asyncio.run(play(str(other))) == told.RegisterFail(0, "Protocol error")
    assert asyncio.run(play(str(kamailio.ca))) == told.RegisterOk()


def test_nobody_else_commands_the_agent(kamailio: Kamailio, machine: Machine) -> None:
    """Every user of this machine can reach what listens: of the agent that is SIP alone, and of us nothing."""
    add_user(kamailio, "guarded", "a")

    async def play() -> tuple[list[str], list[str]]:
        async with phone(machine, account(kamailio, "guarded", "a")) as ann:
            assert ann.sip.pid
            return _listening(ann.sip.pid), _listening(os.getpid())

    agents, ours = asyncio.run(play())

    # SIP over TCP and over TLS; what drives an agent is at an address of loopback of its own.
    assert agents == ["127.0.0.1", "127.0.0.1"]
    assert set(ours) <= {"127.0.0.1", "0.0.0.0"}


def _listening(pid: int) -> list[str]:
    """The IPv4 addresses at which a process takes TCP."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    opened = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
    hosts = [row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in opened]
    return [".".join(map(str, reversed(bytes.fromhex(host)))) for host in hosts]


def test_no_password_is_left_anywhere(kamailio: Kamailio, machine: Machine) -> None:
    """Not among the processes of this machine, not in a file, neither during nor after."""
    add_user(kamailio, "discreet", "n0-where-t0-be-f0und")

    async def play() -> tuple[int, Path]:
        async with phone(machine, account(kamailio, "discreet", "n0-where-t0-be-f0und")) as ann:
            assert ann.sip.pid
            return ann.sip.pid, _looked_through(ann.sip.pid, b"n0-where")

    pid, folder = asyncio.run(play())

    assert not Path(f"/proc/{pid}").exists()
    assert not folder.exists()
    assert b"n0-where" not in kamailio.log.read_bytes()


def _looked_through(pid: int, secret: bytes) -> Path:
    """The folder of an agent that runs: nobody else may look into it, and the secret is in no file and no command."""
    folder = Path(f"/proc/{pid}/cwd").resolve()
    assert folder.stat().st_mode & 0o777 == 0o700
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert files.keys() >= {"config", "openssl.cnf"}
    assert not [name for name, content in files.items() if secret in content]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        assert secret not in words
    return folder
