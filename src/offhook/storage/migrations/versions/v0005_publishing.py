"""Publishing: who published what, and who else approved of it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables; of what was published before, the versions tell as much as is known."""
    op.create_table(
        "publication",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("published_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("approved_by", sa.Text, nullable=False),
        sa.Column("approved_account", sa.Text, nullable=False),
        sa.Column("approved_s", sa.Integer, nullable=True),
    )
    op.create_table(
        "approval",
        sa.Column("cloud_id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("author", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("given_s", sa.Integer, nullable=False),
    )
