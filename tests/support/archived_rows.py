"""What tests read of the archive of a running worker, from either database."""

from typing import NamedTuple

from sqlalchemy import func, select

from shared.archive.database import ArchiveUnavailable, Database
from shared.archive.tables import days, minutes, state
from shared.store.database_url import DatabaseUrl

Row = tuple[int, int, int]  # day, number of the series, income


class Archived(NamedTuple):
    """A consistent snapshot: the fencing token that wrote last, the income of days of series, and how many have minutes."""

    token: int
    rows: list[Row]
    minutes: int


NOTHING = Archived(0, [], 0)


def archived(url: str) -> Archived:
    """What an archive has; `NOTHING` before there is one."""
    database = Database(DatabaseUrl.parse(url), read_only=True)
    try:
        with database.transaction() as connection:
            if not database.url.is_sqlite:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if not connection.dialect.has_table(connection, state.name):
                return NOTHING
            token = connection.execute(select(state.c.token)).scalar() or 0
            found = connection.execute(select(days.c.day, days.c.series_id, days.c.earned).order_by(days.c.day, days.c.series_id)).all()
            count = connection.execute(select(func.count()).select_from(minutes)).scalar_one()
        return Archived(token, [(day, number, earned) for day, number, earned in found], count)
    except ArchiveUnavailable:
        return NOTHING
    finally:
        database.close()
