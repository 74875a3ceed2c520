"""Invitations, and their mails that are yet to be sent."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def _text(name: str, *, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False)


def upgrade() -> None:
    """Make the table; nobody was invited yet."""
    op.create_table(
        "invitation",
        *(_text("id", key=True), _text("cloud_id"), _text("username"), _text("username_key"), _number("version")),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        *(_number("created_s"), _number("expires_s"), _text("attributes"), _number("subscriber_id")),
        *(_text("address"), _text("sealed"), _number("next_s"), _number("tries"), _text("error"), _number("mailed_s")),
        *(_text("runner"), _number("leased_s"), _text("used_by"), _number("used_s")),
        *(_number("revoked_s"), _number("replaced_s"), _text("author")),
    )
    op.create_index("invitation_by_token", "invitation", ["token_hash"], unique=True)
    op.create_index("invitation_by_user", "invitation", ["cloud_id", "username_key", "version"], unique=True)
    op.create_index("invitation_by_age", "invitation", ["cloud_id", "created_s", "id"])
    waiting = sa.text("sealed <> ''")
    op.create_index("invitation_to_mail", "invitation", ["next_s"], sqlite_where=waiting, postgresql_where=waiting)
