"""Blocks name the days whose income is damaged, so that reports name them too."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the column, and lets the worker make all blocks anew, which fills it."""
    op.add_column("archive_blocks", sa.Column("damaged", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("UPDATE archive_state SET rolled_changes = 0")


def downgrade() -> None:
    """Removes the column."""
    op.drop_column("archive_blocks", "damaged")
