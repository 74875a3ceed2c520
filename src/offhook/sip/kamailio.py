"""Kamailio: accounts are rows of its database, which auth_db and alias_db read per request; registrations are its own.

Two tables have HA1s: `subscriber`, and `subscriber_former` for the password of before a rotation, which the route asks
second. The column of clear passwords stays empty. A disabled account keeps its row, with hashes that nothing fits.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

import sqlalchemy as sa

from offhook.core.errors import NotFound, Refused, Unavailable
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, KeptAccount, SipAccount
from offhook.sip.database import Store, put
from offhook.sip.jsonrpc import Control, Failed
from offhook.sip.settings import Kamailio as Settings

MAX_NAME: Final = 64
# In the place of a hash: it is of the same length, no digest is it, and nobody can guess the rest of it.
_DISABLED: Final = "disabled"
_NO_SUCH_AOR: Final = "AOR not found"
_NOT_FOUND: Final = 404
_MOST_AT_ONCE: Final = 500
# How long Kamailio may take from letting a phone in to writing that down, and how often it is looked for.
_LET_IN_S: Final = 0.05
_REMOVALS: Final = 3

_metadata = sa.MetaData()


def _credentials(name: str) -> sa.Table:
    columns = (sa.Column(column, sa.String) for column in ("username", "domain", "password", "ha1", "ha1b"))
    return sa.Table(name, _metadata, *columns)


_subscriber: Final = _credentials("subscriber")
_former: Final = _credentials("subscriber_former")
_aliases: Final = sa.Table(
    "dbaliases",
    _metadata,
    *(sa.Column(column, sa.String) for column in ("alias_username", "alias_domain", "username", "domain")),
)
_location: Final = sa.Table("location", _metadata, sa.Column("username", sa.String), sa.Column("domain", sa.String))


class Kamailio:
    """One Kamailio, or several that share a database; `control` is the one whose registrations are removed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings.database)
        self._control = Control(settings.control, settings.timeout_s)

    def ensure(self, account: SipAccount, key: str) -> None:
        """One transaction: after a crash all of it is there, or nothing; asked again, it writes the same once more."""
        self._put(account, must_be_there=False)

    def rotate(self, account: SipAccount, key: str) -> None:
        """As `ensure`. Registrations are not touched: what is registered stays so until it refreshes."""
        self._put(account, must_be_there=True)

    def disable(self, address: Address, key: str) -> None:
        """First no password fits any more, then what is registered is removed.

        After a crash between both, nobody can register, and what is registered is still called until this is asked
        again. What Kamailio had let in just before is looked for once more, since it is written after it was checked.
        """
        locked = {"password": "", "ha1": _unfitting(), "ha1b": _unfitting()}
        of_address = _subscriber.c.username == address.username, _subscriber.c.domain == address.domain
        with self._store.begin() as connection:
            connection.execute(
                _subscriber.update().where(*of_address, _subscriber.c.ha1.not_like(f"{_DISABLED}%")).values(locked)
            )
            connection.execute(_former.delete().where(*_of(_former, address)))
        self._unregister(address)

    def remove(self, address: Address, key: str) -> None:
        """As `disable`, with its rows and aliases gone in one transaction."""
        with self._store.begin() as connection:
            for table in (_aliases, _former, _subscriber):
                connection.execute(table.delete().where(*_of(table, address)))
        self._unregister(address)

    def look_up(self, address: Address) -> KeptAccount | None:
        """What the tables say."""
        with self._store.read() as connection:
            rows = [
                connection.execute(sa.select(table.c.ha1).where(*_of(table, address))).scalar_one_or_none()
                for table in (_subscriber, _former)
            ]
            aliases = _aliases_of(connection, address)
        newest, former = rows
        if newest is None:
            return None
        if newest.startswith(_DISABLED):
            return KeptAccount(address, enabled=False, ha1s=(), aliases=aliases)
        ha1s = (newest,) if former is None else (newest, former)
        return KeptAccount(address, enabled=True, ha1s=tuple(map(Secret, ha1s)), aliases=aliases)

    def registered(self, addresses: Collection[Address]) -> Mapping[Address, bool]:
        """As its table of registrations says, or itself, as the settings want it; it knows of every address."""
        if self._settings.registrations == "control":
            return {address: self._is_registered(address) for address in addresses}
        found: set[tuple[str, str]] = set()
        ordered = list(addresses)
        for start in range(0, len(ordered), _MOST_AT_ONCE):
            some = [_aor(address) for address in ordered[start : start + _MOST_AT_ONCE]]
            columns = sa.tuple_(_location.c.username, _location.c.domain)
            with self._store.read() as connection:
                rows = connection.execute(sa.select(_location).where(columns.in_(some)))
                found.update((row.username, row.domain) for row in rows)
        return {address: _aor(address) in found for address in addresses}

    def faults(self) -> tuple[str, ...]:
        """What is wrong with how it is set up, each with how to mend it; none when it can be used."""
        found: list[str] = []
        for look in (self._faults_of_tables, self._faults_of_control):
            try:
                found.extend(look())
            except Unavailable as error:
                found.append(error.text)
        return tuple(found)

    def close(self) -> None:
        """Let go of its connections."""
        self._store.close()

    def _faults_of_tables(self) -> list[str]:
        tables = [_subscriber, _former, _aliases]
        if self._settings.registrations == "table":
            tables.append(_location)
        there = self._store.tables()
        found = []
        for table in tables:
            if table.name not in there:
                found.append(f"The table {table.name} is missing: make it as the guide says.")
            elif missing := {column.name for column in table.c} - self._store.columns(table.name):
                found.append(f"The table {table.name} lacks {', '.join(sorted(missing))}.")
        return found

    def _faults_of_control(self) -> list[str]:
        try:
            self._is_registered(Address("offhook-asks", "invalid"))
        except Unavailable as error:
            return [f"{error.text} Load jsonrpcs and usrloc, and let this user write to the socket."]
        if self._settings.registrations == "control" or _location.name not in self._store.tables():
            return []
        said = self._ask("stats.fetch", "usrloc.registered_users")
        in_memory = said.get("usrloc.registered_users", "0") if isinstance(said, dict) else "0"
        with self._store.read() as connection:
            in_table = connection.execute(sa.select(_location.c.username).limit(1)).first()
        if in_table is None and str(in_memory) != "0":
            return ["Phones are registered, and the table location knows of none: set db_mode of usrloc to 1."]
        return []

    def _put(self, account: SipAccount, *, must_be_there: bool) -> None:
        address = account.address
        _check(address, *account.aliases)
        key = {"username": address.username, "domain": address.domain}
        with self._store.begin() as connection:
            there = sa.select(_subscriber.c.username).where(*_of(_subscriber, address))
            if must_be_there and connection.execute(there).first() is None:
                raise NotFound(f"Kamailio has no account {address}.")
            put(connection, _subscriber, key, _hashes(address, account.password))
            if account.former is None:
                connection.execute(_former.delete().where(*_of(_former, address)))
            else:
                put(connection, _former, key, _hashes(address, account.former))
            _put_aliases(connection, account)

    def _unregister(self, address: Address) -> None:
        """Until it stays away: a registration that was let in before is written down at any moment now."""
        is_there = self._is_registered(address)
        for _ in range(_REMOVALS):
            if is_there:
                self._ask("ul.rm", "location", "@".join(_aor(address)))
            time.sleep(_LET_IN_S)
            is_there = self._is_registered(address)
            if not is_there:
                return
        raise Unavailable("Kamailio removes a registration, and has it again.")

    def _is_registered(self, address: Address) -> bool:
        return self._ask("ul.lookup", "location", "@".join(_aor(address))) is not None

    def _ask(self, method: str, *params: str) -> Any:  # noqa: ANN401 - each method has a result of its own
        """The result; None where there is no such address of record."""
        try:
            return self._control.ask(method, *params)
        except Failed as error:
            # Its code for this is 500, as for everything else.
            if error.code == _NOT_FOUND or error.text.startswith(_NO_SUCH_AOR):
                return None
            raise Unavailable(f"Kamailio answers {method} with {error.code}: is usrloc loaded?") from None


def _of(table: sa.Table, address: Address) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return table.c.username == address.username, table.c.domain == address.domain


def _aor(address: Address) -> tuple[str, str]:
    """Its table of registrations does not tell capitals from small letters, and keeps the small ones."""
    return address.username.lower(), address.domain.lower()


def _hashes(address: Address, password: Secret) -> dict[str, Any]:
    """Both that auth_db may ask for; the second is for phones that say the domain as part of their name.

    None of them may ever be empty: auth_db would compare the response with what its buffer held before.
    """
    with_domain = Address(str(address), address.domain)
    ha1, ha1b = (named.ha1(password).reveal() for named in (address, with_domain))
    return {"password": "", "ha1": ha1, "ha1b": ha1b}


def _unfitting() -> str:
    return _DISABLED + secrets.token_hex(12)


def _aliases_of(connection: sa.Connection, address: Address) -> tuple[str, ...]:
    chosen = sa.select(_aliases.c.alias_username).where(
        *_of(_aliases, address), _aliases.c.alias_domain == address.domain
    )
    return tuple(sorted(set(connection.execute(chosen).scalars())))


def _put_aliases(connection: sa.Connection, account: SipAccount) -> None:
    """Only where they differ: a table that nothing changed in is not written."""
    address = account.address
    wanted = sorted(set(account.aliases) - {address.username})
    if _aliases_of(connection, address) == tuple(wanted):
        return
    connection.execute(_aliases.delete().where(*_of(_aliases, address)))
    key = {"username": address.username, "domain": address.domain, "alias_domain": address.domain}
    for alias in wanted:
        connection.execute(_aliases.insert().values(key | {"alias_username": alias}))


def _check(address: Address, *aliases: str) -> None:
    """SQLite takes any length, and a name that Kamailio cut off would be another's."""
    for name in (address.username, address.domain, *aliases):
        if not 0 < len(name.encode()) <= MAX_NAME:
            raise Refused(f"Kamailio takes names of 1 to {MAX_NAME} bytes; {name[:MAX_NAME]!r} is none.")
