"""Decisions that log users out are numbered and judged as such; numbers of users are never given again."""

# ruff: noqa: S608 - whatever is put into a statement stands here as well

import time
from typing import Literal

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SINCE = "coalesce((SELECT released_s FROM fleet_guard WHERE fleet_guard.cloud_id = {0}.cloud_id AND holding), {1})"
_FOREVER = "9999999999999"


def upgrade() -> None:
    """Give the decisions that are being held back a number, and those whose effect is over; all others have none."""
    op.create_table(
        "decision",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("made_s", sa.Integer, nullable=False),
        sa.Column("users", sa.Integer, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("burst", sa.Integer, nullable=False),
        sa.Column("passed", sa.Integer, nullable=False),
    )
    op.create_index("decision_by_time", "decision", ["cloud_id", "made_s"])
    op.create_index("decision_by_burst", "decision", ["cloud_id", "burst"])
    op.create_table(
        "departure",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("decision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("subscriber_id", sa.Integer, primary_key=True, autoincrement=False),
    )
    # SQLite makes a table anew for this; elsewhere a number is never given again anyway.
    anew: Literal["always", "auto"] = "always" if op.get_bind().dialect.name == "sqlite" else "auto"
    with op.batch_alter_table("subscriber", recreate=anew, table_kwargs={"sqlite_autoincrement": True}) as subscriber:
        for name in ("suspended_by", "expired_by"):
            subscriber.add_column(sa.Column(name, sa.Integer, nullable=False, server_default="0"))
        subscriber.add_column(sa.Column("expired_before_s", sa.Integer, nullable=True))
        subscriber.create_index("subscriber_by_expiry", ["cloud_id", "expires_s"])
    with op.batch_alter_table("install") as install:
        install.drop_column("confirmed_s")
        install.add_column(sa.Column("ended_by", sa.Integer, nullable=False, server_default="0"))
        install.add_column(sa.Column("password", sa.Text, nullable=False, server_default=""))
    _number_what_was_decided(int(time.time()))
    op.drop_table("held_logout")
    op.drop_table("fleet_guard")


def _number_what_was_decided(now_s: int) -> None:
    since_of_users, since_of_installs = _SINCE.format("subscriber", _FOREVER), _SINCE.format("install", _FOREVER)
    # Accounts that are over have been for long, unless the guard holds them.
    expired = f"expires_s <= {now_s}"
    op.execute(f"UPDATE subscriber SET expired_by = 1 WHERE {expired}")
    op.execute(f"UPDATE subscriber SET expired_by = 2 WHERE {expired} AND expires_s > {since_of_users}")
    op.execute(f"UPDATE subscriber SET suspended_by = 3 WHERE state = 'suspended' AND changed_s > {since_of_users}")
    for no, ended in ((4, "revoked"), (5, "deleted")):
        op.execute(f"UPDATE install SET ended_by = {no} WHERE ended = '{ended}' AND ended_s > {since_of_installs}")
    for no, table, column, reason, stage in (
        (1, "subscriber", "expired_by", "expired", "released"),
        (2, "subscriber", "expired_by", "expired", "held"),
        (3, "subscriber", "suspended_by", "suspended", "held"),
        (4, "install", "ended_by", "revoked", "held"),
        (5, "install", "ended_by", "deleted", "held"),
    ):
        op.execute(
            f"INSERT INTO decision SELECT cloud_id, {no}, '{reason}', '', {now_s}, count(*), '{stage}', {no}, 0"
            f" FROM {table} WHERE {column} = {no} GROUP BY cloud_id"
        )
