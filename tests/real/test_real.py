"""The real programs that other tests stand on start, answer, and are nobody else's."""

from __future__ import annotations

import socket
import ssl

import pytest

from tests.real.kamailio import Kamailio
from tests.real.postgres import Postgres


@pytest.mark.postgres
def test_postgres_answers(postgres: Postgres) -> None:
    """A test has a server and makes databases in it."""
    postgres.create("one-of-a-test")

    postgres.run("one-of-a-test", "CREATE TABLE thing (name text)", "INSERT INTO thing VALUES ('x')")


@pytest.mark.kamailio
def test_kamailio_answers(kamailio: Kamailio) -> None:
    """Over UDP, and over TLS with a certificate that can be verified."""
    context = ssl.create_default_context(cafile=str(kamailio.ca))

    with (
        socket.create_connection((kamailio.host, kamailio.tls_port), 5) as plain,
        context.wrap_socket(plain, server_hostname=kamailio.host) as secure,
    ):
        version = secure.version()

    assert kamailio.answers()
    assert version in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.kamailio
@pytest.mark.postgres
def test_kamailio_answers_on_postgres(kamailio_postgres: Kamailio) -> None:
    """The same file of configuration serves both engines."""

    assert kamailio_postgres.answers()
