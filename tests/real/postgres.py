"""A PostgreSQL server of the tests' own, on loopback; as fixture `postgres`."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import psycopg
import pytest

from tests.real.programs import free_port, program, running

USER = "offhook"
PASSWORD = "pg-secret-7Qk2"


class Postgres(msgspec.Struct, frozen=True):
    """A server that listens; `folder` holds its log."""

    host: str
    port: int
    folder: Path

    def url(self, database: str, scheme: str = "postgresql+psycopg") -> str:
        """The address of a database, as SQLAlchemy names it; with the scheme `postgres`, as Kamailio does."""
        return f"{scheme}://{USER}:{PASSWORD}@{self.host}:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database, and return its URL."""
        self.run("postgres", f'CREATE DATABASE "{database}"')
        return self.url(database)

    def run(self, database: str, *statements: str) -> None:
        """Carry out SQL, each on its own."""
        with psycopg.connect(self.url(database, "postgresql"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def hang_up(self, database: str) -> None:
        """End everybody's connections with a database."""
        self.run(
            "postgres",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{database}' AND pid <> pg_backend_pid()",
        )

    def answers(self) -> bool:
        try:
            self.run("postgres", "SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _unprivileged(folder: Path) -> Sequence[str]:
    """PostgreSQL does not run as root: then somebody else owns the folder, and runs it."""
    if os.geteuid() != 0:
        return ()
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return (program("setpriv", "util-linux"), f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")


def _folders() -> tuple[str, ...]:
    """Debian keeps the server's programs out of the path, each version in its folder."""
    return tuple(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of this process; each makes its own database."""
    initdb = program("initdb", "postgresql", *_folders())
    server = program("postgres", "postgresql", *_folders())
    folder = Path(tempfile.mkdtemp(prefix="offhook-pg-"))
    try:
        as_user = _unprivileged(folder)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        cluster = folder / "cluster"
        made = [initdb, "-D", str(cluster), "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [*as_user, *made, "--auth=scram-sha-256", f"--pwfile={secret}"],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        found = Postgres("127.0.0.1", free_port(), folder)
        settings = {
            "listen_addresses": found.host,
            "port": found.port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "max_connections": 200,
            "shared_buffers": "32MB",
        }
        options = [piece for name, value in settings.items() for piece in ("-c", f"{name}={value}")]
        command = [server, "-D", str(cluster), *options]
        with running(command, folder / "log", found.answers, as_user=as_user) as started:
            yield found
            # Fast shutdown: it does not wait for clients that are still connected.
            started.send_signal(2)
            started.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
