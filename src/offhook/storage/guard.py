"""The held logouts in the database, as administration sees them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from offhook.provider.guarding import Cancellation, HeldLogout, Report
from offhook.provider.ports import Ending
from offhook.provider.subscriber import State
from offhook.storage import revisions
from offhook.storage.database import Database
from offhook.storage.tables import fleet_guard, held_logout, install, subscriber

EXAMPLES: Final = 10
_OF: Final[sa.BindParameter[str]] = sa.bindparam("of")
_WAITING: Final = held_logout.c.cloud_id == _OF
_ITS_USER: Final = (subscriber.c.cloud_id == install.c.cloud_id) & (subscriber.c.id == install.c.subscriber_id)
_REASONS: Final = (
    sa.select(held_logout.c.reason, sa.func.count())
    .where(_WAITING)
    .group_by(held_logout.c.reason)
    .order_by(sa.text("1"))
)
_EXAMPLES: Final = (
    sa.select(held_logout, subscriber.c.username)
    .select_from(
        held_logout.outerjoin(install, install.c.id == held_logout.c.install_id).outerjoin(subscriber, _ITS_USER)
    )
    .where(_WAITING)
    .order_by(held_logout.c.first_s, held_logout.c.install_id)
    .limit(EXAMPLES)
)


def _waiting_installs(reason: Ending) -> sa.Select[Any]:
    return sa.select(held_logout.c.install_id).where(_WAITING, held_logout.c.reason == reason.value)


_SUSPENDED: Final = sa.and_(
    subscriber.c.cloud_id == _OF,
    subscriber.c.state == State.SUSPENDED.value,
    subscriber.c.id.in_(
        sa.select(install.c.subscriber_id).where(
            install.c.cloud_id == _OF, install.c.id.in_(_waiting_installs(Ending.SUSPENDED))
        )
    ),
)
_REVOKED: Final = sa.and_(
    install.c.id.in_(_waiting_installs(Ending.REVOKED)),
    install.c.state == "ended",
    install.c.ended == Ending.REVOKED.value,
)
_RESUME: Final = (
    sa.update(subscriber)
    .where(_SUSPENDED)
    .values(
        state=State.ACTIVE.value,
        revision=subscriber.c.revision + 1,
        changed_s=sa.bindparam("now_s"),
        modified_s=sa.func.max(sa.bindparam("date_s"), subscriber.c.modified_s + 1),
    )
)
_REACTIVATE: Final = sa.update(install).where(_REVOKED).values(state="active", ended="", ended_s=0)
_STAYING: Final = sa.select(sa.func.count()).where(
    _WAITING, held_logout.c.reason.not_in([Ending.SUSPENDED.value, Ending.REVOKED.value])
)
_FORGET: Final = sa.delete(held_logout).where(_WAITING)
_LATEST: Final = sa.select(
    sa.select(sa.func.coalesce(sa.func.max(subscriber.c.changed_s), 0))
    .where(subscriber.c.cloud_id == _OF)
    .scalar_subquery(),
    sa.select(sa.func.coalesce(sa.func.max(install.c.ended_s), 0)).where(install.c.cloud_id == _OF).scalar_subquery(),
)
_OPEN: Final = (
    sa.update(fleet_guard)
    .where(fleet_guard.c.cloud_id == _OF)
    .values(holding=False, released_s=sa.bindparam("up_to_s"), turns=fleet_guard.c.turns + 1)
)


class GuardStore:
    """Administration's view of the guard; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reports(self, cloud_id: str | None) -> list[Report]:
        """As the port says."""
        guards = sa.select(fleet_guard).order_by(fleet_guard.c.cloud_id)
        guards = guards.where(fleet_guard.c.holding if cloud_id is None else fleet_guard.c.cloud_id == cloud_id)
        with self._database.read() as connection:
            found = [_report(connection, row) for row in connection.execute(guards).mappings().all()]
        return found or ([Report(cloud_id, holding=False, since_s=0, reasons={}, examples=())] if cloud_id else [])

    def release(self, cloud_id: str, now_s: int) -> int:
        """As the port says; what was decided by a clock that went wrong is confirmed as well."""
        of = {"of": cloud_id}
        with self._database.begin() as connection:
            up_to_s = max(now_s, *connection.execute(_LATEST, of).one())
            connection.execute(_OPEN, {**of, "up_to_s": up_to_s})
            return connection.execute(_FORGET, of).rowcount

    def release_user(self, cloud_id: str, username_key: str, now_s: int) -> int:
        """As the port says."""
        user = sa.select(subscriber.c.id).where(
            subscriber.c.cloud_id == cloud_id, subscriber.c.username_key == username_key
        )
        theirs = sa.and_(install.c.cloud_id == cloud_id, install.c.subscriber_id.in_(user))
        waiting = sa.delete(held_logout).where(held_logout.c.install_id.in_(sa.select(install.c.id).where(theirs)))
        with self._database.begin() as connection:
            up_to_s = max(now_s, *connection.execute(_LATEST, {"of": cloud_id}).one())
            connection.execute(waiting)
            return connection.execute(sa.update(install).where(theirs).values(confirmed_s=up_to_s)).rowcount

    def plan(self, cloud_id: str) -> Cancellation:
        """As the port says."""
        of = {"of": cloud_id}
        with self._database.read() as connection:
            resumed = connection.scalar(sa.select(sa.func.count()).select_from(subscriber).where(_SUSPENDED), of)
            reactivated = connection.scalar(sa.select(sa.func.count()).select_from(install).where(_REVOKED), of)
            return Cancellation(cloud_id, resumed or 0, reactivated or 0, connection.scalar(_STAYING, of) or 0)

    def cancel(self, cloud_id: str, now_s: int) -> Cancellation:
        """As the port says."""
        of = {"of": cloud_id}
        with self._database.begin() as connection:
            date_s = revisions.of_a_subscriber(connection, cloud_id, now_s)
            resumed = connection.execute(_RESUME, {**of, "now_s": now_s, "date_s": date_s}).rowcount
            reactivated = connection.execute(_REACTIVATE, of).rowcount
            staying = connection.scalar(_STAYING, of) or 0
            connection.execute(_FORGET, of)
            connection.execute(_OPEN.values(released_s=fleet_guard.c.released_s), of)
        return Cancellation(cloud_id, resumed, reactivated, staying)


def _report(connection: sa.Connection, guard: sa.RowMapping) -> Report:
    of = {"of": guard["cloud_id"]}
    examples = connection.execute(_EXAMPLES, of).mappings()
    return Report(
        cloud_id=guard["cloud_id"],
        holding=guard["holding"],
        since_s=guard["since_s"],
        reasons={Ending(reason): count for reason, count in connection.execute(_REASONS, of)},
        examples=tuple(
            HeldLogout(row["install_id"], row["username"] or "", Ending(row["reason"]), row["first_s"])
            for row in examples
        ),
    )
