"""Places where users are known: each kind of upstream with the same people, and a way to take it away."""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import bcrypt
import msgspec

from offhook.core.secret import Secret
from offhook.identity import settings
from offhook.identity.asking import Source
from offhook.identity.settings import AnyUpstream
from offhook.identity.sources import bare
from tests.real.postgres import Postgres
from tests.real.programs import free_port
from tests.real.slapd import PEOPLE, SERVICE, SERVICE_PASSWORD, Slapd

# A name, a password, a mail address, groups.
Person = tuple[str, str, str, tuple[str, ...]]
ANN: Person = ("ann", "ann-right", "ann@example.com", ("office, north", "sales"))
BEN: Person = ("ben", "ben-right", "ben@example.com", ("office, north",))
ODD: Person = ("o'dd", "p\"ä ß☎:%' OR 1=1 {}\\", "odd@example.com", ())
EVERYBODY = (ANN, BEN, ODD)


class Place(msgspec.Struct, frozen=True):
    """A source with these people, the same one where nobody is, and what it tells."""

    settings: AnyUpstream
    away: AnyUpstream
    told: list[str]

    @property
    def source(self) -> Source:
        return bare(self.settings, self.told.append)


def directory(slapd: Slapd, **further: Any) -> settings.Ldap:  # noqa: ANN401 - whatever the settings take
    """Settings for the directory of the tests."""
    given: dict[str, Any] = {
        "servers": (slapd.tls_url,),
        "ca_file": str(slapd.ca),
        "base": PEOPLE,
        "bind_name": SERVICE,
        "bind_password": Secret(SERVICE_PASSWORD),
        "found_by": ("uid", "mail"),
        "attributes": {"email": "mail"},
    }
    return settings.Ldap(**(given | further))


def ldap(slapd: Slapd) -> Place:
    nobody = directory(slapd, servers=(f"ldaps://127.0.0.1:{free_port()}",))
    return Place(directory(slapd), nobody, [])


# --- a service ---


class Service:
    """A user service on loopback; `answers` may be replaced, and `asked` is what came in."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.people = {name: (password, mail, groups) for name, password, mail, groups in EVERYBODY}
        self.answers: Callable[[BaseHTTPRequestHandler], bool] = lambda request: False
        self.url = ""

    def settings(self, **further: Any) -> settings.Http:  # noqa: ANN401 - whatever the settings take
        given: dict[str, Any] = {
            "url": f"{self.url}/check",
            "look_up_url": f"{self.url}/users/{{username}}",
            "headers": {"x-api-key": Secret("hidden-key")},
            "username": "user.name",
            "attributes": {"email": "user.mails.0"},
            "groups": "user.groups",
        }
        return settings.Http(**(given | further))

    def found(self, name: str) -> dict[str, Any]:
        _, mail, groups = self.people[name]
        return {"user": {"name": name, "mails": [mail], "groups": list(groups)}}


def _credentials(request: BaseHTTPRequestHandler, body: bytes) -> tuple[str, str]:
    if (kind := request.headers.get("authorization", "")).startswith("Basic "):
        name, _, password = base64.b64decode(kind[6:]).decode().partition(":")
        return name, password
    if request.headers.get("content-type") == "application/json":
        read = json.loads(body)
        return read["username"], read["password"]
    form = parse_qs(body.decode())
    return form["login"][0], form["secret"][0]


@contextmanager
def service() -> Iterator[Service]:
    made = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            name, password = _credentials(self, body)
            made.asked.append((self.path, name, dict(self.headers)))
            if not made.answers(self):
                name = name.partition("@")[0]
                right = name in made.people and made.people[name][0] == password
                self.say(200 if right else 401, made.found(name) if right else {})

        def do_GET(self) -> None:
            name = unquote(self.path.rpartition("/")[2])
            made.asked.append((self.path, name, dict(self.headers)))
            if not made.answers(self):
                self.say(200 if name in made.people else 404, made.found(name) if name in made.people else {})

        def say(self, status: int, content: object) -> None:
            raw = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def http(made: Service) -> Place:
    nobody = f"http://127.0.0.1:{free_port()}"
    away = made.settings(url=nobody, look_up_url=f"{nobody}/{{username}}")
    return Place(made.settings(), away, [])


def say(request: BaseHTTPRequestHandler, status: int, raw: bytes, **headers: str) -> bool:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("content-length", str(len(raw)))
    request.end_headers()
    request.wfile.write(raw)
    return True


def drip(request: BaseHTTPRequestHandler) -> bool:
    """Something all the time, and never an end."""
    request.send_response(200)
    request.send_header("content-length", "1000")
    request.end_headers()
    for _ in range(15):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.1)
    return True


# --- a database ---

TABLES = (
    "CREATE TABLE users (login TEXT PRIMARY KEY, hash TEXT, mail TEXT)",
    "CREATE TABLE memberships (login TEXT, team TEXT)",
)


def rows() -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    users = [(name, bcrypt.hashpw(pw.encode(), bcrypt.gensalt(4)).decode(), mail) for name, pw, mail, _ in EVERYBODY]
    return users, [(name, team) for name, _, _, teams in EVERYBODY for team in teams]


def database(url: str, **further: Any) -> settings.Sql:  # noqa: ANN401 - whatever the settings take
    given: dict[str, Any] = {
        "database": Secret(url),
        "query": "SELECT login, hash, mail FROM users WHERE login = :username OR mail = :username",
        "username": "login",
        "password": "hash",
        "attributes": {"email": "mail"},
        "groups": "SELECT team FROM memberships WHERE login = :username",
    }
    return settings.Sql(**(given | further))


def sqlite(folder: Path) -> Place:
    file = folder / "people.sqlite3"
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in TABLES:
            connection.execute(statement)
        users, teams = rows()
        connection.executemany("INSERT INTO users VALUES (?, ?, ?)", users)
        connection.executemany("INSERT INTO memberships VALUES (?, ?)", teams)
    return Place(database(f"sqlite:///{file}"), database(f"sqlite:///{folder / 'nothing.sqlite3'}"), [])


def fill_postgres(server: Postgres, name: str) -> str:
    url = server.create(name)
    users, teams = rows()
    quoted = [", ".join("'" + text.replace("'", "''") + "'" for text in row) for row in users]
    others = [f"INSERT INTO memberships VALUES ('{login}', '{team}')" for login, team in teams]
    server.run(name, *TABLES, *(f"INSERT INTO users VALUES ({row})" for row in quoted), *others)
    return url


def postgres(server: Postgres, url: str) -> Place:
    nobody = url.replace(f":{server.port}/", f":{free_port()}/")
    return Place(database(url), database(nobody), [])
