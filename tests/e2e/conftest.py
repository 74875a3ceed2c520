"""The companies of these tests, and what all of them together must not have written down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.company import Company
from tests.e2e.leaks import Evidence
from tests.real.kamailio import Kamailio
from tests.real.postgres import PASSWORD as POSTGRES_PASSWORD

SYSTEM = """
[sip.berlin]
kind = "kamailio"
database = "{database}"
control = "{control}"
"""
GONE_PASSWORD = "0f-a-database-that-is-gone"
GONE = f"""
[sip.gone]
kind = "kamailio"
database = "postgresql+psycopg://offhook:{GONE_PASSWORD}@127.0.0.1:1/kamailio"
control = "unix:/nowhere/rpc.sock"
"""


@pytest.fixture(scope="session")
def evidence() -> Iterator[Evidence]:
    """Filled by all tests; at their end, no secret that they used stands anywhere."""
    found = Evidence()
    yield found
    leaks = found.leaks()
    assert not leaks, f"{len(leaks)} leaks of {len(found.used)} secrets:\n" + "\n".join(leaks)


@pytest.fixture(scope="session")
def company(
    tmp_path_factory: pytest.TempPathFactory, evidence: Evidence, kamailio_postgres: Kamailio
) -> Iterator[Company]:
    """One that makes SIP accounts in Kamailio; each test opens a Cloud ID of its own there."""
    made = Company(tmp_path_factory.mktemp("company"), evidence)
    evidence.secret("the password of a database", POSTGRES_PASSWORD)
    evidence.secret("the password of another database", GONE_PASSWORD)
    connections = SYSTEM.format(database=kamailio_postgres.database_url, control=kamailio_postgres.control)
    with made.served(connections + GONE):
        yield made
    evidence.text("Kamailio's log", kamailio_postgres.log.read_text(errors="replace"))
