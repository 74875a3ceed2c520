"""The life of a phone: validators, the end of installs, expiry, and the logouts that the fleet guard holds back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what re-provisioning needs; what is there already counts as modified when it was last changed."""
    for table in ("tenant", "subscriber"):
        op.add_column(table, sa.Column("modified_s", sa.Integer, nullable=False, server_default="0"))
        op.execute(f"UPDATE {table} SET modified_s = changed_s + 1")  # noqa: S608 - both names stand above
    op.create_index("subscriber_by_modified", "subscriber", ["cloud_id", "modified_s"])
    op.add_column("subscriber", sa.Column("expires_s", sa.Integer, nullable=True))
    op.add_column("install", sa.Column("state", sa.Text, nullable=False, server_default="active"))
    op.add_column("install", sa.Column("ended", sa.Text, nullable=False, server_default=""))
    op.add_column("install", sa.Column("ended_s", sa.Integer, nullable=False, server_default="0"))
    op.add_column("install", sa.Column("confirmed_s", sa.Integer, nullable=False, server_default="0"))
    op.add_column("install", sa.Column("seen_s", sa.Integer, nullable=False, server_default="0"))
    op.add_column("install", sa.Column("held_s", sa.Integer, nullable=False, server_default="0"))
    op.add_column("install", sa.Column("push_token", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "fleet_guard",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("holding", sa.Boolean, nullable=False),
        sa.Column("since_s", sa.Integer, nullable=False),
        sa.Column("released_s", sa.Integer, nullable=False),
        sa.Column("turns", sa.Integer, nullable=False),
    )
    op.create_table(
        "held_logout",
        sa.Column("install_id", sa.Text, primary_key=True),
        sa.Column("cloud_id", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("first_s", sa.Integer, nullable=False),
        sa.Column("last_s", sa.Integer, nullable=False),
    )
    op.create_index("held_by_cloud_id", "held_logout", ["cloud_id", "first_s"])
