"""The register of SIP accounts in the database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import Conflict, NotFound
from offhook.provider.sipaccounts import Address
from offhook.provider.siplines import LEASE_S, REFUSED_S
from offhook.provider.sipregister import Claimed, Entry, Line, Rotating, Wanted, aliases_of
from offhook.provider.subscriber import State, Subscriber
from offhook.provider.tenant import PerWhom, Sip
from offhook.provider.validators import COMPOSER_VERSION
from offhook.storage import decisions, revisions, sipwishes, standing
from offhook.storage.database import Database
from offhook.storage.rows import read_subscriber, read_tenant
from offhook.storage.tables import install, subscriber, tenant
from offhook.storage.tables import sip_account as table

# A removed account stays on record for so long: what was asked with which key can be looked up.
KEPT_S: Final = 30 * 86400
# So many things that come due by time are done at once, of each kind; the rest follows in the next round.
AT_ONCE: Final = 200
_NOW: Final[sa.BindParameter[int]] = sa.bindparam("now_s", type_=sa.Integer)
_KNOWN: Final = table.c.id == sa.bindparam("known")
_OWNER: Final = sa.and_(
    table.c.cloud_id == sa.bindparam("of"),
    table.c.subscriber_id == sa.bindparam("user"),
    table.c.install_id == sa.bindparam("phone"),
)
# What is further ahead than anybody sets it was set by a clock that has been put right since then.
_FREE: Final = (table.c.runner == "") | (table.c.leased_s <= _NOW) | (table.c.leased_s > _NOW + 2 * LEASE_S)
_TIME_HAS_COME: Final = (table.c.next_s <= _NOW) | (table.c.next_s > _NOW + 2 * REFUSED_S)
_TO_DO: Final = (table.c.done < table.c.version) & _FREE & _TIME_HAS_COME
_MINE: Final = _KNOWN & (table.c.runner == sa.bindparam("by"))
_RELEASED: Final[dict[str, Any]] = {"runner": "", "leased_s": 0}
_WISH: Final[dict[str, Any]] = {"version": sipwishes.NEXT, "next_s": _NOW, "tries": 0, "error": ""}
# Phones that may still register with the password of before: what they said they had is older than the new one.
_BEHIND: Final = sa.exists().where(
    install.c.cloud_id == table.c.cloud_id,
    install.c.subscriber_id == table.c.subscriber_id,
    (table.c.install_id == "") | (install.c.id == table.c.install_id),
    install.c.state == "active",
    install.c.held_s < table.c.rotated_s + COMPOSER_VERSION,
)
_OVERLAP_ENDS: Final = (table.c.former != "") & ((table.c.former_until_s <= _NOW) | ~_BEHIND)
# Accounts that are over, and those that a clock running ahead has found over.
_WITH_DATES: Final = (
    sa.select(subscriber.c.cloud_id)
    .where(
        sa.exists().where(table.c.cloud_id == subscriber.c.cloud_id, table.c.subscriber_id == subscriber.c.id),
        ((subscriber.c.expires_s <= _NOW) & (subscriber.c.expired_by == 0))
        | ((subscriber.c.expires_s > _NOW) & (subscriber.c.expired_by != 0)),
    )
    .distinct()
)
_GONE: Final = (table.c.done == table.c.version) & (table.c.wanted == Wanted.REMOVED.value)
_AT_REST: Final = (table.c.done == table.c.version) & (table.c.wanted == Wanted.ACTIVE.value)


class SipRegister:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask_for(self, entry: Entry) -> Entry | None:
        """As the port says."""
        with self._database.begin() as connection:
            address = (table.c.domain == entry.address.domain) & (table.c.username == entry.address.username)
            connection.execute(sa.delete(table).where(table.c.system == entry.system, address, _GONE))
            if not _taken(connection, entry, [entry.address.username]):
                connection.execute(insert(table).on_conflict_do_nothing(), _row(entry))
            owner = {"of": entry.cloud_id, "user": entry.subscriber_id, "phone": entry.install_id}
            place = (table.c.system == entry.system) & (table.c.domain == entry.address.domain)
            again = sa.update(table).where(_OWNER, place, table.c.wanted != Wanted.ACTIVE.value)
            connection.execute(again.values(wanted=Wanted.ACTIVE.value, **_WISH), {**owner, "now_s": entry.created_s})
            found = connection.execute(sa.select(table).where(_OWNER, place), owner).mappings().first()
        return None if found is None else _entry(found)

    def get(self, account_id: str) -> Entry:
        """As the port says."""
        found = self._one(sa.select(table).where(table.c.id == account_id))
        if found is None:
            raise NotFound(f"There is no SIP account {account_id[:80]} in the register.")
        return found

    def of_owner(self, cloud_id: str, subscriber_id: int, install_id: str) -> Entry | None:
        """As the port says."""
        owner = {"of": cloud_id, "user": subscriber_id, "phone": install_id}
        return self._one(sa.select(table).where(_OWNER, table.c.leaving_s == 0), owner)

    def of_user(self, cloud_id: str, subscriber_id: int) -> list[Entry]:
        """As the port says."""
        theirs = (table.c.cloud_id == cloud_id) & (table.c.subscriber_id == subscriber_id)
        return self._many(sa.select(table).where(theirs).order_by(table.c.created_s, table.c.id))

    def of_users(self, cloud_id: str, subscriber_ids: Sequence[int]) -> list[Entry]:
        """As the port says."""
        theirs = (table.c.cloud_id == cloud_id) & table.c.subscriber_id.in_(subscriber_ids)
        return self._many(sa.select(table).where(theirs))

    def of_install(self, cloud_id: str, install_id: str) -> list[Entry]:
        """As the port says."""
        phone = (install.c.cloud_id == cloud_id) & (install.c.id == install_id)
        user = sa.select(install.c.subscriber_id).where(phone).scalar_subquery()
        theirs = (table.c.cloud_id == cloud_id) & (table.c.subscriber_id == user) & (table.c.install_id == install_id)
        return self._many(sa.select(table).where(theirs))

    def by_address(self, system: str, address: Address) -> Entry | None:
        """As the port says."""
        where = (table.c.system == system) & (table.c.domain == address.domain)
        return self._one(sa.select(table).where(where, table.c.username == address.username))

    def ringing(self, system: str, alias: Address) -> list[Address]:
        """As the port says."""
        where = (table.c.system == system) & (table.c.domain == alias.domain)
        has_it = sa.exists().where(sa.func.json_each(table.c.aliases).table_valued("value").c.value == alias.username)
        wanted = sa.select(table).where(where, table.c.wanted == Wanted.ACTIVE.value, has_it)
        return [entry.address for entry in self._many(wanted.order_by(table.c.username))]

    def claim(self, account_id: str, runner: str, now_s: int, until_s: int) -> Claimed | None:
        """As the port says; whoever would not get it does not wait for the lock of writers."""
        with self._database.read() as connection:
            free = sa.select(table.c.id).where(_KNOWN, _TO_DO)
            if connection.scalar(free, {"known": account_id, "now_s": now_s}) is None:
                return None
        with self._database.begin() as connection:
            taking = sa.update(table).where(_KNOWN, _TO_DO)
            taken = connection.execute(
                taking.values(runner=runner, leased_s=until_s), {"known": account_id, "now_s": now_s}
            )
            if not taken.rowcount:
                return None
            row = connection.execute(
                sa.select(table, _OVERLAP_ENDS.label("ends")).where(_KNOWN), {"known": account_id, "now_s": now_s}
            )
            found = row.mappings().one()
            return _claimed(connection, _entry(found), is_held=bool(found["ends"]))

    def name(self, entry: Entry, runner: str) -> tuple[str, ...]:
        """As the port says; those of before are kept as well until the SIP system was told."""
        with self._database.begin() as connection:
            taken = _taken(connection, entry, entry.aliases)
            free = tuple(alias for alias in entry.aliases if alias not in taken)
            before = connection.scalar(sa.select(table.c.aliases).where(_KNOWN), {"known": entry.id}) or "[]"
            both = dict.fromkeys((*free, *msgspec.json.decode(before, type=list[str])))
            _keep(connection, entry, runner, {"aliases": _json(tuple(both))})
        return free

    def nameless(self) -> list[tuple[Entry, str, Address]]:
        """As the port says."""
        found: list[tuple[Entry, str, Address]] = []
        user = (subscriber.c.cloud_id == table.c.cloud_id) & (subscriber.c.id == table.c.subscriber_id)
        with self._database.read() as connection:
            for one in map(read_tenant, connection.scalars(sa.select(tenant.c.settings)).all()):
                if one.sip is None:
                    continue
                theirs = sa.select(table).where(table.c.cloud_id == one.cloud_id, table.c.leaving_s == 0, _AT_REST)
                users = sa.select(subscriber).where(subscriber.c.cloud_id == one.cloud_id)
                users = users.where(sa.exists().where(user))
                known = {row["id"]: read_subscriber(row) for row in connection.execute(users).mappings()}
                for entry in map(_entry, connection.execute(theirs).mappings().all()):
                    if entry.subscriber_id in known:
                        wanted = aliases_of(one.sip, known[entry.subscriber_id], entry.address)
                        taken = _taken(connection, entry, [name for name in wanted if name not in entry.aliases])
                        found += [(entry, name, owner) for name, owner in taken.items()]
        return found

    def prepare(self, entry: Entry, runner: str) -> None:
        """As the port says."""
        self._keep(entry, runner, {"coming": entry.coming})

    def finish(self, entry: Entry, runner: str, *, dated: bool, now_s: int) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            date_s = _dated(connection, entry, now_s) if dated else None
            new = {
                "done": entry.version,
                "aliases": _json(entry.aliases),
                "display_name": entry.display_name,
                "password": entry.password,
                "former": entry.former,
                "coming": entry.coming,
                # What was asked for meanwhile is still to be done.
                "rotating": sa.case((table.c.rotating == entry.rotating.value, ""), else_=table.c.rotating),
                "forgets": entry.forgets,
                "rotated_s": entry.rotated_s if date_s is None else date_s,
                "former_until_s": entry.former_until_s,
                "rotate_s": entry.rotate_s,
                "tries": 0,
                "error": "",
                **_RELEASED,
            }
            _keep(connection, entry, runner, new)

    def postpone(self, entry: Entry, runner: str, now_s: int) -> None:
        """As the port says."""
        new = {"tries": entry.tries, "error": entry.error, "next_s": entry.next_s, **_RELEASED}
        with self._database.begin() as connection:
            mine = connection.execute(sa.update(table).where(_MINE).values(new), {"known": entry.id, "by": runner})
            if not mine.rowcount:
                connection.execute(sa.update(table).where(_KNOWN).values(_WISH), {"known": entry.id, "now_s": now_s})

    def want(self, account_id: str, wanted: Wanted, now_s: int) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            other = sa.update(table).where(_KNOWN, table.c.wanted != wanted.value)
            connection.execute(other.values(wanted=wanted.value, **_WISH), {"known": account_id, "now_s": now_s})

    def again(self, account_id: str, now_s: int) -> None:
        """As the port says."""
        with self._database.begin() as connection:
            connection.execute(sa.update(table).where(_KNOWN).values(_WISH), {"known": account_id, "now_s": now_s})

    def rotate(self, account_ids: Sequence[str], how: Rotating, now_s: int) -> int:
        """As the port says."""
        with self._database.begin() as connection:
            return sum(_rotate(connection, account_id, how, now_s) for account_id in account_ids)

    def spread(self, cloud_id: str, within_s: int, now_s: int) -> int:
        """As the port says."""
        lot = sa.func.abs(sa.func.random()) % max(within_s, 1)
        theirs = (table.c.cloud_id == cloud_id) & (table.c.leaving_s == 0) & (table.c.wanted == Wanted.ACTIVE.value)
        with self._database.begin() as connection:
            spread = sa.update(table).where(theirs, table.c.forgets == 0).values(rotate_s=now_s + lot)
            return connection.execute(spread).rowcount

    def due(self, now_s: int, most: int, without: Collection[str] = ()) -> list[str]:
        """As the port says."""
        stays = table.c.wanted == Wanted.ACTIVE.value
        in_turn = sa.func.row_number().over(partition_by=[table.c.system, stays], order_by=table.c.next_s)
        chosen = sa.select(table.c.id).where(_TO_DO, table.c.system.not_in(list(without)))
        wanted = chosen.order_by(stays, in_turn, table.c.next_s).limit(most)
        with self._database.read() as connection:
            return list(connection.scalars(wanted, {"now_s": now_s}))

    def settle(self, now_s: int) -> None:
        """As the port says; who looks keeps nobody from writing, and mostly there is nothing to write."""
        now = {"now_s": now_s}
        with self._database.read() as connection:
            if connection.scalar(sa.select(table.c.id).limit(1)) is None:
                return
            with_dates = connection.scalars(_WITH_DATES, now).all()
            unsettled = sipwishes.unsettled(decisions.by(connection), now_s)
            chores = [(which, connection.scalars(_chosen(which), now).all()) for which in _IN_TIME]
        if not (with_dates or unsettled or any(found for _, found in chores)):
            return
        with self._database.begin() as connection:
            execute = decisions.by(connection)
            for cloud_id in with_dates:
                standing.forget_early(execute, cloud_id, now_s)
                standing.come_due(execute, cloud_id, now_s)
            for cloud_id, subscriber_id in unsettled:
                sipwishes.of_user(execute, cloud_id, subscriber_id, now_s)
            for which, found in chores:
                for account_id in found:
                    connection.execute(_IN_TIME[which], {"known": account_id, **now})

    def missing(self, now_s: int, most: int) -> list[tuple[Sip, Subscriber, str]]:
        """As the port says."""
        found: list[tuple[Sip, Subscriber, str]] = []
        with self._database.read() as connection:
            for one in map(read_tenant, connection.scalars(sa.select(tenant.c.settings)).all()):
                if one.sip is not None and len(found) < most:
                    wanted = _lacking(one.cloud_id, one.sip, now_s).limit(most - len(found))
                    rows = connection.execute(wanted).mappings()
                    found += [(one.sip, read_subscriber(row), row["phone"]) for row in rows]
        return found

    def all(self) -> list[Entry]:
        """As the port says."""
        return self._many(sa.select(table).order_by(table.c.cloud_id, table.c.subscriber_id, table.c.install_id))

    def _one(self, wanted: sa.Select[Any], parameters: dict[str, Any] | None = None) -> Entry | None:
        with self._database.read() as connection:
            found = connection.execute(wanted, parameters or {}).mappings().first()
        return None if found is None else _entry(found)

    def _many(self, wanted: sa.Select[Any]) -> list[Entry]:
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(wanted).mappings()]

    def _keep(self, entry: Entry, runner: str, new: dict[str, Any]) -> None:
        with self._database.begin() as connection:
            _keep(connection, entry, runner, new)


def _chosen(which: str) -> sa.Select[tuple[str]]:
    return sa.select(table.c.id).where(_WHEN[which]).limit(AT_ONCE)


_KEPT_UNTIL: Final = _NOW - KEPT_S
_NOT_ROTATING: Final = (table.c.former == "") & (table.c.rotating == "") & (table.c.coming == "")
# What time alone brings about: when, and what is done then.
_WHEN: Final[dict[str, sa.ColumnElement[bool]]] = {
    "overlap is over": _AT_REST & _OVERLAP_ENDS,
    "password is had": _AT_REST & (table.c.forgets != 0) & (table.c.password != "") & (table.c.former == "") & ~_BEHIND,
    "rotation is due": _AT_REST & _NOT_ROTATING & (table.c.rotate_s > 0) & (table.c.rotate_s <= _NOW),
    "removed for long": _GONE & (table.c.next_s < _KEPT_UNTIL),
}
_IN_TIME: Final[dict[str, sa.Update | sa.Delete]] = {
    "overlap is over": sa.update(table).where(_KNOWN, _WHEN["overlap is over"]).values(_WISH),
    "password is had": sa.update(table).where(_KNOWN, _WHEN["password is had"]).values(password=""),
    "rotation is due": sa.update(table)
    .where(_KNOWN, _WHEN["rotation is due"])
    .values(rotating=Rotating.OVERLAP.value, **_WISH),
    "removed for long": sa.delete(table).where(_KNOWN, _WHEN["removed for long"]),
}


def confirm(execute: decisions.Execute, line: Line) -> bool:
    """An install is issued with an account, within a transaction.

    False when that is not wanted any more, or has another password by now than the one that the install is told.
    """
    return bool(execute(_CONFIRM, {"known": line.account_id, "told": line.sealed}))


_CONFIRM: Final = (
    "UPDATE sip_account SET confirmed = 1, "
    "password = CASE WHEN forgets AND install_id <> '' THEN '' ELSE password END "
    "WHERE id = :known AND wanted = 'active' AND rotated_s > 0 AND password = :told RETURNING id"
)


def change_place(connection: sa.Connection, cloud_id: str, before: Sip | None, after: Sip | None, now_s: int) -> int:
    """Accounts that are elsewhere than the settings say now leave after the overlap; returns how many.

    Those that have to rotate otherwise than before are spread over the whole period, so that not all phones of a Cloud
    ID get a new password at once. Within a transaction.
    """
    every_s = 0 if after is None else after.rotate_every_s
    spread = sa.update(table).where(table.c.cloud_id == cloud_id, table.c.leaving_s == 0)
    if not every_s:
        connection.execute(spread.where(table.c.rotate_s > 0).values(rotate_s=0))
    else:
        lot = sa.func.abs(sa.func.random()) % every_s
        wrong = (table.c.rotate_s == 0) | (table.c.rotate_s > now_s + every_s)
        connection.execute(spread.where(wrong).values(rotate_s=now_s + lot))
    if before is None or (after is not None and after.place == before.place):
        return 0
    return connection.execute(spread.values(leaving_s=now_s + before.overlap_s, rotate_s=0)).rowcount


def alive(connection: sa.Connection, cloud_id: str) -> int:
    """How many accounts of a Cloud ID are not removed yet, within a transaction."""
    theirs = sa.select(sa.func.count()).select_from(table).where(table.c.cloud_id == cloud_id, table.c.leaving_s == 0)
    return connection.scalar(theirs.where(~_GONE)) or 0


def _taken(connection: sa.Connection, entry: Entry, names: Sequence[str]) -> dict[str, Address]:
    """Those of these names that are somebody else's, with the account that has them."""
    if not names:
        return {}
    place = (table.c.system == entry.system) & (table.c.domain == entry.address.domain) & ~_GONE
    others = (table.c.cloud_id != entry.cloud_id) | (table.c.subscriber_id != entry.subscriber_id)
    # Names have no letter that JSON would write otherwise.
    called = [sa.func.instr(table.c.aliases, f'"{name}"') > 0 for name in names]
    has_one = table.c.username.in_(names) | sa.or_(*called)
    found = connection.execute(sa.select(table).where(place, others, has_one).order_by(table.c.created_s, table.c.id))
    taken: dict[str, Address] = {}
    for other in map(_entry, found.mappings()):
        for name in names:
            if name == other.address.username or name in other.aliases:
                taken.setdefault(name, other.address)
    return taken


def _rotate(connection: sa.Connection, account_id: str, how: Rotating, now_s: int) -> int:
    """One that is being rotated can only be rotated at once: what phones have would be good no more otherwise."""
    where = _KNOWN & (table.c.wanted == Wanted.ACTIVE.value)
    if how is Rotating.OVERLAP:
        where &= _NOT_ROTATING
    asked = connection.execute(
        sa.update(table).where(where).values(rotating=how.value, **_WISH), {"known": account_id, "now_s": now_s}
    )
    return asked.rowcount


def _dated(connection: sa.Connection, entry: Entry, now_s: int) -> int:
    """Make the answers of the account's user newer, and return the date from which on they have the new password."""
    of = (subscriber.c.cloud_id == entry.cloud_id) & (subscriber.c.id == entry.subscriber_id)
    known = connection.scalar(sa.select(subscriber.c.modified_s).where(of)) or 0
    date_s = max(revisions.of_a_subscriber(connection, entry.cloud_id, now_s), known + 1)
    connection.execute(sa.update(subscriber).where(of).values(modified_s=date_s))
    return date_s


def _keep(connection: sa.Connection, entry: Entry, runner: str, new: dict[str, Any]) -> None:
    if not connection.execute(sa.update(table).where(_MINE).values(new), {"known": entry.id, "by": runner}).rowcount:
        raise Conflict(f"Somebody else is at the SIP account {entry.id} now.")


def _claimed(connection: sa.Connection, entry: Entry, *, is_held: bool) -> Claimed:
    settings = connection.scalar(sa.select(tenant.c.settings).where(tenant.c.cloud_id == entry.cloud_id))
    user = (subscriber.c.cloud_id == entry.cloud_id) & (subscriber.c.id == entry.subscriber_id)
    row = connection.execute(sa.select(subscriber).where(user)).mappings().first()
    assert settings is not None, "no tenant is ever removed"
    return Claimed(entry, read_tenant(settings), None if row is None else read_subscriber(row), is_held)


def _lacking(cloud_id: str, sip: Sip, now_s: int) -> sa.Select[Any]:
    """Users, or active installs of users, who may use the service and have no account in the system."""
    of = (subscriber.c.cloud_id == cloud_id) & (subscriber.c.state == State.ACTIVE.value)
    of &= subscriber.c.expires_s.is_(None) | (subscriber.c.expires_s > now_s)
    there = (table.c.cloud_id == cloud_id) & (table.c.subscriber_id == subscriber.c.id) & (table.c.leaving_s == 0)
    if sip.accounts is PerWhom.USER:
        without = ~sa.exists().where(there, table.c.install_id == "")
        return sa.select(subscriber, sa.literal("").label("phone")).where(of, without).order_by(subscriber.c.id)
    phone = (install.c.cloud_id == cloud_id) & (install.c.subscriber_id == subscriber.c.id)
    without = ~sa.exists().where(there, table.c.install_id == install.c.id)
    joined = sa.select(subscriber, install.c.id.label("phone")).select_from(subscriber.join(install, phone))
    return joined.where(of, install.c.state == "active", without).order_by(subscriber.c.id, install.c.id)


def _row(entry: Entry) -> dict[str, Any]:
    row = msgspec.structs.asdict(entry)
    del row["address"]
    names = {"username": entry.address.username, "domain": entry.address.domain, "aliases": _json(entry.aliases)}
    return {**row, **names, "rotating": entry.rotating.value, "wanted": entry.wanted.value, "runner": "", "leased_s": 0}


def _entry(row: sa.RowMapping) -> Entry:
    names = set(Entry.__struct_fields__) - {"address", "aliases", "rotating", "wanted"}
    return Entry(
        **{name: row[name] for name in names},
        address=Address(row["username"], row["domain"]),
        aliases=tuple(msgspec.json.decode(row["aliases"], type=list[str])),
        rotating=Rotating(row["rotating"]),
        wanted=Wanted(row["wanted"]),
    )


def _json(aliases: Sequence[str]) -> str:
    return msgspec.json.encode(list(aliases)).decode()
