"""Decisions that log users out, as administration sees them: shown, released, or undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import NotFound
from offhook.policy.fleetguard import Stage
from offhook.provider.guarding import Cancellation, Decision, Report
from offhook.provider.ports import Ending
from offhook.provider.subscriber import State
from offhook.storage import decisions, revisions
from offhook.storage.database import Database
from offhook.storage.decisions import Deciding
from offhook.storage.tables import decision, departure, install, subscriber

SHOWN: Final = 20
EXAMPLES: Final = 5
_OF: Final[sa.BindParameter[str]] = sa.bindparam("of")
_HELD: Final = (decision.c.cloud_id == _OF) & (decision.c.stage == Stage.HELD.value)
_JUDGED: Final = (decision.c.cloud_id == _OF) & decision.c.stage.in_([Stage.HELD.value, Stage.COUNTED.value])
_NOS: Final = sa.select(decision.c.no).where(_HELD)
_NO: Final[sa.BindParameter[int]] = sa.bindparam("chosen")
_THE_ONE: Final = (_NO == 0) | (decision.c.no == _NO)
_GONE: Final = (
    sa.select(sa.func.count())
    .where(departure.c.cloud_id == decision.c.cloud_id, departure.c.decision == decision.c.no)
    .scalar_subquery()
)
_SHOWN: Final = sa.select(decision, _GONE.label("gone")).where(_JUDGED).order_by(decision.c.no).limit(SHOWN)
_SUMS: Final = sa.select(
    sa.func.count(), sa.func.coalesce(sa.func.sum(decision.c.users), 0), sa.func.coalesce(sa.func.sum(_GONE), 0)
).where(_HELD)
_EXAMPLES: Final = (
    sa.select(subscriber.c.username)
    .where(
        subscriber.c.cloud_id == _OF,
        (subscriber.c.suspended_by == _NO)
        | (subscriber.c.expired_by == _NO)
        | subscriber.c.id.in_(
            sa.select(install.c.subscriber_id).where(install.c.cloud_id == _OF, install.c.ended_by == _NO)
        ),
    )
    .order_by(subscriber.c.username_key)
    .limit(EXAMPLES)
)

_WITHDRAWN: Final = _NOS.where(_THE_ONE)
_SUSPENDED: Final = (subscriber.c.cloud_id == _OF) & subscriber.c.suspended_by.in_(_WITHDRAWN)
_EXPIRED: Final = (subscriber.c.cloud_id == _OF) & subscriber.c.expired_by.in_(_WITHDRAWN)
_IS_OVER: Final = subscriber.c.expires_s <= sa.bindparam("now_s")
_WAS_OVER: Final = subscriber.c.expired_before_s <= sa.bindparam("now_s")
_ENDED: Final = (install.c.cloud_id == _OF) & install.c.ended_by.in_(_WITHDRAWN)
_ITS_USER: Final = sa.exists().where(
    subscriber.c.cloud_id == install.c.cloud_id, subscriber.c.id == install.c.subscriber_id
)
_REVOKED: Final = _ENDED & (install.c.ended == Ending.REVOKED.value) & _ITS_USER
_MOVED: Final = {
    "revision": subscriber.c.revision + 1,
    "changed_s": sa.bindparam("now_s"),
    "modified_s": sa.func.max(sa.bindparam("date_s"), subscriber.c.modified_s + 1),
}
_RESUME: Final = sa.update(subscriber).where(_SUSPENDED).values(state=State.ACTIVE.value, suspended_by=0, **_MOVED)
_PROLONG: Final = (
    sa.update(subscriber)
    .where(_EXPIRED, _IS_OVER)
    .values(expires_s=sa.case((_WAS_OVER, None), else_=subscriber.c.expired_before_s), expired_by=0, **_MOVED)
)
# A clock that was wrong found them over; their date is yet to come.
_FORGET_EARLY: Final = (
    sa.update(subscriber)
    .where(subscriber.c.cloud_id == _OF, subscriber.c.expires_s > sa.bindparam("now_s"))
    .values(expired_by=0)
)
_REACTIVATE: Final = sa.update(install).where(_REVOKED).values(state="active", ended="", ended_s=0, ended_by=0)
_RULES: Final = sa.select(sa.func.count()).select_from(decision).where(_HELD, _THE_ONE, decision.c.rule != "")
_STAYING: Final = sa.select(sa.func.count()).select_from(install).where(_ENDED, ~_REVOKED)
_STILL: Final = sa.exists().where(install.c.cloud_id == decision.c.cloud_id, install.c.ended_by == decision.c.no)
_WITHDRAW: Final = sa.update(decision).where(_HELD, _THE_ONE, ~_STILL).values(stage=Stage.WITHDRAWN.value)
# Those who went freely were looked at as well: the next ones are counted anew.
_RELEASE: Final = (
    sa.update(decision)
    .where(
        decision.c.cloud_id == _OF,
        (decision.c.no == _NO)
        | ((_NO == 0) & decision.c.stage.in_([Stage.FREE.value, Stage.COUNTED.value, Stage.HELD.value])),
    )
    .values(stage=Stage.RELEASED.value)
)
_GOES_BY_RULE: Final = (
    insert(departure)
    .from_select(
        ["cloud_id", "decision", "subscriber_id"],
        sa.select(decision.c.cloud_id, decision.c.no, subscriber.c.id)
        .join(subscriber, subscriber.c.cloud_id == decision.c.cloud_id)
        .where(_JUDGED, decision.c.rule != "", subscriber.c.username_key == sa.bindparam("named")),
    )
    .on_conflict_do_nothing()
)


class GuardStore:
    """Administration's view of the guard; every method is one transaction."""

    def __init__(self, database: Database, author: str = "") -> None:
        self._database, self._author = database, author

    def reports(self, cloud_id: str | None) -> list[Report]:
        """As the port says."""
        holding = sa.select(decision.c.cloud_id).where(decision.c.stage == Stage.HELD.value).distinct()
        with self._database.read() as connection:
            found = connection.scalars(holding.order_by(decision.c.cloud_id)).all() if cloud_id is None else [cloud_id]
            return [_report(connection, one) for one in found]

    def release(self, cloud_id: str, no: int, now_s: int) -> int:
        """As the port says."""
        of = {"of": cloud_id, "chosen": no, "now_s": now_s}
        with self._database.begin() as connection:
            waiting = _waiting(connection, of)
            connection.execute(_RELEASE, of)
            connection.execute(_FORGET_EARLY, of)
            return waiting

    def release_user(self, cloud_id: str, username_key: str, now_s: int) -> int:
        """As the port says."""
        of_user = (subscriber.c.cloud_id == cloud_id) & (subscriber.c.username_key == username_key)
        user = sa.select(subscriber.c.id).where(of_user)
        theirs = (install.c.cloud_id == cloud_id) & install.c.subscriber_id.in_(user)
        with self._database.begin() as connection:
            deciding = Deciding(decisions.by(connection), self._author, now_s)
            by = deciding.number(cloud_id, Ending.SUSPENDED)
            for table, which, column in (
                (subscriber, of_user, subscriber.c.suspended_by),
                (subscriber, of_user, subscriber.c.expired_by),
                (install, theirs, install.c.ended_by),
            ):
                connection.execute(sa.update(table).where(which, column > 0).values({column: by}))
            deciding.keep(Stage.RELEASED)
            # Decisions of rules stand in no row of a user: who goes is counted as gone.
            connection.execute(_GOES_BY_RULE, {"of": cloud_id, "named": username_key})
            return connection.scalar(sa.select(sa.func.count()).select_from(install).where(theirs)) or 0

    def plan(self, cloud_id: str, no: int, now_s: int) -> Cancellation:
        """As the port says."""
        of = {"of": cloud_id, "chosen": no, "now_s": now_s}

        def count(table: sa.Table, *which: sa.ColumnElement[bool]) -> int:
            return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*which), of) or 0

        with self._database.read() as connection:
            _waiting(connection, of)
            return Cancellation(
                cloud_id,
                resumed=count(subscriber, _SUSPENDED),
                prolonged=count(subscriber, _EXPIRED, _IS_OVER),
                reactivated=count(install, _REVOKED),
                staying=connection.scalar(_STAYING, of) or 0,
                rules=connection.scalar(_RULES, of) or 0,
            )

    def cancel(self, cloud_id: str, no: int, now_s: int) -> Cancellation:
        """As the port says."""
        of: dict[str, Any] = {"of": cloud_id, "chosen": no, "now_s": now_s}
        with self._database.begin() as connection:
            _waiting(connection, of)
            of["date_s"] = revisions.of_a_subscriber(connection, cloud_id, now_s)
            resumed, prolonged, reactivated = (
                connection.execute(statement, of).rowcount for statement in (_RESUME, _PROLONG, _REACTIVATE)
            )
            connection.execute(_FORGET_EARLY, of)
            staying, rules = connection.scalar(_STAYING, of) or 0, connection.scalar(_RULES, of) or 0
            connection.execute(_WITHDRAW, of)
        return Cancellation(cloud_id, resumed, prolonged, reactivated, staying, rules)


def _waiting(connection: sa.Connection, of: Mapping[str, Any]) -> int:
    """How many users wait; raises NotFound when no decision, or not this one, is held."""
    count, users, gone = connection.execute(_SUMS.where(_THE_ONE), of).one()
    if not count:
        which = f"Decision {of['chosen']}" if of["chosen"] else "No decision"
        raise NotFound(f"{which} of {of['of']} is {'not ' if of['chosen'] else ''}being held back.")
    return int(users - gone)


def _report(connection: sa.Connection, cloud_id: str) -> Report:
    count, users, gone = connection.execute(_SUMS, {"of": cloud_id}).one()
    shown = connection.execute(_SHOWN, {"of": cloud_id}).mappings().all()
    return Report(cloud_id, count, users - gone, tuple(_decision(connection, row) for row in shown))


def _decision(connection: sa.Connection, row: sa.RowMapping) -> Decision:
    examples = connection.scalars(_EXAMPLES, {"of": row["cloud_id"], "chosen": row["no"]})
    return Decision(
        no=row["no"],
        reason=Ending(row["reason"]),
        author=row["author"],
        made_s=row["made_s"],
        users=row["users"],
        gone=row["gone"],
        held=row["stage"] == Stage.HELD.value,
        examples=tuple(examples),
        rule=row["rule"],
    )
