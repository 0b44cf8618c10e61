"""The list of archived days is read in short stretches of the event loop."""

import asyncio
from typing import cast

import pytest

from broadcast_service.reports.archived_days import AT_ONCE, ArchivedDays
from broadcast_service.reports.days import RedisDays
from broadcast_service.reports.feeds import FeedIndex
from shared.archive.reader import ArchiveReader, BlockDays, Changes
from shared.contract.feeds import Series
from shared.store.redis import Store

pytestmark = pytest.mark.anyio

ROOMS = 1000
BLOCK = 600


class Listed:
    """An archive that has two days of each room, and answers without a pause."""

    async def changes(self, _first_recent: int) -> Changes:
        """One block of each room."""
        return Changes([], [BlockDays(Series(f"room-{one}", "x", "ana"), BLOCK, 0b11) for one in range(ROOMS)], 32 * BLOCK + 1, None)


class Nothing:
    """A Redis that keeps no day, and answers without a pause."""

    step_seconds = 60
    index = FeedIndex(cast("Store", None), 1)

    def days(self, _now_seconds: int) -> range:
        """The days after the archived ones."""
        return range(32 * BLOCK + 2, 32 * BLOCK + 3)

    async def refresh_among(self, _days: range, _kept: range) -> FeedIndex:
        """The index without a day."""
        return self.index


async def test_other_tasks_have_a_turn_after_every_few_rows_of_the_list() -> None:
    source = ArchivedDays(cast("RedisDays", Nothing()), cast("ArchiveReader", Listed()))
    turns = 0

    def turn() -> None:
        """A turn of another task."""
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    turn()
    days = await source.refresh(0)
    assert days.start == 32 * BLOCK
    assert len(Nothing.index.accounts(Series("room-7", "x", "").feed)) == 1
    assert turns >= 2 * ROOMS // AT_ONCE  # the rows are looked at twice
    assert AT_ONCE <= 50
