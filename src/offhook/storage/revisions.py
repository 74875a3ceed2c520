"""When an answer was last modified: a time that only grows, even when the clock stands still or is set back (D10).

The date of an install is the later one of its subscriber's and its tenant's. Each change makes its own the latest of
both, so that the date of every answer it can alter becomes a greater one. A change counts from the second after it:
an answer that was sent earlier in the same second is then older than the change, whatever date it carried.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import sqlalchemy as sa

from offhook.provider.validators import COMPOSER_VERSION
from offhook.storage.tables import subscriber, tenant

# What an answer is made of. Another password, or a better hash of the same, gives the same answer.
EFFECTIVE: Final = ("username", "state", "attributes", "secrets", "overrides", "quick_dials", "expires_s")

_OF: Final[sa.BindParameter[str]] = sa.bindparam("of")
_TENANT: Final = sa.select(tenant.c.modified_s).where(tenant.c.cloud_id == _OF)
_SUBSCRIBERS: Final = sa.select(sa.func.max(subscriber.c.modified_s)).where(subscriber.c.cloud_id == _OF)


class _Row(Protocol):
    """Values or columns by the names of columns."""

    def __getitem__(self, name: str, /) -> Any: ...  # noqa: ANN401 - whatever a column may hold


def of_an_answer(tenant_s: int, subscriber_s: int | None) -> int:
    """The date of what a subscriber gets; of none who is there, that of the tenant alone."""
    return max(tenant_s, subscriber_s or 0) + COMPOSER_VERSION


def of_a_subscriber(connection: sa.Connection, cloud_id: str, now_s: int) -> int:
    """The date of a subscriber who is added or changed now; it must become later than their own as well."""
    known: int | None = connection.scalar(_TENANT, {"of": cloud_id})
    return max(now_s, known or 0) + 1


def of_a_tenant(connection: sa.Connection, cloud_id: str, now_s: int) -> int:
    """The date of a tenant who is added or changed now."""
    own: int | None = connection.scalar(_TENANT, {"of": cloud_id})
    theirs: int | None = connection.scalar(_SUBSCRIBERS, {"of": cloud_id})
    return max(now_s, own or 0, theirs or 0) + 1


def moved(modified_s: Any, new: _Row) -> sa.ColumnElement[int]:  # noqa: ANN401 - a number or an expression
    """The date of a row of subscribers that becomes `new`: that given or later, or as it was if nothing counts."""
    columns = subscriber.c
    same = sa.and_(*(columns[name].is_not_distinct_from(new[name]) for name in EFFECTIVE))
    return sa.case((same, columns.modified_s), else_=sa.func.max(modified_s, columns.modified_s + 1))
