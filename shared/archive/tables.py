"""The tables of the archive, the same on SQLite and PostgreSQL. `worker_service/archive/migrations` creates them.

The day comes first in the primary keys: rows are written day by day, so a report of all feeds reads a database from one end to the other.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

REVISION: Final = "0002"  # of the schema that this version of the software reads and writes

metadata: Final = MetaData()

# One row: the largest fencing token that has written, and the number of write transactions. Each of them locks this row first.
# Blocks have the changes up to `rolled_changes`, and the days up to `rolled_day`.
state: Final = Table(
    "archive_state",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("token", BigInteger, nullable=False),
    Column("changes", BigInteger, nullable=False),
    Column("rolled_changes", BigInteger, nullable=False),
    Column("rolled_day", Integer, nullable=False),
)

series: Final = Table(
    "archive_series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("room_id", String(64), nullable=False),
    Column("platform", String(32), nullable=False),
    Column("account", String(64), nullable=False),  # empty for the unnamed one
    UniqueConstraint("platform", "account", "room_id", name="archive_series_name"),
)

# A day of a series as Redis had it, minute by minute: `packed_day`. Kept for ARCHIVE_MINUTES_DAYS.
minutes: Final = Table(
    "archive_minutes",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970-01-01, in UTC
    Column("series_id", Integer, ForeignKey("archive_series.id"), primary_key=True),
    Column("step_seconds", SmallInteger, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
)

# The income of a day of a series: `rollup`. Kept for ever.
days: Final = Table(
    "archive_days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("series_id", Integer, ForeignKey("archive_series.id"), primary_key=True),
    Column("step_seconds", SmallInteger, primary_key=True, autoincrement=False),
    Column("earned", BigInteger, nullable=False),
    Column("between_sessions", BigInteger, nullable=False),
    Column("unsettled", BigInteger, nullable=False),
    Column("set_aside", Integer, nullable=False),
    Column("on_air_seconds", Integer, nullable=False),
    Column("gained", LargeBinary, nullable=False),
    Column("odd", LargeBinary, nullable=False),
    Column("minutes", LargeBinary, nullable=False),
    Column("on_air", LargeBinary, nullable=False),
    Column("is_settled", Boolean, nullable=False),
    Column("changed", BigInteger, nullable=False),  # the number of the transaction that wrote the row last
)
days_of_series: Final = Index("archive_days_of_series", days.c.series_id, days.c.day)
days_by_change: Final = Index("archive_days_by_change", days.c.changed)

# The same in blocks of 32 days, for reports of long spans: `blocks`. It is derived from the days above.
blocks: Final = Table(
    "archive_blocks",
    metadata,
    Column("series_id", Integer, ForeignKey("archive_series.id"), primary_key=True),
    Column("block", Integer, primary_key=True, autoincrement=False),  # 32 days each, since 1970-01-01
    Column("step_seconds", SmallInteger, primary_key=True, autoincrement=False),
    Column("days", BigInteger, nullable=False),
    Column("damaged", BigInteger, nullable=False, server_default="0"),
    Column("gained", LargeBinary, nullable=False),
    Column("odd", LargeBinary, nullable=False),
    Column("minutes", LargeBinary, nullable=False),
    Column("on_air", LargeBinary, nullable=False),
    Column("changed", BigInteger, nullable=False),
)
blocks_by_change: Final = Index("archive_blocks_by_change", blocks.c.changed)

# How far each day was copied. A day is final once Redis accepts no more readings of it.
passes: Final = Table(
    "archive_passes",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("copied_at", BigInteger, nullable=False),  # Unix second at which the last full copy of the day began
    Column("is_final", Boolean, nullable=False),
)
