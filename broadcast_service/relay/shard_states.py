"""What the listeners have reported of each shard, and what follows for a set of shards. No I/O.

An audience needs the shards of its exact rooms, or all shards if it has a prefix: what its clients are sent about the link to Redis depends
on these alone.
"""

from collections.abc import Iterable
from typing import Final, Self

from shared.auth.scope import Scope
from shared.contract import keys

RESUME_VERSION_STEP_US: Final = 500_000

Shards = frozenset[int]


class ShardStates:
    """The states of all shards.

    `released`: no client needs the shard, so its listener does not listen. `awaited`: a client needs it again, and its listener has not
    read the stored values yet.
    """

    def __init__(self, count: int) -> None:
        self.all = Shards(range(count))
        self.released: set[int] = set()
        self._unconfirmed = set(self.all)
        self._unread = set(self.all)
        self._awaited: set[int] = set()
        self._watermarks = [0] * count
        self._resume_versions = [0] * count
        self._complete_from = [0] * count

    def copy(self) -> Self:
        """The states of now, which no later report changes."""
        other = object.__new__(type(self))
        other.all = self.all
        other.released, other._unconfirmed = set(self.released), set(self._unconfirmed)
        other._unread, other._awaited = set(self._unread), set(self._awaited)
        other._watermarks, other._resume_versions = list(self._watermarks), list(self._resume_versions)
        other._complete_from = list(self._complete_from)
        return other

    # --- what the listeners report ---

    def advance(self, shard: int, version: int, *, of_commit: bool) -> None:
        """All readings of a shard up to `version` have been applied. `of_commit`: it is the version of a reading, not of a probe."""
        self._watermarks[shard] = max(self._watermarks[shard], version)
        if not of_commit:
            self._resume_versions[shard] = max(self._resume_versions[shard], version - version % RESUME_VERSION_STEP_US)
        if not self._complete_from[shard] and shard not in self._unconfirmed:
            self._complete_from[shard] = self._watermarks[shard]

    def set_confirmed(self, shard: int, *, confirmed: bool) -> bool:
        """A shard's subscription was confirmed or lost; returns whether that is a change."""
        before = shard not in self._unconfirmed
        if confirmed:
            self._unconfirmed.discard(shard)
        else:
            self._unconfirmed.add(shard)
            self._complete_from[shard] = 0
        return confirmed != before

    def set_read(self, shard: int) -> bool:
        """All stored values of a shard have been applied; returns whether that is the first time, or the first since its release."""
        before = shard not in self._unread
        self._unread.discard(shard)
        self._awaited.discard(shard)
        return not before

    def release(self, shard: int) -> None:
        """A shard's listener no longer listens."""
        self.released.add(shard)
        self._unread.add(shard)
        self._awaited.discard(shard)

    def await_(self, shard: int) -> None:
        """A released shard is needed again."""
        if shard in self.released:
            self.released.discard(shard)
            self._awaited.add(shard)

    def end_wait(self, shard: int) -> bool:
        """Clients no longer wait for a shard; returns whether they did."""
        waited = shard in self._awaited
        self._awaited.discard(shard)
        return waited

    # --- what follows ---

    def of_scope(self, scope: Scope) -> Shards:
        """The shards that the rooms of a scope can be in."""
        if scope.prefixes or len(self.all) == 1:
            return self.all
        return Shards(keys.shard_of(room, len(self.all)) for room in scope.rooms)

    def upstream(self, shards: Shards) -> str:
        """`ok` while the subscriptions of these shards are confirmed, else `degraded`."""
        return "ok" if self._unconfirmed.isdisjoint(shards) else "degraded"

    def decides_upstream(self, shard: int, shards: Shards) -> bool:
        """Whether a change of this shard changes `upstream(shards)`."""
        return shard in shards and (self._unconfirmed - {shard}).isdisjoint(shards)

    def is_complete(self, shards: Shards) -> bool:
        """Whether the stored values of these shards have been read at least once; before that, some rooms may be unknown."""
        return self._unread.isdisjoint(shards)

    def is_awaited(self, shards: Shards) -> bool:
        """Whether clients wait until one of these shards has been read."""
        return not self._awaited.isdisjoint(shards)

    def resume_version(self, shards: Shards) -> int:
        """The version up to which all commits of these shards are in the log, rounded down.

        Only probes advance it. They arrive at a fixed rate, so it does not reveal to a client when rooms outside its scope have commits.
        The overlap of a resume is twenty times as wide as the rounding.
        """
        return min(self._of(self._resume_versions, shards))

    def complete_from(self, shards: Shards) -> int:
        """The version from which on no reading and no expiry of these shards was missed; 0 while one of them may miss some."""
        versions = list(self._of(self._complete_from, shards))
        return max(versions) if all(versions) else 0

    def newest_version(self) -> int:
        """The newest version that any shard has reported."""
        return max(self._watermarks)

    def _of(self, versions: list[int], shards: Shards) -> Iterable[int]:
        """The versions of some shards; of all shards for a scope without rooms."""
        return versions if shards is self.all or not shards else [versions[shard] for shard in shards]
