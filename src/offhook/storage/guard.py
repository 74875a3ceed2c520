"""Decisions that log users out, as administration sees them: shown, released, or undone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from offhook.core.errors import NotFound
from offhook.policy.fleetguard import Stage
from offhook.provider.guarding import Cancellation, Decision, Report
from offhook.provider.ports import Ending
from offhook.provider.subscriber import State
from offhook.storage import decisions, revisions, sipwishes, standing
from offhook.storage.database import Database
from offhook.storage.decisions import Deciding
from offhook.storage.tables import decision, departure, install, subscriber

SHOWN: Final = 20
EXAMPLES: Final = 5
_OF: Final[sa.BindParameter[str]] = sa.bindparam("of")
_HELD: Final = (decision.c.cloud_id == _OF) & (decision.c.stage == Stage.HELD.value)
_JUDGED: Final = (decision.c.cloud_id == _OF) & decision.c.stage.in_([Stage.HELD.value, Stage.COUNTED.value])
_NUMBERS: Final = sa.select(decision.c.no).where(_HELD).order_by(decision.c.no)
_NO: Final[sa.BindParameter[int]] = sa.bindparam("one")
# A loop may have made more of them than a statement takes parameters, so the numbers come as one, a JSON array.
_CHOSEN: Final = decision.c.no.in_(sa.select(sa.func.json_each(sa.bindparam("chosen")).table_valued("value").c.value))
_GONE: Final = (
    sa.select(sa.func.count())
    .where(departure.c.cloud_id == decision.c.cloud_id, departure.c.decision == decision.c.no)
    .scalar_subquery()
)
_SHOWN: Final = sa.select(decision, _GONE.label("gone")).where(_JUDGED).order_by(decision.c.no).limit(SHOWN)
_SUMS: Final = sa.select(
    sa.func.count(), sa.func.coalesce(sa.func.sum(decision.c.users), 0), sa.func.coalesce(sa.func.sum(_GONE), 0)
)
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

_WITHDRAWN: Final = sa.select(decision.c.no).where(_HELD, _CHOSEN)
# Accounts that came due by themselves had no other date: to take theirs away would let them live for ever.
_BY_DATE: Final = (decision.c.reason == Ending.EXPIRED.value) & (decision.c.author == decisions.BY_DATE)
_SUSPENDED: Final = (subscriber.c.cloud_id == _OF) & subscriber.c.suspended_by.in_(_WITHDRAWN)
_IS_OVER: Final = subscriber.c.expires_s <= sa.bindparam("now_s")
_OVER: Final = (subscriber.c.cloud_id == _OF) & _IS_OVER
_EXPIRED: Final = _OVER & subscriber.c.expired_by.in_(_WITHDRAWN.where(~_BY_DATE))
_CAME_DUE: Final = _OVER & subscriber.c.expired_by.in_(_WITHDRAWN.where(_BY_DATE))
_HAD_NO_DATE: Final = subscriber.c.expired_before_s.is_(None) | (subscriber.c.expired_before_s <= sa.bindparam("now_s"))
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
    .where(_EXPIRED)
    .values(expires_s=sa.case((_HAD_NO_DATE, None), else_=subscriber.c.expired_before_s), expired_by=0, **_MOVED)
)
_REACTIVATE: Final = sa.update(install).where(_REVOKED).values(state="active", ended="", ended_s=0, ended_by=0)
_RULES: Final = (decision.c.cloud_id == _OF) & decision.c.no.in_(_WITHDRAWN.where(decision.c.rule != ""))
_STILL_ENDED: Final = sa.exists().where(install.c.cloud_id == decision.c.cloud_id, install.c.ended_by == decision.c.no)
_STILL_OVER: Final = sa.exists().where(
    subscriber.c.cloud_id == decision.c.cloud_id, subscriber.c.expired_by == decision.c.no
)
_WITHDRAW: Final = (
    sa.update(decision).where(_HELD, _CHOSEN, ~_STILL_ENDED, ~_STILL_OVER).values(stage=Stage.WITHDRAWN.value)
)
_RELEASE: Final = sa.update(decision).where(_JUDGED, _CHOSEN).values(stage=Stage.RELEASED.value)
# Those who went freely up to then were looked at as well: the next ones are counted anew.
_RELEASE_FREE: Final = (
    sa.update(decision)
    .where(decision.c.cloud_id == _OF, decision.c.stage == Stage.FREE.value, decision.c.no < sa.bindparam("newest"))
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

    def waiting(self, cloud_id: str, numbers: Collection[int]) -> int:
        """As the port says."""
        with self._database.read() as connection:
            return _waiting(connection, _JUDGED, cloud_id, numbers)

    def release(self, cloud_id: str, numbers: Collection[int], now_s: int) -> int:
        """As the port says."""
        with self._database.begin() as connection:
            waiting = _waiting(connection, _JUDGED, cloud_id, numbers)
            connection.execute(_RELEASE, _of(cloud_id, numbers))
            connection.execute(_RELEASE_FREE, {"of": cloud_id, "newest": max(numbers)})
            standing.forget_early(decisions.by(connection), cloud_id, now_s)
            sipwishes.of_cloud_id(decisions.by(connection), cloud_id, now_s)
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
            sipwishes.of_name(decisions.by(connection), cloud_id, username_key, now_s)
            return connection.scalar(sa.select(sa.func.count()).select_from(install).where(theirs)) or 0

    def plan(self, cloud_id: str, numbers: Collection[int], now_s: int) -> Cancellation:
        """As the port says."""
        with self._database.read() as connection:
            return _plan(connection, cloud_id, numbers, now_s)

    def cancel(self, cloud_id: str, numbers: Collection[int], now_s: int) -> Cancellation:
        """As the port says."""
        with self._database.begin() as connection:
            plan = _plan(connection, cloud_id, numbers, now_s)
            of = _of(cloud_id, numbers)
            moved = of | {"now_s": now_s, "date_s": revisions.of_a_subscriber(connection, cloud_id, now_s)}
            for statement in (_RESUME, _PROLONG, _REACTIVATE):
                connection.execute(statement, moved)
            standing.forget_early(decisions.by(connection), cloud_id, now_s)
            connection.execute(_WITHDRAW, of)
            sipwishes.of_cloud_id(decisions.by(connection), cloud_id, now_s)
        return plan


def _plan(connection: sa.Connection, cloud_id: str, numbers: Collection[int], now_s: int) -> Cancellation:
    _waiting(connection, _HELD, cloud_id, numbers)
    of = _of(cloud_id, numbers) | {"now_s": now_s}

    def count(table: sa.Table, which: sa.ColumnElement[bool]) -> int:
        return connection.scalar(sa.select(sa.func.count()).select_from(table).where(which), of) or 0

    return Cancellation(
        cloud_id,
        resumed=count(subscriber, _SUSPENDED),
        prolonged=count(subscriber, _EXPIRED),
        endless=count(subscriber, _EXPIRED & _HAD_NO_DATE),
        reactivated=count(install, _REVOKED),
        staying=count(install, _ENDED & ~_REVOKED),
        due=count(subscriber, _CAME_DUE),
        rules=count(decision, _RULES),
    )


def _of(cloud_id: str, numbers: Collection[int]) -> dict[str, Any]:
    return {"of": cloud_id, "chosen": msgspec.json.encode(list(numbers)).decode()}


def _waiting(connection: sa.Connection, which: sa.ColumnElement[bool], cloud_id: str, numbers: Collection[int]) -> int:
    """How many users of these decisions wait; raises NotFound when none of them is one of `which`."""
    count, users, gone = connection.execute(_SUMS.where(which, _CHOSEN), _of(cloud_id, numbers)).one()
    if not count:
        only = f"Decision {next(iter(numbers))} of {cloud_id} is not" if len(numbers) == 1 else ""
        raise NotFound(f"{only or f'No decision of {cloud_id} is'} being held back.")
    return int(users - gone)


def _report(connection: sa.Connection, cloud_id: str) -> Report:
    count, users, gone = connection.execute(_SUMS.where(_HELD), {"of": cloud_id}).one()
    numbers = connection.scalars(_NUMBERS, {"of": cloud_id}).all()
    shown = connection.execute(_SHOWN, {"of": cloud_id}).mappings().all()
    return Report(cloud_id, count, users - gone, tuple(_decision(connection, row) for row in shown), tuple(numbers))


def _decision(connection: sa.Connection, row: sa.RowMapping) -> Decision:
    examples = connection.scalars(_EXAMPLES, {"of": row["cloud_id"], "one": row["no"]})
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
