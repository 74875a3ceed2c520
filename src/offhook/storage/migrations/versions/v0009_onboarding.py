"""Numbers to give, what upstreams vouched for, and codes that were sent to those who sign up."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def _text(name: str, *, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False)


def upgrade() -> None:
    """Make the tables; nobody was onboarded yet."""
    op.create_table(
        "number_pool", _text("cloud_id", key=True), _text("name", key=True), _text("kind"), _number("quarantine_s")
    )
    op.create_table(
        "number_range",
        sa.Column("id", sa.Integer, primary_key=True),
        *(_text("scope"), _text("cloud_id"), _text("pool")),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        _number("digits"),
        sa.Column("coming", sa.BigInteger, nullable=False),
    )
    op.create_index("number_range_by_pool", "number_range", ["cloud_id", "pool"])
    op.create_index("number_range_by_number", "number_range", ["scope", "digits", "first"])
    op.create_table(
        "number",
        *(_text("scope", key=True), _text("number", key=True), _text("cloud_id"), _text("pool"), _text("used")),
        *(_number("subscriber_id"), _text("username_key"), _text("attribute"), _text("key")),
        *(_number("since_s"), _number("until_s")),
    )
    _unique("one_number_of_each", ["cloud_id", "subscriber_id", "attribute"], "subscriber_id <> 0")
    _unique("one_number_of_an_operation", ["key"], "key <> ''")
    op.create_index("number_by_use", "number", ["cloud_id", "pool", "used", "until_s"])
    op.create_table(
        "vouched",
        _text("cloud_id", key=True),
        sa.Column("subscriber_id", sa.Integer, primary_key=True, autoincrement=False),
        *(_text("upstream"), _text("answer"), _number("asked_s"), _number("next_s"), _number("gone_s")),
    )
    op.create_index("vouched_to_ask", "vouched", ["next_s"])
    op.create_table(
        "sign_up_code",
        *(_text("cloud_id", key=True), _text("username_key", key=True)),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        *(
            _number("expires_s"),
            _text("tried"),
            _text("used_by"),
            _number("used_s"),
            _number("day_s"),
            _number("in_day"),
        ),
    )
    op.create_index("sign_up_code_by_end", "sign_up_code", ["expires_s"])


def _unique(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "number", columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
