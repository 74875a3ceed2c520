"""Invitations in the database, and what their phones tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from offhook.core.errors import NotFound
from offhook.provider.invitation import REPEAT_S, Invitation
from offhook.provider.subscriber import username_key
from offhook.storage.database import Database
from offhook.storage.rows import ReadRow
from offhook.storage.tables import install
from offhook.storage.tables import invitation as table

PAGE: Final = 500
# Who comes with one that is older is told that the password is wrong.
KEPT_S: Final = 400 * 86400
# Whoever has no device id is known by where they come from, which no install keeps.
NAMELESS: Final = "@"
_DERIVED: Final = ("activated_s", "seen_s", "has_ended")
_TEXTS: Final = msgspec.json.Decoder(dict[str, str])


def _of_its_phones(value: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    """Something of the installs that the device which used it was given."""
    return (
        sa.select(value)
        .where(
            table.c.used_s > 0,
            install.c.cloud_id == table.c.cloud_id,
            install.c.subscriber_id == table.c.subscriber_id,
            (install.c.device == table.c.used_by) | ((install.c.device == "") & table.c.used_by.startswith(NAMELESS)),
            install.c.created_s >= table.c.used_s,
        )
        .correlate(table)
        .scalar_subquery()
    )


_ACTIVATED: Final = _of_its_phones(sa.func.coalesce(sa.func.min(install.c.created_s), 0))
_FIND: Final = sa.select(
    table,
    _ACTIVATED.label("activated_s"),
    _of_its_phones(sa.func.coalesce(sa.func.max(install.c.seen_s), 0)).label("seen_s"),
    _of_its_phones(sa.func.coalesce(sa.func.max(sa.case((install.c.state == "ended", 1), else_=0)), 0)).label(
        "has_ended"
    ),
)
_OPEN: Final = sa.and_(table.c.revoked_s == 0, table.c.replaced_s == 0)
_NO_MAIL: Final[Mapping[str, Any]] = {"sealed": "", "next_s": 0, "runner": "", "leased_s": 0}


class InvitationStore:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, invitations: Sequence[Invitation]) -> Sequence[Invitation]:
        """As the port says."""
        kept = []
        with self._database.begin() as connection:
            for cloud_id, now_s in {(one.cloud_id, one.created_s) for one in invitations}:
                long_over = sa.and_(table.c.cloud_id == cloud_id, table.c.expires_s < now_s - KEPT_S)
                connection.execute(sa.delete(table).where(long_over))
            for one in invitations:
                theirs = _of_user(one.cloud_id, username_key(one.username))
                newest = connection.scalar(sa.select(sa.func.max(table.c.version)).where(theirs))
                still_open = sa.and_(theirs, _OPEN, _ACTIVATED == 0)
                connection.execute(sa.update(table).where(still_open).values(replaced_s=one.created_s, **_NO_MAIL))
                new = msgspec.structs.replace(one, version=(newest or 0) + 1)
                connection.execute(sa.insert(table).values(_write(new)))
                kept.append(new)
        return kept

    def find(self, token_hash: bytes) -> Invitation | None:
        """As the port says."""
        return self._one(table.c.token_hash == token_hash)

    def claim(self, invitation_id: str, device: str, subscriber_id: int, now_s: int) -> bool:
        """As the port says."""
        lately = table.c.used_s > now_s - REPEAT_S
        own = (table.c.used_s > 0) & (table.c.used_by == device)
        is_open = sa.and_(
            *(table.c.id == invitation_id, _OPEN, _ACTIVATED == 0),
            (table.c.used_s == 0) | own | ~lately,
            (table.c.expires_s > now_s) | (own & lately),
        )
        # Whoever comes with it has it: a mail that was not sent yet need not be.
        used = {"used_by": device, "used_s": now_s, "subscriber_id": subscriber_id, **_NO_MAIL}
        with self._database.begin() as connection:
            return connection.execute(sa.update(table).where(is_open).values(used)).rowcount > 0

    def belongs(self, invitation_id: str, subscriber_id: int) -> None:
        """As the port says."""
        nobodys = sa.and_(table.c.id == invitation_id, table.c.subscriber_id == 0)
        with self._database.begin() as connection:
            connection.execute(sa.update(table).where(nobodys).values(subscriber_id=subscriber_id))

    def newest(self, cloud_id: str, username_key: str) -> Invitation | None:
        """As the port says."""
        return self.newest_of(cloud_id, [username_key]).get(username_key)

    def newest_of(self, cloud_id: str, keys: Sequence[str]) -> Mapping[str, Invitation]:
        """As the port says."""
        wanted = _FIND.where(table.c.cloud_id == cloud_id, table.c.username_key.in_(keys)).order_by(table.c.version)
        with self._database.read() as connection:
            return {row["username_key"]: _read(row) for row in connection.execute(wanted).mappings()}

    def all_of(self, cloud_id: str) -> Iterator[Invitation]:
        """As the port says."""
        wanted = _FIND.where(table.c.cloud_id == cloud_id)
        wanted = wanted.order_by(table.c.created_s.desc(), table.c.id.desc()).limit(PAGE)
        page = wanted
        while True:
            with self._database.read() as connection:
                rows = connection.execute(page).mappings().all()
            yield from map(_read, rows)
            if len(rows) < PAGE:
                return
            last = sa.tuple_(sa.literal(rows[-1]["created_s"]), sa.literal(rows[-1]["id"]))
            page = wanted.where(sa.tuple_(table.c.created_s, table.c.id) < last)

    def get(self, invitation_id: str) -> Invitation:
        """As the port says."""
        found = self._one(table.c.id == invitation_id)
        if found is None:
            raise NotFound(f"There is no invitation {invitation_id[:80]}.")
        return found

    def revoke(self, invitation_id: str, now_s: int) -> bool:
        """As the port says."""
        still_open = sa.and_(table.c.id == invitation_id, _OPEN, table.c.expires_s > now_s, _ACTIVATED == 0)
        with self._database.begin() as connection:
            changed = connection.execute(sa.update(table).where(still_open).values(revoked_s=now_s, **_NO_MAIL))
            return changed.rowcount > 0

    def due(self, now_s: int, most: int) -> Sequence[str]:
        """As the port says."""
        wanted = sa.select(table.c.id).where(_to_mail(now_s)).order_by(table.c.next_s).limit(most)
        with self._database.read() as connection:
            return list(connection.scalars(wanted))

    def lease(self, invitation_id: str, runner: str, now_s: int, until_s: int) -> Invitation | None:
        """As the port says."""
        mine = sa.and_(table.c.id == invitation_id, _to_mail(now_s))
        with self._database.begin() as connection:
            took = sa.update(table).where(mine).values(runner=runner, leased_s=until_s, tries=table.c.tries + 1)
            if not connection.execute(took).rowcount:
                return None
            return _read(connection.execute(_FIND.where(table.c.id == invitation_id)).mappings().one())

    def mailed(self, invitation_id: str, runner: str, now_s: int) -> None:
        """As the port says."""
        self._done(invitation_id, runner, {"mailed_s": now_s, "error": "", **_NO_MAIL})

    def not_mailed(self, invitation_id: str, runner: str, error: str, next_s: int) -> None:
        """As the port says."""
        later = {"next_s": next_s, "runner": "", "leased_s": 0} if next_s else _NO_MAIL
        self._done(invitation_id, runner, {"error": error, **later})

    def _done(self, invitation_id: str, runner: str, values: Mapping[str, Any]) -> None:
        mine = sa.and_(table.c.id == invitation_id, table.c.runner == runner)
        with self._database.begin() as connection:
            connection.execute(sa.update(table).where(mine).values(values))

    def _one(self, which: sa.ColumnElement[bool]) -> Invitation | None:
        with self._database.read() as connection:
            row = connection.execute(_FIND.where(which)).mappings().first()
        return None if row is None else _read(row)


def end(connection: sa.Connection, cloud_id: str, username_key: str, subscriber_id: int) -> None:
    """Within the removal of a user: their invitations make nobody anew, are not mailed, and say no more of them."""
    said = {"address": "", "attributes": "{}", "error": "", **_NO_MAIL}
    known = sa.case((table.c.subscriber_id == 0, subscriber_id), else_=table.c.subscriber_id)
    connection.execute(sa.update(table).where(_of_user(cloud_id, username_key)).values(subscriber_id=known, **said))


def _of_user(cloud_id: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.cloud_id == cloud_id, table.c.username_key == key)


def _to_mail(now_s: int) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.sealed != "", table.c.next_s <= now_s, table.c.leased_s <= now_s, _OPEN)


def _write(one: Invitation) -> dict[str, Any]:
    row = msgspec.structs.asdict(one)
    for name in _DERIVED:
        del row[name]
    attributes = msgspec.json.encode(one.attributes).decode()
    return row | {"username_key": username_key(one.username), "attributes": attributes, "runner": "", "leased_s": 0}


def _read(row: ReadRow) -> Invitation:
    fields = {name: row[name] for name in Invitation.__struct_fields__}
    attributes, has_ended = _TEXTS.decode(row["attributes"]), bool(row["has_ended"])
    return Invitation(**fields | {"attributes": attributes, "has_ended": has_ended})
