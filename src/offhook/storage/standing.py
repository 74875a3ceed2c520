"""Whether a subscriber may stay, as their row keeps it: by which decisions not, and what they had before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from offhook.provider.ports import Ending
from offhook.provider.subscriber import Sealed, State, StoredPassword, Subscriber, read_password, write_password
from offhook.storage import decisions, sipwishes
from offhook.storage.database import compiled
from offhook.storage.decisions import Deciding, Execute
from offhook.storage.tables import install, subscriber

_COLUMNS: Final = ("username_key", "attributes", "state", "expires_s", "suspended_by", "expired_by", "expired_before_s")
_BEFORE: Final = sa.select(subscriber.c.id, subscriber.c.password, *(subscriber.c[name] for name in _COLUMNS)).where(
    subscriber.c.cloud_id == sa.bindparam("of"), subscriber.c.username_key.in_(sa.bindparam("keys", expanding=True))
)
_OF_THE_USER: Final = (install.c.cloud_id == sa.bindparam("of")) & (install.c.subscriber_id == sa.bindparam("known"))
# Installs of a Cloud ID that returns the password as typed have no other credential.
_HAD_PASSWORD: Final = (
    sa.update(install)
    .where(_OF_THE_USER, install.c.password == "", sa.func.length(install.c.token_hash) == 0)
    .values(password=sa.bindparam("had"))
)

_FORGET_EARLY: Final = compiled(
    sa.update(subscriber)
    .where(
        subscriber.c.cloud_id == sa.bindparam("of"),
        subscriber.c.expires_s > sa.bindparam("now_s"),
        subscriber.c.expired_by != sa.literal_column("0"),
    )
    .values(expired_by=sa.literal_column("0"))
)

_COME_DUE: Final = (
    subscriber.c.cloud_id == sa.bindparam("of"),
    subscriber.c.expires_s <= sa.bindparam("now_s"),
    subscriber.c.expired_by == sa.literal_column("0"),
)
_COUNT_DUE: Final = compiled(sa.select(sa.func.count()).select_from(subscriber).where(*_COME_DUE))
_STAMP_DUE: Final = compiled(sa.update(subscriber).where(*_COME_DUE).values(expired_by=sa.bindparam("by")))


class Standings:
    """The subscribers of one Cloud ID as they were before a transaction changed them."""

    def __init__(self, connection: sa.Connection, cloud_id: str, keys: Sequence[str]) -> None:
        found = connection.execute(_BEFORE, {"of": cloud_id, "keys": list(keys)}).mappings()
        self._connection = connection
        self._before = {row["username_key"]: row for row in found}

    def settle_sip(self, rows: Sequence[Mapping[str, Any]], cloud_id: str, now_s: int) -> None:
        """Want for their SIP accounts what follows from what they became; from one another, many together."""
        execute = decisions.by(self._connection)
        for row in rows:
            before = self._before.get(row["username_key"])
            revised = before is not None and before["attributes"] != row["attributes"]
            if revised or len(rows) == 1:
                sipwishes.of_name(execute, cloud_id, row["username_key"], now_s, revised=revised)
        if len(rows) > 1:
            sipwishes.of_cloud_id(execute, cloud_id, now_s)

    def after(self, key: str, new: Subscriber, deciding: Deciding) -> dict[str, int | None]:
        """What the row of a subscriber who becomes `new` says of it; those who were not there have no phones yet."""
        before = self._before.get(key)
        if before is None:
            return {"suspended_by": 0, "expired_by": 0, "expired_before_s": None}
        if before["password"] != write_password(new.password):
            keep_password(self._connection, new.cloud_id, before["id"], read_password(before["password"]))
        return _suspension(before, new, deciding) | _expiry(before, new, deciding)


def keep_password(connection: sa.Connection, cloud_id: str, subscriber_id: int, had: StoredPassword) -> None:
    """Keep the password that a user has no more beside the installs that know it, so that they can be told to leave.

    One that came in the clear and was never used is sealed to the user's row, and is not kept.
    """
    if not isinstance(had, Sealed):
        connection.execute(_HAD_PASSWORD, {"of": cloud_id, "known": subscriber_id, "had": write_password(had)})


def forget_early(execute: Execute, cloud_id: str, now_s: int) -> None:
    """Let those off whom a clock running ahead has found over: their date is yet to come."""
    execute(_FORGET_EARLY, {"of": cloud_id, "now_s": now_s})


def come_due(execute: Execute, cloud_id: str, now_s: int) -> int:
    """The decision by which all accounts that are over and have none are so from now on; 0 for no accounts."""
    due = {"of": cloud_id, "now_s": now_s}
    users = execute(_COUNT_DUE, due)[0][0]
    if not users:
        return 0
    deciding = Deciding(execute, None, now_s)
    by = deciding.number(cloud_id, Ending.EXPIRED, users)
    execute(_STAMP_DUE, {**due, "by": by})
    deciding.keep()
    sipwishes.of_cloud_id(execute, cloud_id, now_s)
    return by


def _suspension(before: sa.RowMapping, new: Subscriber, deciding: Deciding) -> dict[str, Any]:
    if new.state is not State.SUSPENDED:
        return {"suspended_by": 0}
    if before["state"] == State.SUSPENDED.value:
        return {"suspended_by": before["suspended_by"]}
    return {"suspended_by": deciding.number(new.cloud_id, Ending.SUSPENDED)}


def _expiry(before: sa.RowMapping, new: Subscriber, deciding: Deciding) -> dict[str, Any]:
    """A date that has passed is a decision of now; one to come is none till then, whoever set it and when."""
    if before["expires_s"] == new.expires_s:
        return {name: before[name] for name in ("expired_by", "expired_before_s")}
    is_over = new.expires_s is not None and new.expires_s <= deciding.now_s
    by = deciding.number(new.cloud_id, Ending.EXPIRED) if is_over else 0
    return {"expired_by": by, "expired_before_s": before["expires_s"]}
