"""The tables of the sign-in: app versions, tenants, subscribers, installs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "app_version",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("theme", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_s", sa.Integer, nullable=False),
        sa.Column("changed_s", sa.Integer, nullable=False),
        sa.Column("published_s", sa.Integer, nullable=True),
    )
    not_past = sa.text("state <> 'past'")
    op.create_index(
        "one_of_each_state",
        "app_version",
        ["cloud_id", "state"],
        unique=True,
        sqlite_where=not_past,
        postgresql_where=not_past,
    )
    op.create_table(
        "served_part",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("moment_s", sa.Integer, nullable=False),
    )
    op.create_table(
        "tenant",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("created_s", sa.Integer, nullable=False),
        sa.Column("changed_s", sa.Integer, nullable=False),
    )
    op.create_table(
        "subscriber",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("cloud_id", sa.Text, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("username_key", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text, nullable=False),
        sa.Column("overrides", sa.Text, nullable=False),
        sa.Column("quick_dials", sa.Text, nullable=False),
        sa.Column("sip_generated", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_s", sa.Integer, nullable=False),
        sa.Column("changed_s", sa.Integer, nullable=False),
    )
    op.create_index("subscriber_by_name", "subscriber", ["cloud_id", "username_key"], unique=True)
    op.create_table(
        "install",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("cloud_id", sa.Text, nullable=False),
        sa.Column("subscriber_id", sa.Integer, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("user_agent", sa.Text, nullable=False),
        sa.Column("created_s", sa.Integer, nullable=False),
    )
    op.create_index("install_by_subscriber", "install", ["cloud_id", "subscriber_id"])
