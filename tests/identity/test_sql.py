"""A database as an upstream: what it may be asked, that it is only read, and what takes too long."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.identity.asking import Untold
from offhook.identity.sql import Sql
from tests.identity.places import database, sqlite
from tests.real.postgres import Postgres

SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*), :username AS login FROM n"
RIGHT = Secret("ann-right")


@pytest.fixture
def file(tmp_path: Path) -> str:
    sqlite(tmp_path)
    return f"sqlite:///{tmp_path / 'people.sqlite3'}"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT login FROM users WHERE login = :username AND :password = 'open sesame'",
        "SELECT :password = 'open sesame', login FROM users WHERE login = :username",
    ],
)
def test_the_database_may_check_the_password_itself(file: str, query: str) -> None:
    """Then a row is a yes, unless its first column says no."""
    upstream = Sql(database(file, query=query, attributes={}))

    assert upstream.vouch("ann", Secret("open sesame")) is not None
    assert upstream.vouch("ann", RIGHT) is None
    assert upstream.vouch("nobody", Secret("open sesame")) is None
    with pytest.raises(Untold):
        upstream.look_up("ann")
    both = Sql(database(file, query=query, attributes={}, look_up="SELECT login FROM users WHERE login = :username"))
    assert both.look_up("ann") is not None
    assert both.faults() == ()


def test_it_is_only_read(file: str, tmp_path: Path) -> None:
    """Whatever the operator wrote."""
    query = "WITH one AS (SELECT :username AS login) DELETE FROM users RETURNING login, hash, mail"

    with pytest.raises(Unavailable):
        Sql(database(file, query=query)).vouch("ann", RIGHT)

    with closing(sqlite3.connect(tmp_path / "people.sqlite3")) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (3,)


@pytest.mark.postgres
def test_it_is_only_read_in_postgresql_as_well(postgres: Postgres, people_postgres: str) -> None:
    """The connection is opened so."""
    query = "WITH gone AS (DELETE FROM users RETURNING *) SELECT login, hash, mail FROM gone WHERE login = :username"
    with closing(Sql(database(people_postgres, query=query))) as upstream, pytest.raises(Unavailable):
        upstream.vouch("ann", RIGHT)

    with closing(Sql(database(people_postgres))) as upstream:
        assert upstream.vouch("ann", RIGHT) is not None


@pytest.mark.postgres
def test_postgresql_may_hang_up_and_come_back(postgres: Postgres, people_postgres: str) -> None:
    """A connection that was kept and is dead makes nobody fail."""
    with closing(Sql(database(people_postgres))) as upstream:
        upstream.vouch("ann", RIGHT)

        postgres.hang_up("people")

        assert upstream.vouch("ann", RIGHT) is not None


@pytest.mark.postgres
def test_postgresql_does_not_wait_for_ever(people_postgres: str) -> None:
    """The server ends what takes too long."""
    query = "SELECT login, hash, mail, pg_sleep(5)::text FROM users WHERE login = :username"
    began = time.monotonic()

    with closing(Sql(database(people_postgres, query=query, timeout_s=0.3))) as upstream, pytest.raises(Unavailable):
        upstream.vouch("ann", RIGHT)

    assert time.monotonic() - began < 3


@contextmanager
def hanging(port: int) -> Iterator[int]:
    """The way to a server, where nothing comes through any more once users are asked for."""
    ended = threading.Event()

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while read := source.recv(65536):
                if b"FROM users" in read:
                    ended.wait(10)
                sink.sendall(read)

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client, socket.create_connection(("127.0.0.1", port)) as server:
                back = threading.Thread(target=carry, args=(server, client))
                back.start()
                carry(client, server)
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
                back.join()

        serving = threading.Thread(target=serve)
        serving.start()
        yield listening.getsockname()[1]
        ended.set()
        serving.join()


@pytest.mark.postgres
def test_a_server_that_hangs_is_left(postgres: Postgres, people_postgres: str) -> None:
    """Although it took the connection and the question."""
    with hanging(postgres.port) as port:
        url = people_postgres.replace(f":{postgres.port}/", f":{port}/")
        began = time.monotonic()

        with pytest.raises(Unavailable):
            Sql(database(url, timeout_s=0.3)).vouch("ann", RIGHT)

        assert time.monotonic() - began < 3


def test_sqlite_does_not_wait_for_ever(file: str) -> None:
    """Nor does a file."""
    began = time.monotonic()

    with pytest.raises(Unavailable):
        Sql(database(file, query=SLOW, timeout_s=0.3)).vouch("ann", RIGHT)

    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET hash = 'ann-right'",
        "UPDATE users SET login = ''",
        "UPDATE users SET mail = 'ann'",
        "UPDATE users SET hash = '$1$old$hash'",
    ],
)
def test_what_cannot_be_checked_is_not_wrong(file: str, tmp_path: Path, change: str) -> None:
    """A password in clear text, no name, several users of one: nobody gets in, and nobody is told that it is wrong."""
    with closing(sqlite3.connect(tmp_path / "people.sqlite3")) as connection, connection:
        connection.execute("DROP TABLE memberships")
        connection.execute("CREATE TABLE memberships (login TEXT, team TEXT)")
        connection.execute("CREATE TABLE copied AS SELECT * FROM users")
        connection.execute("DROP TABLE users")
        connection.execute("ALTER TABLE copied RENAME TO users")
        connection.execute(change)

    with pytest.raises(Untold):
        Sql(database(file)).vouch("ann@example.com" if "login" in change else "ann", RIGHT)


def test_a_column_that_is_not_there_says_nothing(file: str) -> None:
    """Nobody is told that their password is wrong, when it is the operator who mistyped."""
    with pytest.raises(Unavailable):
        Sql(database(file, password="secret")).vouch("ann", RIGHT)


def test_hashes_may_be_bytes(file: str, tmp_path: Path) -> None:
    """Some databases give them so."""
    with closing(sqlite3.connect(tmp_path / "people.sqlite3")) as connection, connection:
        connection.execute("UPDATE users SET hash = CAST(hash AS BLOB), mail = x'00ff'")

    found = Sql(database(file)).vouch("ann", RIGHT)

    assert found is not None
    assert found.attributes == {}


def test_who_has_no_password_there_has_none(file: str, tmp_path: Path) -> None:
    """As if it were wrong."""
    with closing(sqlite3.connect(tmp_path / "people.sqlite3")) as connection, connection:
        connection.execute("UPDATE users SET hash = NULL")

    assert Sql(database(file)).vouch("ann", RIGHT) is None


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ({"password": "secret"}, "no column 'secret'"),
        ({"attributes": {"email": "address"}}, "no column 'address'"),
        ({"query": "SELECT 1 FROM nowhere WHERE 1 = :username"}, "does not answer"),
        ({"groups": "SELECT 1 FROM nowhere WHERE 1 = :username"}, "does not answer"),
    ],
)
def test_what_is_wrong_is_said(file: str, further: dict[str, object], said: str) -> None:
    """So that it can be mended."""
    (fault,) = Sql(database(file, **further)).faults()

    assert said in fault
