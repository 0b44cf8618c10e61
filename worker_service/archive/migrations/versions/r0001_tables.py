"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates all tables."""
    op.create_table(
        "archive_state",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("changes", sa.BigInteger, nullable=False),
        sa.Column("rolled_changes", sa.BigInteger, nullable=False),
        sa.Column("rolled_day", sa.Integer, nullable=False),
    )
    op.execute("INSERT INTO archive_state (id, token, changes, rolled_changes, rolled_day) VALUES (1, 0, 0, 0, 0)")
    op.create_table(
        "archive_series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("room_id", sa.String(64), nullable=False),
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.UniqueConstraint("platform", "account", "room_id", name="archive_series_name"),
    )
    op.create_table(
        "archive_minutes",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("series_id", sa.Integer, sa.ForeignKey("archive_series.id"), primary_key=True),
        sa.Column("step_seconds", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "archive_days",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("series_id", sa.Integer, sa.ForeignKey("archive_series.id"), primary_key=True),
        sa.Column("step_seconds", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("earned", sa.BigInteger, nullable=False),
        sa.Column("between_sessions", sa.BigInteger, nullable=False),
        sa.Column("unsettled", sa.BigInteger, nullable=False),
        sa.Column("set_aside", sa.Integer, nullable=False),
        sa.Column("on_air_seconds", sa.Integer, nullable=False),
        sa.Column("gained", sa.LargeBinary, nullable=False),
        sa.Column("odd", sa.LargeBinary, nullable=False),
        sa.Column("minutes", sa.LargeBinary, nullable=False),
        sa.Column("on_air", sa.LargeBinary, nullable=False),
        sa.Column("is_settled", sa.Boolean, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
    )
    op.create_index("archive_days_of_series", "archive_days", ["series_id", "day"])
    op.create_index("archive_days_by_change", "archive_days", ["changed"])
    op.create_table(
        "archive_blocks",
        sa.Column("series_id", sa.Integer, sa.ForeignKey("archive_series.id"), primary_key=True),
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step_seconds", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("days", sa.BigInteger, nullable=False),
        sa.Column("gained", sa.LargeBinary, nullable=False),
        sa.Column("odd", sa.LargeBinary, nullable=False),
        sa.Column("minutes", sa.LargeBinary, nullable=False),
        sa.Column("on_air", sa.LargeBinary, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
    )
    op.create_index("archive_blocks_by_change", "archive_blocks", ["changed"])
    op.create_table(
        "archive_passes",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("copied_at", sa.BigInteger, nullable=False),
        sa.Column("is_final", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Removes all tables with their rows."""
    for table in ("archive_passes", "archive_blocks", "archive_days", "archive_minutes", "archive_series", "archive_state"):
        op.drop_table(table)
