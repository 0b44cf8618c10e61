"""What a `ShardListener` delivers to: the relay, or any other consumer of readings, such as an archive.

A sink knows which readings it received, and between which versions it may have missed some:

- `Source.LIVE`: every reading that is accepted is published once, so live readings of a shard arrive complete and in the order of their
  versions while its subscription is confirmed. The service answers `late` for a reading that is older than the stored one; such a reading
  is in the history, is not published, and reaches no sink.
- `Source.STORED`: Redis stores only the latest reading of a feed. Where several readings of a feed were committed while the subscription
  was lost, the sink receives the last one, and those before it are conflated.
- `advance` bounds the gap. Between the last version before `set_confirmed(confirmed=False)` and the first version after
  `set_confirmed(confirmed=True)` readings may have been conflated; outside of such gaps none is missing.
- The same reading can arrive twice, live and stored, and a stored reading can arrive after a live one that is newer. The feed and the
  version identify a reading.
"""

import enum
from collections.abc import Sequence
from typing import Protocol

from shared.contract.readings import StoredReading


class Source(enum.Enum):
    """Where a reading came from: the events channel, or the stored values that a reconcile reads."""

    LIVE = "live"
    STORED = "stored"


class ReadingSink(Protocol):
    """A consumer of the readings of all shards. Its methods run on the event loop and never wait; an exception stops the process."""

    def receive(self, readings: Sequence[StoredReading], source: Source, now_seconds: float) -> int:
        """Takes readings of one shard, in the order of their versions; returns how many of them were new to the sink."""

    def lacks(self, room_id: str, platform: str, version: int) -> bool:
        """Whether a reconcile should read the stored value of a feed, which has this version."""

    def advance(self, shard: int, version: int, *, of_commit: bool) -> None:
        """Every reading of a shard up to `version` has been received, or conflated. Called only while the subscription is confirmed.

        `of_commit`: it is the version of a reading, else that of a probe or of a whole reconcile.
        """

    def mark_reconciled(self, shard: int) -> None:
        """All stored values of a shard have been received."""

    def set_confirmed(self, shard: int, *, confirmed: bool) -> None:
        """The subscription of a shard was confirmed, by a probe that came back and a full reconcile, or it was lost."""

    def read_delay_seconds(self, busy_seconds: float) -> float:
        """How long published messages may stay unread because the sink would not use them yet; 0 for no delay.

        `busy_seconds` is the time that the last reading of the socket took, with the sink's part in it.
        """
