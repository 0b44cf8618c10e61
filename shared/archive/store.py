"""Queries that both services make of the archive. They run in threads."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, select

from shared.archive.packed_day import UnreadableDay, unpack
from shared.archive.tables import minutes, series
from shared.contract.feeds import Series
from shared.contract.history_day import StoredDay

IDS_AT_ONCE = 500  # in one list of a statement


def series_ids(connection: Connection) -> dict[Series, int]:
    """The number of every series."""
    rows = connection.execute(select(series.c.room_id, series.c.platform, series.c.account, series.c.id))
    return {Series(room_id, platform, account): number for room_id, platform, account, number in rows}


def stored_days(
    connection: Connection,
    ids: Sequence[int],
    days: Iterable[int],
    step_seconds: int,
    on_unreadable: Callable[[tuple[int, int], UnreadableDay], None] | None = None,
) -> dict[tuple[int, int], StoredDay]:
    """What the archive has of some days of some series, by number of the series and day.

    A day that cannot be read is left out and passed to `on_unreadable`; without that it raises UnreadableDay.
    """
    days = [*days]
    found = {}
    for first in range(0, len(ids), IDS_AT_ONCE):
        wanted = select(minutes.c.series_id, minutes.c.day, minutes.c.packed).where(
            minutes.c.day.in_(days), minutes.c.series_id.in_(ids[first : first + IDS_AT_ONCE]), minutes.c.step_seconds == step_seconds
        )
        for number, day, packed in connection.execute(wanted):
            try:
                found[number, day] = unpack(bytes(packed), step_seconds)
            except UnreadableDay as error:
                if on_unreadable is None:
                    raise
                on_unreadable((number, day), error)
    return found
