"""Everything in the database that is sealed: which keys it needs, and how it is sealed anew with the current one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import msgspec
import sqlalchemy as sa

from offhook.provider.invitations import sealed_place
from offhook.provider.reports import push_place
from offhook.provider.sealing import SIGN_IN_PASSWORD, Sealer, key_number, place_of, place_of_override
from offhook.provider.sipregister import place_of_line
from offhook.provider.subscriber import Override, Sealed, read_password, write_password
from offhook.storage.database import Database
from offhook.storage.tables import install, invitation, sip_account, subscriber

PAGE: Final = 200
# A sealed text and its place, to the text that is to stand there.
Exchange: TypeAlias = Callable[[str, str], str]
_OVERRIDES: Final = msgspec.json.Decoder(dict[str, Override])
_TEXTS: Final = msgspec.json.Decoder(dict[str, str])


class SealedTexts:
    """The sealed texts of all tables; whoever adds a sealed column adds it here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keys(self) -> Counter[int]:
        """How many texts are sealed with which key."""
        found: Counter[int] = Counter()

        def note(sealed: str, place: str) -> str:
            assert place, "every text is sealed for one"
            found[key_number(sealed)] += 1
            return sealed

        for table in _TABLES:
            for row in self._rows(table):
                _TABLES[table](row, note)
        return found

    def reseal(self, sealer: Sealer) -> int:
        """Seal all anew that is not sealed with the current key; returns how many rows. It can be done while serving.

        What somebody changes meanwhile is left as they leave it. Raises Unavailable when one cannot be opened.
        """

        def anew(sealed: str, place: str) -> str:
            return sealed if sealer.is_current(sealed) else sealer.seal(sealer.open(sealed, place).reveal(), place)

        count = 0
        for table in _TABLES:
            for row in self._rows(table):
                new = {name: text for name, text in _TABLES[table](row, anew).items() if text != row[name]}
                if new:
                    count += self._exchange(table, row, new)
        return count

    def _rows(self, table: sa.Table) -> Iterator[sa.RowMapping]:
        after: Any = None
        while True:
            wanted = sa.select(table).order_by(table.c.id).limit(PAGE)
            with self._database.read() as connection:
                page = connection.execute(wanted if after is None else wanted.where(table.c.id > after))
                rows = page.mappings().all()
            yield from rows
            if len(rows) < PAGE:
                return
            after = rows[-1]["id"]

    def _exchange(self, table: sa.Table, row: sa.RowMapping, new: dict[str, str]) -> int:
        as_read = [table.c[name] == row[name] for name in new]
        with self._database.begin() as connection:
            return connection.execute(sa.update(table).where(table.c.id == row["id"], *as_read).values(new)).rowcount


def _subscriber(row: sa.RowMapping, exchange: Exchange) -> dict[str, str]:
    cloud_id, key = row["cloud_id"], row["username_key"]
    password = read_password(row["password"])
    if isinstance(password, Sealed):
        password = Sealed(exchange(password.text, place_of(cloud_id, key, SIGN_IN_PASSWORD)))
    secrets = {
        name: exchange(text, place_of(cloud_id, key, name)) for name, text in _TEXTS.decode(row["secrets"]).items()
    }
    overrides = {
        name: msgspec.structs.replace(one, value=exchange(one.value, place_of_override(cloud_id, key, name)))
        if one.sealed
        else one
        for name, one in _OVERRIDES.decode(row["overrides"]).items()
    }
    return {"password": write_password(password), "secrets": _json(secrets), "overrides": _json(overrides)}


def _install(row: sa.RowMapping, exchange: Exchange) -> dict[str, str]:
    sealed = row["push_token"]
    return {"push_token": exchange(sealed, push_place(row["id"])) if sealed else ""}


def _sip_account(row: sa.RowMapping, exchange: Exchange) -> dict[str, str]:
    names = ("password", "former", "coming")
    return {name: exchange(row[name], place_of_line(row["id"])) if row[name] else "" for name in names}


def _invitation(row: sa.RowMapping, exchange: Exchange) -> dict[str, str]:
    return {"sealed": exchange(row["sealed"], sealed_place(row["id"])) if row["sealed"] else ""}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


_TABLES: Final[dict[sa.Table, Callable[[sa.RowMapping, Exchange], dict[str, str]]]] = {
    subscriber: _subscriber,
    install: _install,
    sip_account: _sip_account,
    invitation: _invitation,
}
