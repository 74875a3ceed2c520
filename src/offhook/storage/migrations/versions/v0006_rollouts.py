"""Rollouts under guard: what became of phones, and what their guards found."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables and columns; a phone counts from its next question on."""
    for name in ("asked_s", "before_s", "refused_s"):
        op.add_column("install", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.add_column("install", sa.Column("interval_s", sa.Integer, nullable=True))
    op.create_table(
        "turned_away",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("subscriber_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_s", sa.Integer, nullable=False),
        sa.Column("install_id", sa.Text, nullable=False),
        sa.Column("circumstances", sa.Text, nullable=False),
    )
    op.create_index("turned_away_by_time", "turned_away", ["at_s"])
    op.create_table(
        "rollout_round",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("at_s", sa.Integer, nullable=False),
        sa.Column("reports", sa.Text, nullable=False),
    )
