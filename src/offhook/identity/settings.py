"""What the operator says of each upstream: a kind for each source of users, read from the file of connections."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

import sqlalchemy as sa

from offhook.core import address
from offhook.core.secret import Discreet, Secret

NOBODY: Final = Secret("")
_ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9;-]{0,99}|[0-9]+(?:\.[0-9]+)+")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_DRIVERS: Final = frozenset({"sqlite", "sqlite+pysqlite", "postgresql+psycopg"})
_READS: Final = re.compile(r"[\s(]*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)
# As Active Directory names its rule for "in a group that is in a group ...".
IN_CHAIN: Final = "(member:1.2.840.113556.1.4.1941:={dn})"


class Common(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every kind has: an end in time, how many may ask at once, how long a wrong password is remembered.

    After `wrong_most` wrong passwords for one user none is asked about for `wrong_rest_s`: fewer than lock them out.
    `attributes` says which of theirs becomes which of ours; of the groups, those whose names fit a pattern are kept.
    """

    attributes: Mapping[str, str] = {}
    groups_like: tuple[str, ...] = ("*",)
    timeout_s: float = 5.0
    at_once: int = 8
    wrong_s: int = 30
    wrong_most: int = 4
    wrong_rest_s: int = 1800

    def _refuse(self, *faults: str) -> None:
        """All of them together, as the reader of the file reports them."""
        common = (
            "" if 0.1 <= self.timeout_s <= 30 else "timeout_s must be from 0.1 to 30 seconds",
            "" if 1 <= self.at_once <= 64 else "at_once must be from 1 to 64",
            "" if 0 <= self.wrong_s <= 600 else "wrong_s must be from 0 to 600 seconds",
            "" if 0 <= self.wrong_most <= 100 else "wrong_most must be from 0 to 100",
            "" if 1 <= self.wrong_rest_s <= 86400 else "wrong_rest_s must be from 1 to 86400 seconds",
        )
        if found := "; ".join(filter(None, (*faults, *common))):
            raise ValueError(found)


class Ldap(Common, frozen=True, kw_only=True, tag_field="kind", tag="ldap", forbid_unknown_fields=True):
    """A directory: its servers, where its users are, by which attributes they are found, and which names them here.

    The user is searched for by the service's own name and then bound as; with `direct`, bound as at once.
    """

    servers: tuple[str, ...]
    base: str
    bind_name: str = ""
    bind_password: Secret = NOBODY
    direct: str = ""
    username: str = "uid"
    found_by: tuple[str, ...] = ()
    only: str = "(objectClass=person)"
    prefix: str = ""
    member_of: str = "memberOf"
    group_search: str = ""
    group_base: str = ""
    group_name: str = "cn"
    nested: bool = False
    start_tls: bool = True
    ca_file: str = ""

    def __post_init__(self) -> None:
        named = (self.username, *self.found_by, *self.attributes.values(), self.group_name)
        odd = next((name for name in named if not _ATTRIBUTE.fullmatch(name)), None)
        self._refuse(
            "" if self.servers else 'servers must name one at least, such as "ldaps://ldap.example.com"',
            *(_server_fault(url, start_tls=self.start_tls) for url in self.servers),
            "" if self.base else 'base must say where users are, such as "ou=people,dc=example,dc=com"',
            "" if odd is None else f"{odd[:40]!r} is no name of an attribute",
            "" if not self.bind_name or self.bind_password else "bind_password must be there where bind_name is",
            "" if not self.direct or "{username}" in self.direct else "direct must say where {username} stands in it",
            _filter_fault("only", self.only),
            "" if not self.group_search else _filter_fault("group_search", self.group_search),
            "nested needs no group_search: leave it out" if self.nested and self.group_search else "",
        )

    def __str__(self) -> str:
        return ", ".join(self.servers)


class Http(Common, frozen=True, kw_only=True, tag_field="kind", tag="http", forbid_unknown_fields=True):
    """A service of the operator's that is asked over HTTP, and answers with a status, and JSON.

    Paths such as "user.mail" or "users.0.mail" say where in the answer something is.
    """

    url: str
    send: Literal["json", "form", "basic"] = "json"
    fields: Mapping[str, str] = {}
    headers: Mapping[str, Secret] = {}
    look_up_url: str = ""
    yes: tuple[int, ...] = (200,)
    no: tuple[int, ...] = (401, 404)
    refused: tuple[int, ...] = (403,)
    verdict: str = ""
    message: str = "message"
    username: str = ""
    groups: str = ""
    ca_file: str = ""

    def __post_init__(self) -> None:
        sent = "".join(self.sent.values())
        twice = [code for code in self.yes if code in (*self.no, *self.refused)]
        twice += [code for code in self.no if code in self.refused]
        self._refuse(
            _url_fault("url", self.url),
            "" if "{" not in self.url else "url must not hold anything of the user: names and passwords go into logs",
            _url_fault("look_up_url", self.look_up_url) if self.look_up_url else "",
            "look_up_url must hold {username}" if self.look_up_url and "{username}" not in self.look_up_url else "",
            "fields must hold {username} and {password}"
            if self.send != "basic" and not ("{username}" in sent and "{password}" in sent)
            else "",
            *(f"headers: {name[:40]!r} is no name of one" for name in self.headers if not _HEADER.fullmatch(name)),
            f"{twice[0]} cannot mean two things" if twice else "",
            "yes must name one status at least" if not self.yes else "",
        )

    @property
    def sent(self) -> Mapping[str, str]:
        """The fields, or the usual two."""
        return self.fields or {"username": "{username}", "password": "{password}"}

    def __str__(self) -> str:
        return address.shown(self.url)


class Sql(Common, frozen=True, kw_only=True, tag_field="kind", tag="sql", forbid_unknown_fields=True):
    """A database, and the query that finds a user by `:username`: with the hash of the password in one of its columns.

    With `:password` in it, it is the database that checks it, and a row is a yes.
    """

    database: Secret
    query: str
    password: str = "password"
    username: str = "username"
    look_up: str = ""
    groups: str = ""

    def __post_init__(self) -> None:
        self._refuse(
            _database_fault(self.database),
            _query_fault("query", self.query, {"username"}, {"password"}),
            _query_fault("look_up", self.look_up, {"username"}, ()) if self.look_up else "",
            _query_fault("groups", self.groups, {"username"}, ()) if self.groups else "",
        )

    @property
    def checks_itself(self) -> bool:
        """Whether the database checks the password."""
        return "password" in _parameters(self.query)

    def __str__(self) -> str:
        url = sa.engine.make_url(self.database.reveal())
        return f"{url.get_backend_name()} {url.host or ''} {url.database}".replace("  ", " ")


AnyUpstream: TypeAlias = Ldap | Http | Sql


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(url: str) -> tuple[SplitResult, str | None]:
    """The parts of an address, and its host; None for one that is no address."""
    try:
        read = urlsplit(url)
        host, _ = read.hostname, read.port
    except ValueError:
        return urlsplit(""), None
    return read, host


def _server_fault(url: str, *, start_tls: bool) -> str:
    read, host = _read(url)
    if host is None or read.scheme not in {"ldap", "ldaps"} or read.path.strip("/") or read.query or read.username:
        return f'servers: {url.rpartition("@")[2][:80]!r} is no address such as "ldaps://ldap.example.com" or "ldap://ldap.example.com:389"'
    if read.scheme == "ldap" and not start_tls and not is_loopback(host):
        return f"servers: passwords would be readable on the way to {host}: let start_tls be true, or take ldaps://"
    return ""


def _filter_fault(name: str, text: str) -> str:
    balanced = text.startswith("(") and text.endswith(")") and text.count("(") == text.count(")")
    return "" if balanced else f'{name} must be a filter in parentheses, such as "(objectClass=person)"'


def _url_fault(name: str, url: str) -> str:
    read, host = _read(url)
    if host is None or read.scheme not in {"http", "https"}:
        return f"{name} must begin with https:// and name a host"
    if read.username or read.password:
        return f"{name} must not hold a password: put it into headers"
    if read.scheme == "http" and not is_loopback(host):
        return f"{name}: passwords would be readable on the way to {host}: take https://"
    return ""


def _database_fault(url: Secret) -> str:
    try:
        read = sa.engine.make_url(url.reveal())
    except (sa.exc.ArgumentError, ValueError):
        return 'database is no address such as "postgresql+psycopg://user:password@host/name" or "sqlite:////path"'
    if read.drivername not in _DRIVERS:
        return "database must begin with postgresql+psycopg:// or sqlite://"
    return "" if read.database and read.database != ":memory:" else "database names no database behind its last slash"


def _query_fault(name: str, query: str, needed: Collection[str], allowed: Collection[str]) -> str:
    found = _parameters(query)
    if missing := set(needed) - found:
        return f"{name} must hold :{missing.pop()}, without quotes around it"
    if odd := found - set(needed) - set(allowed):
        return f"{name}: nobody knows what :{min(odd)} is to be"
    return "" if _READS.match(query) else f"{name} must begin with SELECT"


def _parameters(query: str) -> set[str]:
    return set(sa.text(query).compile().params)
