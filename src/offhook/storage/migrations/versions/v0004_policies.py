"""Policies: their versions, what phones say of themselves, and what each was served last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table and columns; nobody has a policy yet, and nothing is known of phones until they ask again."""
    op.create_table(
        "policy_version",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("approved_by", sa.Text, nullable=False),
        sa.Column("created_s", sa.Integer, nullable=False),
        sa.Column("changed_s", sa.Integer, nullable=False),
        sa.Column("published_s", sa.Integer, nullable=True),
    )
    op.create_index(
        "one_policy_of_each_state",
        "policy_version",
        ["cloud_id", "state"],
        unique=True,
        sqlite_where=sa.text("state <> 'past'"),
        postgresql_where=sa.text("state <> 'past'"),
    )
    op.add_column("install", sa.Column("circumstances", sa.Text, nullable=False, server_default="{}"))
    op.add_column("install", sa.Column("variant", sa.Text, nullable=False, server_default=""))
    op.add_column("install", sa.Column("digest", sa.Text, nullable=False, server_default=""))
    op.add_column("install", sa.Column("dated_s", sa.Integer, nullable=False, server_default="0"))
    op.add_column("decision", sa.Column("rule", sa.Text, nullable=False, server_default=""))
    op.create_index("decision_by_rule", "decision", ["cloud_id", "rule"])
