"""SIP accounts in other systems, and the sagas that make what users have there."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables; nobody has an account elsewhere yet."""
    op.create_table(
        "sip_account",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("cloud_id", sa.Text, nullable=False),
        sa.Column("subscriber_id", sa.Integer, nullable=False),
        sa.Column("install_id", sa.Text, nullable=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("aliases", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("former", sa.Text, nullable=False),
        sa.Column("coming", sa.Text, nullable=False),
        sa.Column("rotating", sa.Text, nullable=False),
        sa.Column("forgets", sa.Boolean, nullable=False),
        sa.Column("rotated_s", sa.Integer, nullable=False),
        sa.Column("former_until_s", sa.Integer, nullable=False),
        sa.Column("rotate_s", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("confirmed", sa.Boolean, nullable=False),
        sa.Column("leaving_s", sa.Integer, nullable=False),
        sa.Column("created_s", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_s", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("runner", sa.Text, nullable=False),
        sa.Column("leased_s", sa.Integer, nullable=False),
    )
    op.create_table(
        "saga",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("cloud_id", sa.Text, nullable=False),
        sa.Column("subscriber_id", sa.Integer, nullable=False),
        sa.Column("install_id", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("is_over", sa.Boolean, nullable=False),
        sa.Column("began_s", sa.Integer, nullable=False),
        sa.Column("next_s", sa.Integer, nullable=False),
        sa.Column("ended_s", sa.Integer, nullable=False),
        sa.Column("runner", sa.Text, nullable=False),
        sa.Column("leased_s", sa.Integer, nullable=False),
    )
    owner = ["cloud_id", "subscriber_id", "install_id"]
    op.create_index("sip_account_of_owner", "sip_account", [*owner, "system", "domain"], unique=True)
    op.create_index("sip_account_by_address", "sip_account", ["system", "domain", "username"], unique=True)
    for name, table, column, where in (
        ("sip_account_to_do", "sip_account", "next_s", "done < version"),
        ("sip_account_by_rotation", "sip_account", "rotate_s", "rotate_s > 0"),
        ("sip_account_overlapping", "sip_account", "former_until_s", "former <> ''"),
        ("saga_to_do", "saga", "next_s", "is_over = 0"),
        ("saga_by_end", "saga", "ended_s", "is_over = 1"),
    ):
        op.create_index(name, table, [column], sqlite_where=sa.text(where))
    op.create_index("one_saga_of_each", "saga", owner, unique=True, sqlite_where=sa.text("is_over = 0"))
