"""Kamailio of the tests' own, with the configuration of the guide; as fixtures `kamailio` and `kamailio_postgres`."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
import trustme

from tests.real.postgres import Postgres
from tests.real.programs import free_port_of_both, module, program, running

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "kamailio"
SCHEMAS = Path("/usr/share/kamailio")
TABLES = ("standard", "auth_db", "alias_db", "usrloc")
PACKAGES = "kamailio kamailio-sqlite-modules kamailio-postgres-modules kamailio-tls-modules"
DOMAIN = "sip.example.com"


class Kamailio(msgspec.Struct, frozen=True):
    """A Kamailio that answers. It takes any SIP domain; `ca` is the certificate that vouches for its TLS (127.0.0.1).

    `database_url` is what SQLAlchemy takes; `control` is `unix:` and the path of its JSON-RPC socket.
    """

    host: str
    udp_port: int
    tcp_port: int
    tls_port: int
    database_url: str
    control: str
    ca: Path
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "kamailio.log"

    def answers(self) -> bool:
        """It answers OPTIONS over UDP."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind((self.host, 0))
            asking.settimeout(0.2)
            port = asking.getsockname()[1]
            lines = (
                f"OPTIONS sip:{self.host}:{self.udp_port} SIP/2.0",
                f"Via: SIP/2.0/UDP {self.host}:{port};branch=z9hG4bKready;rport",
                "Max-Forwards: 5",
                f"From: <sip:ready@{self.host}>;tag=ready",
                f"To: <sip:{self.host}:{self.udp_port}>",
                f"Call-ID: ready-{port}",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
                "\r\n",
            )
            try:
                asking.sendto("\r\n".join(lines).encode(), (self.host, self.udp_port))
                return asking.recv(4096).startswith(b"SIP/2.0 200")
            except OSError:
                return False


def prepare_sqlite(path: Path) -> str:
    """Make the tables of Kamailio in a new file; returns the URL for SQLAlchemy."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        for script in _scripts("db_sqlite"):
            connection.executescript(script)
    return f"sqlite:///{path}"


def prepare_postgres(server: Postgres, database: str) -> str:
    """Make the tables of Kamailio in a new database; returns the URL for SQLAlchemy."""
    url = server.create(database)
    server.run(database, *_scripts("postgres"))
    return url


def _scripts(engine: str) -> list[str]:
    scripts = [(SCHEMAS / engine / f"{table}-create.sql").read_text() for table in TABLES]
    return [*scripts, (GUIDE / "subscriber_former.sql").read_text()]


@contextmanager
def started(folder: Path, database_url: str, control: str = "", *defines: str) -> Iterator[Kamailio]:
    """A Kamailio with its tables in that database; its sockets and log are in the folder. Ends with the block.

    `control` is where its JSON-RPC is to be, as the module takes it.
    """
    path = program("kamailio", PACKAGES)
    _modules("db_sqlite.so" if database_url.startswith("sqlite") else "db_postgres.so", "tls.so")
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1", "localhost", DOMAIN)
    ca.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "certificate.pem", append=bool(number))
    plain, tls = free_port_of_both(), free_port_of_both()
    control = control or str(folder / "rpc.sock")
    address = f"unix:{control}" if control.startswith("/") else control
    found = Kamailio("127.0.0.1", plain, plain, tls, database_url, address, ca=folder / "ca.pem", folder=folder)
    command = _command(path, found, control)
    with running([*command, *(piece for name in defines for piece in ("-A", name))], found.log, found.answers):
        yield found


def _modules(*names: str) -> None:
    for name in names:
        module(f"kamailio/modules/{name}", PACKAGES, "usr/lib/*", "usr/lib*", "usr/local/lib*")


def _command(path: str, wanted: Kamailio, control: str) -> list[str]:
    """The program with the guide's file; what is particular to this machine comes as defines."""
    scheme, _, rest = wanted.database_url.partition("://")
    sqlite = scheme.startswith("sqlite")
    texts = {
        "DBMODULE": "db_sqlite.so" if sqlite else "db_postgres.so",
        "DBURL": f"sqlite://{rest}" if sqlite else f"postgres://{rest}",
        "CONTROL": control,
        "TLS_CERTIFICATE": str(wanted.folder / "certificate.pem"),
        "TLS_KEY": str(wanted.folder / "key.pem"),
    }
    defines = [piece for name, text in texts.items() for piece in ("-A", f'{name}="{text}"')]
    listen = [f"udp:{wanted.host}:{wanted.udp_port}", f"tcp:{wanted.host}:{wanted.tcp_port}"]
    addresses = [piece for one in (*listen, f"tls:{wanted.host}:{wanted.tls_port}") for piece in ("-l", one)]
    sizes = ["-m", "32", "-M", "8", "-n", "2", "-N", "2"]
    return [path, "-DD", "-E", "-f", str(GUIDE / "kamailio.cfg"), "-A", "WITH_TLS", *defines, *addresses, *sizes]


@pytest.fixture(scope="session")
def kamailio() -> Iterator[Kamailio]:
    """One with SQLite, for all tests of this process: let each use users of its own."""
    program("kamailio", PACKAGES)
    _modules("db_sqlite.so")
    folder = Path(tempfile.mkdtemp(prefix="offhook-kamailio-"))
    try:
        with started(folder, prepare_sqlite(folder / "kamailio.sqlite3")) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kamailio_postgres(postgres: Postgres) -> Iterator[Kamailio]:
    """One with PostgreSQL, for all tests of this process: let each use users of its own."""
    program("kamailio", PACKAGES)
    _modules("db_postgres.so")
    folder = Path(tempfile.mkdtemp(prefix="offhook-kamailio-"))
    try:
        with started(folder, prepare_postgres(postgres, "kamailio")) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)
