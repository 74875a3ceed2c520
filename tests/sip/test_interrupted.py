"""A SIP system that goes away in the middle: all of it happened or nothing, and asked again all is well."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, SipAccount, SipAccounts
from offhook.sip import settings
from offhook.sip.asterisk import Asterisk
from offhook.sip.kamailio import Kamailio
from tests.real import kamailio as real
from tests.real.postgres import Postgres

NewName = Callable[[], Address]
MOST_STATEMENTS = 20

ENGINES = [
    pytest.param("kamailio", marks=pytest.mark.kamailio),
    pytest.param("kamailio_postgres", marks=[pytest.mark.kamailio, pytest.mark.postgres]),
    "asterisk_sqlite",
    pytest.param("asterisk_postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=ENGINES)
def system(request: pytest.FixtureRequest) -> Iterator[Kamailio | Asterisk]:
    """Those that are a database."""
    found = request.getfixturevalue(request.param)
    opened: Kamailio | Asterisk
    if isinstance(found, real.Kamailio):
        opened = Kamailio(settings.Kamailio(Secret(found.database_url), found.control))
    else:
        opened = Asterisk(settings.Asterisk(Secret(found)))
    yield opened
    opened.close()


@contextmanager
def killed_at(system: Kamailio | Asterisk, number: int) -> Iterator[None]:
    """The connection is lost just before the statement of this number, counted from 1."""
    seen = 0

    def before(connection: sa.Connection, cursor: object, *rest: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            driver = connection.connection.dbapi_connection
            assert driver is not None
            if isinstance(driver, sqlite3.Connection):
                driver.rollback()
            driver.close()

    engine = system._store.engine
    sa.event.listen(engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", before)


def seen(system: SipAccounts, address: Address) -> object:
    found = system.look_up(address)
    return None if found is None else (found.enabled, found.ha1s, found.aliases)


Wish = Callable[[SipAccounts, Address], None]
WISHES: dict[str, Wish] = {
    "ensure": lambda system, address: system.ensure(
        SipAccount(address, Secret("c"), Secret("a"), aliases=("2", "3", "4")), "1:2"
    ),
    "rotate": lambda system, address: system.rotate(
        SipAccount(address, Secret("c"), Secret("a"), aliases=("2", "3", "4")), "1:2"
    ),
    "disable": lambda system, address: system.disable(address, "1:2"),
    "remove": lambda system, address: system.remove(address, "1:2"),
}


@pytest.mark.parametrize("name", WISHES)
def test_a_wish_happens_as_a_whole(system: Kamailio | Asterisk, new_name: NewName, name: str) -> None:
    """With the connection lost before any of its statements, it is as before or as wanted; asked again, as wanted."""
    wish = WISHES[name]
    system.look_up(new_name())
    for number in range(1, MOST_STATEMENTS):
        address = new_name()
        system.ensure(SipAccount(address, Secret("a"), Secret("b"), aliases=("1", "2")), "1:1")
        before = seen(system, address)

        with killed_at(system, number):
            try:
                wish(system, address)
                finished = True
            except Unavailable:
                finished = False

        between = seen(system, address)
        wish(system, address)
        after = seen(system, address)
        assert between in (before, after)
        if finished:
            assert between == after
            break
    else:
        pytest.fail("It has more statements than were tried.")
    assert number > 2


@pytest.mark.parametrize("kind", ["kamailio", "asterisk"])
def test_no_database_is_nothing_known(kind: str, tmp_path: Path) -> None:
    """Neither yes nor no; and no empty database is made in its place. The text names no address and no password."""
    path = tmp_path / "gone.sqlite3"
    for url in (f"sqlite:///{path}", "postgresql+psycopg://offhook:hidden-pw@127.0.0.1:1/gone"):
        system = opened(kind, url)

        wishes: list[Callable[[], object]] = [
            lambda: system.ensure(SipAccount(Address("a", "b"), Secret("c")), "1:1"),  # noqa: B023 - called at once
            lambda: system.disable(Address("a", "b"), "1:2"),  # noqa: B023 - called at once
            lambda: system.look_up(Address("a", "b")),  # noqa: B023 - called at once
            lambda: system.registered([Address("a", "b")]),  # noqa: B023 - called at once
        ]
        for wish in wishes:
            with pytest.raises(Unavailable) as error:
                wish()
            assert "hidden" not in str(error.value)
            assert "127.0.0.1" not in str(error.value)
        assert system.faults()
        system.close()
    assert not path.exists()


def opened(kind: str, url: str) -> Kamailio | Asterisk:
    if kind == "kamailio":
        return Kamailio(settings.Kamailio(Secret(url), "unix:/nowhere/rpc.sock"))
    return Asterisk(settings.Asterisk(Secret(url)))


@pytest.mark.kamailio
def test_without_kamailio_itself_a_suspension_is_asked_again(kamailio: real.Kamailio, new_name: NewName) -> None:
    """No password is good any more, but nobody says that it is done before the registration is gone."""
    address = new_name()
    whole = Kamailio(settings.Kamailio(Secret(kamailio.database_url), kamailio.control))
    deaf = Kamailio(settings.Kamailio(Secret(kamailio.database_url), "unix:/nowhere/rpc.sock", timeout_s=0.2))
    whole.ensure(SipAccount(address, Secret("a")), "1:1")

    with pytest.raises(Unavailable, match=r"/nowhere/rpc\.sock"):
        deaf.disable(address, "1:2")

    found = whole.look_up(address)
    assert found is not None
    assert not found.enabled
    whole.disable(address, "1:2")


@pytest.mark.postgres
@pytest.mark.kamailio
def test_connections_that_were_ended_are_opened_anew(
    kamailio_postgres: real.Kamailio, postgres: Postgres, new_name: NewName
) -> None:
    """A restart of the database between two wishes is not noticed."""
    system = Kamailio(settings.Kamailio(Secret(kamailio_postgres.database_url), kamailio_postgres.control))
    account = SipAccount(new_name(), Secret("a"))
    system.ensure(account, "1:1")

    postgres.run(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'offhook'",
    )

    assert system.look_up(account.address) is not None
    system.close()
