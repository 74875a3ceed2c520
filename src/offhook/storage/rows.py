"""Records as rows: what both views of the database, administration's and the device plane's, read and write alike."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

import msgspec
import sqlalchemy as sa

from offhook.core.dialplan import QuickDials
from offhook.provider.circumstances import Circumstances
from offhook.provider.sipregister import Line
from offhook.provider.subscriber import Override, State, Subscriber, read_password, username_key, write_password
from offhook.provider.tenant import Tenant
from offhook.provider.validators import Served
from offhook.storage.tables import sip_account, subscriber

Row: TypeAlias = dict[str, Any]

_CIRCUMSTANCES: Final = msgspec.json.Decoder(Circumstances)
_TEXTS: Final = msgspec.json.Decoder(dict[str, str])
_OVERRIDES: Final = msgspec.json.Decoder(dict[str, Override])
_QUICK_DIALS: Final = msgspec.json.Decoder(QuickDials)


class ReadRow(Protocol):
    """Values by the names of columns."""

    def __getitem__(self, name: str, /) -> Any: ...  # noqa: ANN401 - whatever a column may hold


@lru_cache(maxsize=1024)
def read_tenant(settings: str) -> Tenant:
    """The settings of a tenant from their column."""
    return msgspec.json.decode(settings, type=Tenant)


def read_subscriber(row: ReadRow) -> Subscriber:
    """A subscriber from a row that has all columns of their table."""
    return Subscriber(
        cloud_id=row["cloud_id"],
        username=row["username"],
        password=read_password(row["password"]),
        state=State(row["state"]),
        attributes=_TEXTS.decode(row["attributes"]),
        secrets=_TEXTS.decode(row["secrets"]),
        overrides=_OVERRIDES.decode(row["overrides"]),
        quick_dials=_QUICK_DIALS.decode(row["quick_dials"]),
        sip_generated=bool(row["sip_generated"]),
        id=row["id"],
        revision=row["revision"],
        created_s=row["created_s"],
        changed_s=row["changed_s"],
        expires_s=row["expires_s"],
    )


def write_subscriber(one: Subscriber) -> Row:
    """The row of a subscriber, but for its id and its date; its revision is one more than it was."""
    return {
        "cloud_id": one.cloud_id,
        "username": one.username,
        "username_key": username_key(one.username),
        "password": write_password(one.password),
        "state": one.state.value,
        "attributes": _text(one.attributes),
        "secrets": _text(one.secrets),
        "overrides": _text(one.overrides),
        "quick_dials": _text(one.quick_dials),
        "sip_generated": one.sip_generated,
        "revision": one.revision + 1,
        "created_s": one.created_s,
        "changed_s": one.changed_s,
        "expires_s": one.expires_s,
    }


def read_circumstances(text: str) -> Circumstances:
    """What a phone said of itself, from its column."""
    return _CIRCUMSTANCES.decode(text)


def write_circumstances(circumstances: Circumstances) -> str:
    """The same as it is kept: without where the phone was, which is nobody's business afterwards."""
    return _text(circumstances.kept())


def line_columns() -> tuple[sa.ColumnElement[Any], ...]:
    """The columns of a SIP account in a query of the device plane, where their names begin with `line_`."""
    names = ("id", "username", "domain", "password")
    return tuple(sip_account.c[name].label(f"line_{name}") for name in names)


def its_line(install_id: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """The SIP account that a phone of a subscriber has: one that leaves only while there is no other one."""

    def ready(account: sa.FromClause) -> sa.ColumnElement[bool]:
        return sa.and_(
            account.c.cloud_id == subscriber.c.cloud_id,
            account.c.subscriber_id == subscriber.c.id,
            (account.c.install_id == sa.literal_column("''")) | (account.c.install_id == install_id),
            account.c.wanted == sa.literal_column("'active'"),
            account.c.rotated_s > sa.literal_column("0"),
        )

    zero: sa.ColumnClause[int] = sa.literal_column("0")
    newer = sip_account.alias("newer")
    stays = sip_account.c.leaving_s == zero
    return ready(sip_account) & (stays | ~sa.exists().where(ready(newer), newer.c.leaving_s == zero))


def read_line(row: ReadRow) -> Line | None:
    """The SIP account of a row of the device plane."""
    if row["line_id"] is None:
        return None
    return Line(row["line_id"], row["line_username"], row["line_domain"], row["line_password"])


def read_served(row: ReadRow) -> Served:
    """What an install was served last, from a row of the device plane, where its columns begin with `install_`."""
    return Served(row["install_variant"], row["install_digest"], row["install_dated_s"])


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
