"""Asterisk: accounts are rows of its PJSIP realtime tables, as its Alembic migrations make them, read per request.

Endpoint, AOR and first auth bear the user part as their id. During an overlap the endpoint names a second auth, for the
password of before. A disabled account has no endpoint, since one without an auth would be open to everybody; its auth
is kept, with a hash that nothing fits, so that it is known. `offhook_aliases` is ours, and read by the dial plan.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import sqlalchemy as sa

from offhook.core.errors import NotFound, Refused, Unavailable
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, KeptAccount, SipAccount
from offhook.sip.database import Store, put
from offhook.sip.settings import Asterisk as Settings

ALIASES: Final = "offhook_aliases"
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "ps_endpoints": ("id", "aors", "auth", "context", "disallow", "allow", "callerid"),
    "ps_auths": ("id", "auth_type", "md5_cred", "password", "realm", "username"),
    "ps_aors": ("id", "max_contacts", "remove_existing"),
    "ps_contacts": ("id", "expiration_time"),
    ALIASES: ("alias", "domain", "endpoint"),
}
# A comma would part names in a list, a semicolon is rewritten in realtime, and a slash or an @ parts what is dialled.
_USERNAME: Final = re.compile(r"[A-Za-z0-9._+=~*!-]{1,255}")
# What no user part has, so that no user's first auth is another's second.
_FORMER: Final = "#2"
_DISABLED: Final = "disabled"
# How Asterisk writes the semicolon between an AOR and the rest of a contact's id.
_PARTED: Final = "^3B"
# A display name is the user's own, and a dial plan may expand what looks like its variables.
_CALLERID: Final = re.compile(r'["<>\r\n;,\\${}]')
MAX_CALLERID: Final = 40
# Of more than these, all contacts are read.
_FEW: Final = 50
_USUAL_AOR: Final = {"max_contacts": "10", "remove_existing": "no"}


def now_s() -> float:
    """The time of this machine."""
    return time.time()


class Asterisk:
    """The realtime database of one Asterisk, or of several that share it."""

    def __init__(self, settings: Settings, clock_s: Callable[[], float] = now_s) -> None:
        self._settings, self._clock_s = settings, clock_s
        self._store = Store(settings.database)
        self._read: Mapping[str, sa.Table] = {}

    def ensure(self, account: SipAccount, key: str) -> None:
        """One transaction: after a crash all of it is there, or nothing; asked again, it writes the same once more."""
        self._put(account, must_be_there=False)

    def rotate(self, account: SipAccount, key: str) -> None:
        """As `ensure`. Contacts are not touched."""
        self._put(account, must_be_there=True)

    def disable(self, address: Address, key: str) -> None:
        """One transaction, contacts included; what Asterisk let in just before may write its contact afterwards.

        That contact belongs to no endpoint: it rings nowhere, and Asterisk drops it when it expires.
        """
        with self._store.begin() as connection:
            if self._owner(connection, address) is None:
                return
            auths = self._tables(connection)["ps_auths"]
            self._delete_all(connection, address, keep_auth=True)
            locked = _DISABLED + secrets.token_hex(12)
            connection.execute(
                auths.update()
                .where(auths.c.id == address.username, auths.c.md5_cred.not_like(f"{_DISABLED}%"))
                .values(md5_cred=locked)
            )

    def remove(self, address: Address, key: str) -> None:
        """One transaction, contacts and aliases included."""
        with self._store.begin() as connection:
            if self._owner(connection, address) is None:
                return
            aliases = self._tables(connection)[ALIASES]
            self._delete_all(connection, address, keep_auth=False)
            connection.execute(aliases.delete().where(aliases.c.endpoint == address.username))

    def look_up(self, address: Address) -> KeptAccount | None:
        """What the tables say; without its endpoint an account is disabled."""
        with self._store.read() as connection:
            if self._owner(connection, address) is None:
                return None
            tables = self._tables(connection)
            endpoints, auths, aliases = (tables[name] for name in ("ps_endpoints", "ps_auths", ALIASES))
            named = connection.execute(sa.select(endpoints.c.auth).where(endpoints.c.id == address.username)).scalar()
            ids = [] if named is None else named.split(",")
            rows = connection.execute(sa.select(auths.c.id, auths.c.md5_cred).where(auths.c.id.in_(ids)))
            hashes = {row.id: row.md5_cred for row in rows}
            ring = connection.execute(sa.select(aliases.c.alias).where(aliases.c.endpoint == address.username))
            also = tuple(sorted(set(ring.scalars())))
        ha1s = tuple(Secret(hashes[one]) for one in ids if one in hashes)
        return KeptAccount(address, enabled=bool(ha1s), ha1s=ha1s, aliases=also)

    def registered(self, addresses: Collection[Address]) -> Mapping[Address, bool]:
        """Who has a contact that has not expired."""
        with self._store.read() as connection:
            contacts = self._tables(connection)["ps_contacts"]
            chosen = sa.select(contacts.c.id, contacts.c.expiration_time)
            if len(addresses) <= _FEW:
                chosen = chosen.where(sa.or_(sa.false(), *(_contacts_of(contacts, address) for address in addresses)))
            rows = connection.execute(chosen)
            ends = [(str(row.id).partition(_PARTED)[0].partition(";")[0], row.expiration_time) for row in rows]
        there = {aor for aor, until in ends if str(until).isdecimal() and int(until) > self._clock_s()}
        return {address: address.username in there for address in addresses}

    def faults(self) -> tuple[str, ...]:
        """What is wrong with how it is set up, each with how to mend it; none when it can be used."""
        set_too = {"ps_endpoints": self._settings.endpoint, "ps_aors": self._settings.aor}
        found = []
        try:
            there = self._store.tables()
            for table, needed in _NEEDED.items():
                if table not in there:
                    found.append(f"The table {table} is missing: make it as the guide says.")
                elif missing := {*needed, *set_too.get(table, ())} - self._store.columns(table):
                    found.append(f"The table {table} lacks {', '.join(sorted(missing))}.")
        except Unavailable as error:
            found.append(error.text)
        return tuple(found)

    def close(self) -> None:
        """Let go of its connections."""
        self._store.close()

    def _tables(self, connection: sa.Connection) -> Mapping[str, sa.Table]:
        """As they are there: versions of Asterisk differ in their columns, and in the values a column takes."""
        if not self._read:
            metadata = sa.MetaData()
            try:
                self._read = {name: sa.Table(name, metadata, autoload_with=connection) for name in _NEEDED}
            except sa.exc.NoSuchTableError as error:
                raise Unavailable(f"The database of Asterisk has no table {error}.") from None
        return self._read

    def _owner(self, connection: sa.Connection, address: Address) -> str | None:
        """The domain of the account that has this user part; None when there is none.

        Raises Refused when it is another's: Asterisk knows an endpoint by its user part alone.
        """
        auths = self._tables(connection)["ps_auths"]
        realm = connection.execute(sa.select(auths.c.realm).where(auths.c.id == address.username)).scalar()
        if realm is not None and realm != address.domain:
            raise Refused(f"Asterisk has a {address.username} of another SIP domain already: user parts must differ.")
        return None if realm is None else str(realm)

    def _put(self, account: SipAccount, *, must_be_there: bool) -> None:
        address = account.address
        name = address.username
        _check(address)
        with self._store.begin() as connection:
            if self._owner(connection, address) is None and must_be_there:
                raise NotFound(f"Asterisk has no account {address}.")
            tables = self._tables(connection)
            former = tables["ps_auths"].c.id == name + _FORMER
            connection.execute(tables["ps_auths"].delete().where(former))
            ids = [name + mark for mark in ("", _FORMER)][: len(account.ha1s())]
            for one, ha1 in zip(ids, account.ha1s(), strict=True):
                put(connection, tables["ps_auths"], {"id": one}, _auth(address, ha1))
            aor = _typed(tables["ps_aors"], _USUAL_AOR | dict(self._settings.aor))
            put(connection, tables["ps_aors"], {"id": name}, aor)
            put(connection, tables["ps_endpoints"], {"id": name}, self._endpoint(tables, account, ids))
            aliases = tables[ALIASES]
            connection.execute(aliases.delete().where(aliases.c.endpoint == name))
            for alias in sorted(set(account.aliases) - {name}):
                row = {"alias": alias, "domain": address.domain, "endpoint": name}
                connection.execute(aliases.insert().values(row))

    def _endpoint(self, tables: Mapping[str, sa.Table], account: SipAccount, ids: list[str]) -> dict[str, Any]:
        name = account.address.username
        shown = " ".join(_CALLERID.sub(" ", account.display_name).split())
        callerid = f'"{shown}" <{name}>'
        usual = {"context": self._settings.context, "disallow": "all", "allow": self._settings.allow}
        ours = {
            "aors": name,
            "auth": ",".join(ids),
            "callerid": callerid if shown and len(callerid) <= MAX_CALLERID else None,
        }
        return _typed(tables["ps_endpoints"], usual | dict(self._settings.endpoint)) | ours

    def _delete_all(self, connection: sa.Connection, address: Address, *, keep_auth: bool) -> None:
        tables = self._tables(connection)
        name = address.username
        contacts = tables["ps_contacts"]
        auths = [name + _FORMER] if keep_auth else [name, name + _FORMER]
        connection.execute(tables["ps_endpoints"].delete().where(tables["ps_endpoints"].c.id == name))
        connection.execute(tables["ps_aors"].delete().where(tables["ps_aors"].c.id == name))
        connection.execute(tables["ps_auths"].delete().where(tables["ps_auths"].c.id.in_(auths)))
        connection.execute(contacts.delete().where(_contacts_of(contacts, address)))


def _contacts_of(contacts: sa.Table, address: Address) -> sa.ColumnElement[bool]:
    starts = (f"{address.username}{mark}@" for mark in (_PARTED, ";"))
    # Not LIKE, which takes capitals for small letters in SQLite.
    return sa.or_(*(sa.func.substr(contacts.c.id, 1, len(start)) == start for start in starts))


def _auth(address: Address, ha1: Secret) -> dict[str, Any]:
    return {
        "auth_type": "md5",
        "username": address.username,
        "realm": address.domain,
        "md5_cred": ha1.reveal(),
        "password": None,
    }


def _typed(table: sa.Table, texts: Mapping[str, str]) -> dict[str, Any]:
    """The file of connections has texts; some columns are numbers."""
    typed: dict[str, Any] = {}
    for name, text in texts.items():
        if name not in table.c:
            raise Unavailable(f"The table {table.name} of Asterisk has no column {name}.")
        typed[name] = int(text) if isinstance(table.c[name].type, sa.Integer) and text.isdecimal() else text
    return typed


def _check(address: Address) -> None:
    if not _USERNAME.fullmatch(address.username):
        raise Refused(
            f"Asterisk cannot have {address.username[:64]!r} as an endpoint: it takes A-Z a-z 0-9 . _ + = ~ * ! -"
        )
