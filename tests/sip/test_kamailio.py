"""What is particular to Kamailio, shown with a real one that runs the guide's configuration."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from offhook.core.errors import Refused
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, SipAccount
from offhook.sip import settings
from offhook.sip.kamailio import Kamailio
from tests.real import kamailio as real
from tests.real.programs import free_port
from tests.real.sipclient import Phone, phone

NewName = Callable[[], Address]

pytestmark = pytest.mark.kamailio


@pytest.fixture
def system(kamailio: real.Kamailio) -> Kamailio:
    return Kamailio(settings.Kamailio(Secret(kamailio.database_url), kamailio.control))


def at(running: real.Kamailio) -> tuple[str, int]:
    return running.host, running.udp_port


def ringing(caller: Phone, user: str, phones: Sequence[Phone]) -> list[bool]:
    """Which of the phones ring when this user is called."""
    heard: dict[int, bool] = {}

    def listen(number: int) -> None:
        heard[number] = phones[number].rings(1)

    threads = [threading.Thread(target=listen, args=(number,)) for number in range(len(phones))]
    for thread in threads:
        thread.start()
    caller.call(user, "pw")
    for thread in threads:
        thread.join()
    return [heard[number] for number in range(len(phones))]


def test_an_alias_rings_at_all_of_its_accounts(kamailio: real.Kamailio, system: Kamailio, new_name: NewName) -> None:
    """Two phones of a user have accounts of their own; the number rings at both, and at one when the other is gone."""
    addresses = [new_name() for _ in range(3)]
    caller, first, second = addresses
    number = f"4930{first.username.removeprefix('user')}"
    system.ensure(SipAccount(caller, Secret("pw")), "1:1")
    for address in (first, second):
        system.ensure(SipAccount(address, Secret("pw"), aliases=(number,)), "1:1")
    with ExitStack() as ending:
        phones = [ending.enter_context(phone(at(kamailio), address)) for address in addresses]
        assert [one.register("pw") for one in phones] == [200, 200, 200]

        assert ringing(phones[0], number, phones[1:]) == [True, True]

        system.disable(first, "1:2")

        assert ringing(phones[0], number, phones[1:]) == [False, True]
        assert ringing(phones[0], first.username, phones[1:]) == [False, False]


def test_no_alias_takes_the_calls_of_an_account(kamailio: real.Kamailio, system: Kamailio, new_name: NewName) -> None:
    """Even where the tables say so: who has the name as an account is called."""
    caller, called, other = addresses = [new_name() for _ in range(3)]
    for address in (caller, called):
        system.ensure(SipAccount(address, Secret("pw")), "1:1")
    system.ensure(SipAccount(other, Secret("pw"), aliases=(called.username,)), "1:1")
    with ExitStack() as ending:
        phones = [ending.enter_context(phone(at(kamailio), address)) for address in addresses]
        assert [one.register("pw") for one in phones] == [200, 200, 200]

        assert ringing(phones[0], called.username, phones[1:]) == [True, False]


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
def test_over_tcp_and_tls_a_phone_registers_and_rings(
    kamailio: real.Kamailio, system: Kamailio, new_name: NewName, transport: str
) -> None:
    """A call from a phone with UDP finds it over the connection that it registered with."""
    caller, called = new_name(), new_name()
    for address in (caller, called):
        system.ensure(SipAccount(address, Secret("pw")), "1:1")
    port = kamailio.tcp_port if transport == "TCP" else kamailio.tls_port
    with (
        phone(at(kamailio), caller) as one,
        phone((kamailio.host, port), called, transport, kamailio.ca) as other,
    ):
        assert (one.register("pw"), other.register("no"), other.register("pw")) == (200, 401, 200)

        assert ringing(one, called.username, [other]) == [True]


def test_who_registers_while_being_suspended_does_not_stay(
    kamailio: real.Kamailio, system: Kamailio, new_name: NewName
) -> None:
    """A phone that registers again and again in that very moment is gone in the end, each time."""
    for _ in range(5):
        address = new_name()
        system.ensure(SipAccount(address, Secret("pw")), "1:1")
        ended = threading.Event()

        def insist(address: Address = address, ended: threading.Event = ended) -> None:
            with phone(at(kamailio), address) as one:
                while not ended.is_set():
                    one.register("pw")

        phones = [threading.Thread(target=insist) for _ in range(2)]
        for thread in phones:
            thread.start()
        for _ in range(200):
            if system.registered([address])[address]:
                break
            time.sleep(0.01)

        system.disable(address, "1:2")

        ended.set()
        for thread in phones:
            thread.join()
        assert system.registered([address]) == {address: False}


def test_who_is_disabled_does_not_call(kamailio: real.Kamailio, system: Kamailio, new_name: NewName) -> None:
    """An INVITE is challenged as a REGISTER is, and refused."""
    address = new_name()
    system.ensure(SipAccount(address, Secret("pw")), "1:1")
    with phone(at(kamailio), address) as one:
        assert one.call("nobody", "pw") == 480

        system.disable(address, "1:2")

        assert one.call("nobody", "pw") == 407


def test_a_phone_may_say_the_domain_as_part_of_its_name(
    kamailio: real.Kamailio, system: Kamailio, new_name: NewName
) -> None:
    """There is a hash for that as well, for the former password too, and none of them is ever empty."""
    address = new_name()
    system.ensure(SipAccount(address, Secret("new"), Secret("old")), "1:1")
    with phone(at(kamailio), address) as one:
        assert [one.register(password, username=str(address)) for password in ("new", "old", "")] == [200, 200, 401]

        system.disable(address, "1:2")

        assert [one.register(password, username=str(address)) for password in ("new", "old", "")] == [401, 401, 401]


def test_the_clear_password_is_nowhere(kamailio: real.Kamailio, system: Kamailio, new_name: NewName) -> None:
    """Its column is empty, also where it held something before; other columns stay. The file holds no password."""
    address = new_name()
    file = Path(kamailio.database_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as database, database:
        row = (address.username, address.domain, "in-clear")
        database.execute("INSERT INTO subscriber (username, domain, password) VALUES (?, ?, ?)", row)

    system.ensure(SipAccount(address, Secret("clear-pw-1"), Secret("clear-pw-0")), "1:1")
    system.disable(address, "1:2")

    with closing(sqlite3.connect(file)) as database:
        chosen = "SELECT password, ha1, ha1b FROM subscriber WHERE username = ?"
        password, ha1, ha1b = database.execute(chosen, (address.username,)).fetchone()
        everything = "\n".join(database.iterdump())
    assert password == ""
    assert ha1 != ha1b
    assert len(ha1) == len(ha1b) == 32
    assert "clear-pw" not in everything
    assert "clear-pw" not in kamailio.log.read_text()


def test_a_disabled_account_stays_as_it_is(kamailio: real.Kamailio, system: Kamailio, new_name: NewName) -> None:
    """Disabled twice, nothing is written the second time."""
    address = new_name()
    file = Path(kamailio.database_url.removeprefix("sqlite:///"))
    system.ensure(SipAccount(address, Secret("a")), "1:1")
    system.disable(address, "1:2")
    with closing(sqlite3.connect(file)) as database:
        chosen = "SELECT ha1 FROM subscriber WHERE username = ?"
        before = database.execute(chosen, (address.username,)).fetchone()

        system.disable(address, "1:2")

        assert database.execute(chosen, (address.username,)).fetchone() == before


def test_both_ways_to_know_who_is_registered_agree(kamailio: real.Kamailio, new_name: NewName) -> None:
    """The table, which is written through, and the memory; names with capitals, too."""
    plain = new_name()
    addresses = [plain, Address(plain.username.upper(), plain.domain), new_name()]
    url = Secret(kamailio.database_url)
    table = Kamailio(settings.Kamailio(url, kamailio.control))
    memory = Kamailio(settings.Kamailio(url, kamailio.control, registrations="control"))
    table.ensure(SipAccount(addresses[1], Secret("a")), "1:1")
    with phone(at(kamailio), addresses[1]) as one:
        assert one.register("a") == 200

        assert table.registered(addresses[1:]) == memory.registered(addresses[1:])
        assert table.registered(addresses[1:]) == {addresses[1]: True, addresses[2]: False}
        assert one.register("a", expires_s=0) == 200
        assert table.registered(addresses[1:]) == memory.registered(addresses[1:])
        assert not any(table.registered(addresses).values())


def test_names_that_do_not_fit_are_refused(system: Kamailio) -> None:
    """SQLite would take them, and Kamailio cut them."""
    for account in (
        SipAccount(Address("u" * 65, "sip.example.com"), Secret("a")),
        SipAccount(Address("", "sip.example.com"), Secret("a")),
        SipAccount(Address("u", "d" * 65), Secret("a")),
        SipAccount(Address("u", "sip.example.com"), Secret("a"), aliases=("a" * 65,)),
    ):
        with pytest.raises(Refused):
            system.ensure(account, "1:1")


def test_a_good_installation_has_no_faults(kamailio: real.Kamailio, system: Kamailio, tmp_path: Path) -> None:
    """One that lacks tables has a sentence for each of them, and makes none of them."""
    empty = tmp_path / "empty.sqlite3"
    empty.touch()
    lacking = Kamailio(settings.Kamailio(Secret(f"sqlite:///{empty}"), kamailio.control))

    faults = lacking.faults()

    assert system.faults() == ()
    assert [fault.split()[2] for fault in faults] == ["subscriber", "subscriber_former", "dbaliases", "location"]


def test_a_table_of_registrations_that_nobody_writes_is_a_fault(kamailio: real.Kamailio, new_name: NewName) -> None:
    """Everybody would seem to be away."""
    file = Path(kamailio.database_url.removeprefix("sqlite:///"))
    url, address = Secret(kamailio.database_url), new_name()
    system = Kamailio(settings.Kamailio(url, kamailio.control))
    memory = Kamailio(settings.Kamailio(url, kamailio.control, registrations="control"))
    system.ensure(SipAccount(address, Secret("pw")), "1:1")
    with phone(at(kamailio), address) as one:
        one.register("pw")
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("DELETE FROM location")

        (fault,) = system.faults()

        assert "db_mode" in fault
        assert memory.faults() == ()
    memory.remove(address, "1:2")


@pytest.mark.parametrize("over", ["udp", "http"])
def test_its_control_is_reached_over_datagrams_and_http(over: str, tmp_path: Path) -> None:
    """As over its Unix socket, which the other tests use."""
    port = free_port()
    url = real.prepare_sqlite(tmp_path / "kamailio.sqlite3")
    named = f"udp:127.0.0.1:{port}" if over == "udp" else ""
    with real.started(tmp_path, url, named, *(["WITH_HTTP"] if over == "http" else [])) as running:
        control = running.control if over == "udp" else f"http://127.0.0.1:{running.tcp_port}/RPC"
        system = Kamailio(settings.Kamailio(Secret(url), control))
        address = Address("ann", "sip.example.com")
        system.ensure(SipAccount(address, Secret("a")), "1:1")
        with phone(at(running), address) as one:
            assert one.register("a") == 200
            assert system.registered([address]) == {address: True}

            system.remove(address, "1:2")

        assert system.faults() == ()
        assert system.registered([address]) == {address: False}
