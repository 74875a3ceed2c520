"""Policies: beside which Live version each was written."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; of what was written before, nobody knows it."""
    op.add_column("policy_version", sa.Column("base", sa.Integer, nullable=False, server_default="0"))
