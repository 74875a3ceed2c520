"""Decisions that log users out: numbered as they are made, and judged by the fleet limit at once (D22).

A number orders decisions, whatever the clock does, and stands in the row of every user or install that one concerns.
Decisions of many that are made soon after each other are a burst, and share one limit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from offhook.policy.fleetguard import Limits, Stage
from offhook.provider.ports import Ending
from offhook.storage.database import compiled
from offhook.storage.rows import read_tenant
from offhook.storage.tables import decision, departure, install, subscriber, tenant

# What nobody waits for any more is forgotten after half a year, with who went by it. A stamp whose decision is gone
# means what it did.
KEPT_S: Final = 182 * 86400
# Who decided when an account came due by itself; a person without a name is somebody.
BY_DATE: Final = ""
SOMEBODY: Final = "somebody"
Execute: TypeAlias = Callable[[str, Mapping[str, Any]], Sequence[Any]]


def by(connection: sa.Connection) -> Execute:
    """Run compiled statements in a transaction of administration."""

    def execute(statement: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        result = connection.execute(sa.text(statement), parameters)
        return result.fetchall() if result.returns_rows else []

    return execute


def by_driver(connection: sqlite3.Connection) -> Execute:
    """Run them in a transaction of the device plane."""
    return lambda statement, parameters: connection.execute(statement, parameters).fetchall()


def _is(*stages: Stage) -> sa.ColumnElement[bool]:
    return decision.c.stage.in_([sa.literal_column(f"'{stage}'") for stage in stages])


_OF: Final = decision.c.cloud_id == sa.bindparam("of")
_BURST: Final = decision.c.burst == sa.bindparam("burst")
# A clock that was set back has made decisions of the future; those far ahead are not of this window either.
_LATELY: Final = decision.c.made_s.between(sa.bindparam("from_s"), sa.bindparam("to_s"))
_ZERO: Final[sa.ColumnClause[int]] = sa.literal_column("0")
_SETTINGS: Final = compiled(sa.select(tenant.c.settings).where(tenant.c.cloud_id == sa.bindparam("of")))
_NEWEST: Final = compiled(sa.select(sa.func.coalesce(sa.func.max(decision.c.no), _ZERO)).where(_OF))
_FEW_LATELY: Final = compiled(
    sa.select(sa.func.coalesce(sa.func.sum(decision.c.users), _ZERO)).where(
        _OF, _LATELY, decision.c.users <= sa.bindparam("floor"), _is(Stage.FREE, Stage.COUNTED, Stage.HELD)
    )
)
_first: Final = decision.alias("first")
_BEGAN_LATELY: Final = sa.exists().where(
    _first.c.cloud_id == decision.c.cloud_id,
    _first.c.no == decision.c.burst,
    _first.c.made_s.between(sa.bindparam("from_s"), sa.bindparam("to_s")),
)
# One that is counted ends with its window, else decisions of every day would share one limit for ever. One that is held
# goes on: nobody has looked at it.
_BURST_GOING_ON: Final = compiled(
    sa.select(decision.c.burst, decision.c.stage, decision.c.passed)
    .where(_OF, _LATELY, _is(Stage.HELD) | (_is(Stage.COUNTED) & _BEGAN_LATELY))
    .order_by(decision.c.no.desc())
    .limit(sa.literal_column("1"))
    .offset(_ZERO)
)
_KEEP: Final = compiled(sa.insert(decision))


def _awaited() -> sa.CompoundSelect[tuple[int]]:
    """The decisions by which a user's phone is to be told who has not gone: not to be forgotten while counted."""
    its_user = (install.c.cloud_id == subscriber.c.cloud_id) & (install.c.subscriber_id == subscriber.c.id)
    has_phone = sa.exists().where(its_user, install.c.state == sa.literal_column("'active'"))

    def without(table: sa.Table, by: sa.Column[Any], user: sa.Column[Any]) -> sa.Select[tuple[int]]:
        of = table.c.cloud_id == sa.bindparam("of")
        gone = (departure.c.cloud_id == sa.bindparam("of")) & (departure.c.decision == by)
        return sa.select(by).where(of, by > _ZERO, ~sa.exists().where(gone, departure.c.subscriber_id == user))

    return sa.union_all(
        without(subscriber, subscriber.c.suspended_by, subscriber.c.id).where(has_phone),
        without(subscriber, subscriber.c.expired_by, subscriber.c.id).where(has_phone),
        without(install, install.c.ended_by, install.c.subscriber_id),
    )


_FORGET: Final = compiled(
    sa.delete(decision).where(
        _OF,
        # A rule may log out for years, and is judged once: what was said of it is not forgotten.
        decision.c.rule == sa.literal_column("''"),
        decision.c.made_s < sa.bindparam("before_s"),
        # Else its number would be given again.
        decision.c.no < sa.bindparam("newest"),
        _is(Stage.FREE, Stage.RELEASED, Stage.WITHDRAWN) | (_is(Stage.COUNTED) & decision.c.no.not_in(_awaited())),
    )
)
_FORGET_DEPARTURES: Final = compiled(
    sa.delete(departure).where(
        departure.c.cloud_id == sa.bindparam("of"),
        departure.c.decision.not_in(sa.select(decision.c.no).where(_OF)),
    )
)
_ONE: Final = (departure.c.cloud_id == sa.bindparam("of")) & (departure.c.subscriber_id == sa.bindparam("user"))
STAGE: Final = compiled(
    sa.select(decision.c.stage, departure.c.subscriber_id, decision.c.burst, decision.c.passed)
    .select_from(decision.outerjoin(departure, _ONE & (departure.c.decision == decision.c.no)))
    .where(_OF, decision.c.no == sa.bindparam("no"))
)
_GONE: Final = compiled(
    sa.select(sa.func.count(sa.distinct(departure.c.subscriber_id)))
    .select_from(
        decision.join(
            departure, (departure.c.cloud_id == decision.c.cloud_id) & (departure.c.decision == decision.c.no)
        )
    )
    .where(_OF, _BURST)
)
RULED: Final = compiled(sa.select(decision.c.no, decision.c.stage).where(_OF, decision.c.rule == sa.bindparam("ruled")))
_USERS: Final = compiled(
    sa.select(sa.func.count()).select_from(subscriber).where(subscriber.c.cloud_id == sa.bindparam("of"))
)
_GOES: Final = compiled(sa.insert(departure))
_HOLD: Final = compiled(
    sa.update(decision).where(_OF, _BURST, _is(Stage.COUNTED)).values(stage=sa.literal_column(f"'{Stage.HELD}'"))
)


class Deciding:
    """What one transaction decides, by reason: rows are stamped with a number before all of them are known.

    The author is None when nobody decides and accounts come due by their date. A rule decides by itself, whenever a
    phone meets it: then it is named.
    """

    def __init__(self, execute: Execute, author: str | None, now_s: int, rule: str = "") -> None:
        self._author = BY_DATE if author is None else author or SOMEBODY
        self._execute, self.now_s, self._rule = execute, now_s, rule
        self._numbers: dict[tuple[str, Ending], int] = {}
        self._users: dict[tuple[str, Ending], int] = {}

    def number(self, cloud_id: str, reason: Ending, users: int = 1) -> int:
        """The number of the decision, which concerns so many users more."""
        key = cloud_id, reason
        if key not in self._numbers:
            others = sum(of == cloud_id for of, _ in self._numbers)
            self._numbers[key] = self._execute(_NEWEST, {"of": cloud_id})[0][0] + others + 1
        self._users[key] = self._users.get(key, 0) + users
        return self._numbers[key]

    def keep(self, stage: Stage | None = None) -> None:
        """Keep what was decided; its stage is what the limits of the Cloud ID say, unless one is given."""
        for (cloud_id, reason), no in self._numbers.items():
            self._keep(cloud_id, reason, no, stage)

    def _keep(self, cloud_id: str, reason: Ending, no: int, stage: Stage | None) -> None:
        users, passed, burst = self._users[cloud_id, reason], 0, no
        if stage is None:
            stage, passed, burst = self._judged(cloud_id, users, no)
        row = {
            "cloud_id": cloud_id,
            "no": no,
            "reason": reason.value,
            "author": self._author,
            "made_s": self.now_s,
            "users": users,
            "stage": stage.value,
            "burst": burst,
            "passed": passed,
            "rule": self._rule,
        }
        self._execute(_KEEP, row)
        self._execute(_FORGET, {"of": cloud_id, "before_s": self.now_s - KEPT_S, "newest": no})
        self._execute(_FORGET_DEPARTURES, {"of": cloud_id})

    def _judged(self, cloud_id: str, users: int, no: int) -> tuple[Stage, int, int]:
        found = self._execute(_SETTINGS, {"of": cloud_id})
        limits = read_tenant(found[0][0]).logout_limits if found else Limits()
        window = {"of": cloud_id, "from_s": self.now_s - limits.window_s, "to_s": self.now_s + limits.window_s}
        lately: int = self._execute(_FEW_LATELY, {**window, "floor": limits.floor})[0][0]
        if limits.frees(users, lately):
            return Stage.FREE, 0, no
        for burst, stage, passed in self._execute(_BURST_GOING_ON, window):
            return Stage(stage), passed, burst
        return Stage.COUNTED, lately, no


def ruled(execute: Execute, cloud_id: str, rule: str, author: str, now_s: int) -> int | None:
    """The decision of a rule, as the port of the device plane says, within a transaction.

    How many users it logs out nobody knows who answers one phone; it counts as one about all.
    """
    for known in execute(RULED, {"of": cloud_id, "ruled": rule}):
        return standing(known)
    deciding = Deciding(execute, author, now_s, rule)
    number = deciding.number(cloud_id, Ending.RULE, execute(_USERS, {"of": cloud_id})[0][0])
    deciding.keep()
    return number


def standing(known: Sequence[Any]) -> int | None:
    """What a row of RULED says: the number of the decision, unless it was withdrawn."""
    return None if known[1] == Stage.WITHDRAWN else int(known[0])


def may_go(known: Sequence[Any] | None) -> bool | None:
    """What a row of STAGE says of a user: yes, no, or that they are yet to be counted."""
    if known is None or known[1] is not None:
        return True
    stage = Stage(known[0])
    return None if stage is Stage.COUNTED else stage in {Stage.FREE, Stage.RELEASED}


def count(execute: Execute, cloud_id: str, no: int, user_id: int, most: float) -> bool:
    """Count a user as gone as the port of the device plane says, within a transaction."""
    found = execute(STAGE, {"of": cloud_id, "no": no, "user": user_id})
    known = may_go(found[0] if found else None)
    if known is not None:
        return known
    _, _, burst, passed = found[0]
    gone = execute(_GONE, {"of": cloud_id, "burst": burst})[0][0] + passed
    if gone >= most:
        execute(_HOLD, {"of": cloud_id, "burst": burst})
        return False
    execute(_GOES, {"cloud_id": cloud_id, "decision": no, "subscriber_id": user_id})
    return True
