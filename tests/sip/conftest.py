"""The places that the suite of the port is played at."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from offhook.provider.sipaccounts import Address
from tests.real.postgres import Postgres
from tests.sip import asterisk_schema, places
from tests.sip.event_socket import event_socket

_numbers = itertools.count(1)


@pytest.fixture
def new_name() -> Callable[[], Address]:
    """Addresses that no test had before: the SIP systems live longer than a test."""
    return lambda: Address(f"user{next(_numbers)}", "sip.example.com")


@pytest.fixture(scope="session")
def asterisk_postgres(postgres: Postgres) -> str:
    url = postgres.create("asterisk")
    asterisk_schema.make(url, recent=True)
    return url


@pytest.fixture(scope="session")
def asterisk_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('asterisk') / 'asterisk.sqlite3'}"
    asterisk_schema.make(url, recent=False)
    return url


@pytest.fixture(scope="session")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    file = tmp_path_factory.mktemp("receiver") / "accounts.sqlite3"
    with places.example_receiver(file) as url:
        yield url, file


@pytest.fixture(
    params=[
        pytest.param("kamailio-sqlite", marks=pytest.mark.kamailio),
        pytest.param("kamailio-postgres", marks=[pytest.mark.kamailio, pytest.mark.postgres]),
        "asterisk-sqlite",
        pytest.param("asterisk-postgres", marks=pytest.mark.postgres),
        "freeswitch",
        "webhook",
    ]
)
def place(request: pytest.FixtureRequest) -> Iterator[places.Place]:
    """Each back-end in turn."""
    with ExitStack() as ending:
        found: places.Place
        match request.param:
            case "kamailio-sqlite":
                found = places.KamailioPlace(request.getfixturevalue("kamailio"))
            case "kamailio-postgres":
                found = places.KamailioPlace(request.getfixturevalue("kamailio_postgres"))
            case "freeswitch":
                found = places.FreeSwitchPlace(ending.enter_context(event_socket()))
            case "webhook":
                found = places.WebhookPlace(*request.getfixturevalue("receiver"))
            case named:
                found = places.AsteriskPlace(request.getfixturevalue(named.replace("-", "_")))
        ending.callback(found.close)
        yield found
