"""What is wanted of SIP accounts: it follows from their users, phones and decisions, within the same transaction.

An account is active while its user may use the service and its phone has not ended. What the fleet guard holds back or
is still counting has not come to pass, so it changes nothing here either (D22).
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from offhook.policy.fleetguard import Stage
from offhook.provider.ports import Ending
from offhook.provider.sipregister import Wanted
from offhook.provider.subscriber import State
from offhook.storage.database import compiled
from offhook.storage.decisions import Execute
from offhook.storage.tables import decision, departure, install, subscriber
from offhook.storage.tables import sip_account as account

# An install is issued within seconds of its account, or never.
ISSUED_WITHIN_S: Final = 600
_NOW: Final[sa.BindParameter[int]] = sa.bindparam("now_s", type_=sa.Integer)
_ZERO: Final[sa.ColumnClause[int]] = sa.literal_column("0")
_ONE: Final[sa.ColumnClause[int]] = sa.literal_column("1")


# Versions grow by lot: one of a database that was restored is none that a SIP system has seen before.
NEXT: Final = account.c.version + _ONE + sa.func.abs(sa.func.random()) % sa.literal_column("4294967296", sa.Integer)


def _text(text: str) -> sa.ColumnClause[str]:
    return sa.literal_column(f"'{text}'")


def _user(*facts: sa.ColumnElement[bool]) -> sa.Exists:
    of = (subscriber.c.cloud_id == account.c.cloud_id, subscriber.c.id == account.c.subscriber_id)
    return sa.exists().where(*of, *facts)


def _phone(*facts: sa.ColumnElement[bool]) -> sa.Exists:
    return sa.exists().where(install.c.cloud_id == account.c.cloud_id, install.c.id == account.c.install_id, *facts)


def _goes(by: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether a decision is carried out on the account's user; one that is forgotten means what it did."""
    waiting = decision.c.stage.in_([_text(Stage.COUNTED), _text(Stage.HELD)])
    held = sa.exists().where(decision.c.cloud_id == account.c.cloud_id, decision.c.no == by, waiting)
    gone = sa.exists().where(
        departure.c.cloud_id == account.c.cloud_id,
        departure.c.decision == by,
        departure.c.subscriber_id == account.c.subscriber_id,
    )
    return ~held | gone


def _wanted() -> sa.Case[str]:
    removed, disabled, as_it_is = _text(Wanted.REMOVED), _text(Wanted.DISABLED), account.c.wanted
    its_own = account.c.install_id != _text("")
    unissued = its_own & (account.c.confirmed == _ZERO)
    too_late = (as_it_is == removed) | (account.c.created_s < _NOW - sa.literal_column(str(ISSUED_WITHIN_S)))
    held_removal = sa.exists().where(
        install.c.cloud_id == account.c.cloud_id,
        install.c.subscriber_id == account.c.subscriber_id,
        install.c.ended == _text(Ending.DELETED),
        ~_goes(install.c.ended_by),
    )
    suspended, over = subscriber.c.state == _text(State.SUSPENDED), subscriber.c.expires_s <= _NOW
    return sa.case(
        ((account.c.leaving_s > _ZERO) & (account.c.leaving_s <= _NOW), removed),
        (~_user() & held_removal, as_it_is),
        (~_user(), removed),
        # Whoever makes the user decides.
        (_user(subscriber.c.state == _text(State.PENDING)), as_it_is),
        (unissued & too_late, removed),
        (its_own & (account.c.confirmed != _ZERO) & ~_phone(), removed),
        (its_own & _phone(install.c.state == _text("ended"), _goes(install.c.ended_by)), removed),
        (its_own & _phone(install.c.state == _text("ended")), as_it_is),
        (_user(suspended, _goes(subscriber.c.suspended_by)), disabled),
        (_user(over, subscriber.c.expired_by > _ZERO, _goes(subscriber.c.expired_by)), disabled),
        (_user(suspended | over), as_it_is),
        else_=_text(Wanted.ACTIVE),
    )


def _settling(*which: sa.ColumnElement[bool]) -> str:
    new = _wanted()
    values = {
        "wanted": new,
        "version": NEXT,
        "next_s": _NOW,
        "tries": _ZERO,
        "error": _text(""),
    }
    return compiled(sa.update(account).where(*which, account.c.wanted != new).values(values))


_OF: Final = account.c.cloud_id == sa.bindparam("of")
# So many users are settled in one round.
_AT_ONCE: Final[sa.ColumnClause[int]] = sa.literal_column("500")
_UNSETTLED: Final = compiled(
    sa.select(account.c.cloud_id, account.c.subscriber_id)
    .where(account.c.wanted != _wanted())
    .distinct()
    .limit(_AT_ONCE)
    .offset(_ZERO)
)
_CLOUD_ID: Final = _settling(_OF)
_USER: Final = _settling(_OF, account.c.subscriber_id == sa.bindparam("user"))
_NAMED: Final = _settling(
    _OF,
    account.c.subscriber_id.in_(
        sa.select(subscriber.c.id).where(
            subscriber.c.cloud_id == sa.bindparam("of"), subscriber.c.username_key == sa.bindparam("named")
        )
    ),
)


def _of_the_phone(column: sa.Column[Any]) -> sa.ScalarSelect[Any]:
    return sa.select(column).where(install.c.id == sa.bindparam("phone")).scalar_subquery()


_PHONE: Final = _settling(
    account.c.cloud_id == _of_the_phone(install.c.cloud_id),
    account.c.subscriber_id == _of_the_phone(install.c.subscriber_id),
    account.c.install_id == sa.bindparam("phone"),
)
_REVISED: Final = compiled(
    sa.update(account)
    .where(
        _OF,
        account.c.subscriber_id.in_(
            sa.select(subscriber.c.id).where(
                subscriber.c.cloud_id == sa.bindparam("of"), subscriber.c.username_key == sa.bindparam("named")
            )
        ),
        account.c.wanted == _text(Wanted.ACTIVE),
    )
    .values({"version": NEXT, "next_s": _NOW, "tries": _ZERO, "error": _text("")})
)


def unsettled(execute: Execute, now_s: int) -> list[tuple[str, int]]:
    """Cloud ID and number of users of whom something else is wanted than what stands there."""
    return [(row[0], row[1]) for row in execute(_UNSETTLED, {"now_s": now_s})]


def of_cloud_id(execute: Execute, cloud_id: str, now_s: int) -> None:
    """Settle those of a Cloud ID, after something that may concern many of its users."""
    execute(_CLOUD_ID, {"of": cloud_id, "now_s": now_s})


def of_user(execute: Execute, cloud_id: str, subscriber_id: int, now_s: int) -> None:
    """Settle those of one user, who may have been removed."""
    execute(_USER, {"of": cloud_id, "user": subscriber_id, "now_s": now_s})


def of_name(execute: Execute, cloud_id: str, username_key: str, now_s: int, *, revised: bool = False) -> None:
    """Settle those of a user by name; when their attributes were `revised`, the system is told what is new."""
    execute(_NAMED, {"of": cloud_id, "named": username_key, "now_s": now_s})
    if revised:
        execute(_REVISED, {"of": cloud_id, "named": username_key, "now_s": now_s})


def of_phone(execute: Execute, install_id: str, now_s: int) -> None:
    """Settle that of one install."""
    execute(_PHONE, {"phone": install_id, "now_s": now_s})
