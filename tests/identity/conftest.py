"""The places that the suite of the port is played at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.identity import places
from tests.real.postgres import Postgres
from tests.real.slapd import Slapd


@pytest.fixture(scope="session")
def people_postgres(postgres: Postgres) -> str:
    return places.fill_postgres(postgres, "people")


@pytest.fixture(scope="session")
def people_slapd(slapd: Slapd) -> Slapd:
    """With whoever has odd names and passwords."""
    name, password, mail, _ = places.ODD
    slapd.person(name, password, mail=mail)
    return slapd


@pytest.fixture
def service() -> Iterator[places.Service]:
    with places.service() as made:
        yield made


@pytest.fixture(
    params=[
        pytest.param("ldap", marks=pytest.mark.ldap),
        "http",
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.postgres),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> places.Place:
    """Each kind in turn."""
    match request.param:
        case "ldap":
            return places.ldap(request.getfixturevalue("people_slapd"))
        case "http":
            return places.http(request.getfixturevalue("service"))
        case "sqlite":
            return places.sqlite(tmp_path)
        case _:
            url = request.getfixturevalue("people_postgres")
            return places.postgres(request.getfixturevalue("postgres"), url)
