"""A lease in Redis: of several instances, one holds it and works, and another takes over when the holder has stopped renewing it.

The algorithms are documented elsewhere, none is new:

- Acquire with `SET NX PX`, renew and release only if the stored value is one's own: Redis documentation, "Distributed Locks with Redis",
  section "Correct implementation with a single instance" (https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/).
- Fencing: every holder gets a larger token than all holders before, and the written store refuses a smaller token than it has seen.
  Martin Kleppmann, "How to do distributed locking", 2016 (https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html).
  The token, not the lease, is what keeps a holder from writing after it was suspended: no check of a clock can.
- A candidate also takes over a lease whose value it has not seen change for the whole term, by its own monotonic clock, as
  client-go's leader election in Kubernetes does. Redis expires keys by its wall clock, which may be set back.

A token is the larger of the last token + 1 and Redis' time in µs, so that tokens also grow when Redis has lost its data. If it has lost
them and its clock was set back, the database refuses the new token; the job raises `FencedOff`, and the next token is above the one that
the database has.
"""

import time
from typing import Any, Final

import structlog
from prometheus_client import Counter, Gauge

from shared.contract import keys
from shared.store.reasons import reason_of
from shared.store.redis import RedisError, Store

TERM_SECONDS: Final = 6.0  # a killed holder is replaced after this and one retry
MARGIN_SECONDS: Final = 1.0  # how much earlier than its candidates a holder considers its lease ended
RENEW_SECONDS: Final = 1.5
RETRY_SECONDS: Final = 1.0

# All three run when Redis is full: a lease needs a few bytes, and the archive that it guards is wanted most then.
_ACQUIRE: Final = """#!lua flags=allow-oom
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[4] then return {'', held} end
local now = redis.call('TIME')
local token = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, now[1] * 1000000 + now[2], tonumber(ARGV[3]) + 1)
local text = string.format('%.0f', token)
redis.call('SET', KEYS[2], text)
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. text .. ':0', 'PX', ARGV[2])
return {text, ''}
"""
_RENEW: Final = """#!lua flags=allow-oom
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[3], 'PX', ARGV[2])
return 1
"""
_RELEASE: Final = """#!lua flags=allow-oom
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

held = Gauge("pulse_worker_lease_held", "1 while this instance holds the lease and runs the jobs, otherwise 0")
changes = Counter("pulse_worker_lease_changes_total", "How often this instance acquired the lease, and how it ended", ["change"])

log = structlog.get_logger()


class LeaseLost(Exception):
    """This instance may not write any more: another one may hold the lease, or may acquire it at any moment."""


class FencedOff(LeaseLost):
    """The database has accepted a larger token than the holder's, and refuses its writes."""

    def __init__(self, highest: int) -> None:
        super().__init__("the database has accepted a larger fencing token")
        self.highest = highest


def seconds() -> float:
    """A clock that runs on while the process or the whole system is suspended, and that no one sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """One term of holding the lease. Jobs get it, check it before each write, and write its token with their data."""

    def __init__(self, token: int, ends_at: float) -> None:
        self.token = token
        self._ends_at = ends_at
        self._began = seconds()

    def redis_seconds(self) -> float:
        """The Unix time by the clock of Redis, or a later one: a token is not smaller than that clock, which then went on."""
        return self.token / 1_000_000 + seconds() - self._began

    def fence(self) -> int:
        """The fencing token; raises LeaseLost when the term is over or was ended."""
        if seconds() >= self._ends_at:
            raise LeaseLost("the lease was not renewed in time")
        return self.token

    def prolong(self, ends_at: float) -> None:
        """Moves the end, unless the lease has ended: a term that is over does not begin again."""
        self.fence()
        self._ends_at = ends_at

    def end(self) -> None:
        """Ends the term at once."""
        self._ends_at = float("-inf")


class LeaseKeeper:
    """How one instance acquires, renews and releases a lease. `instance` is unique to the process and contains no colon."""

    def __init__(self, store: Store, name: str, instance: str) -> None:
        self._store = store
        self._keys = (keys.lease(name), keys.lease_token(name))
        self._instance = instance
        self._floor = 0
        self._beat = 0
        self._seen: tuple[bytes, float] = (b"", 0.0)

    async def acquire(self) -> Lease | None:
        """The lease, None while another instance holds it; raises RedisError."""
        before = seconds()
        value, since = self._seen
        expired = value if value and before - since >= TERM_SECONDS else b""
        token, found = await self._run(_ACQUIRE, 2, self._instance, _milliseconds(TERM_SECONDS), self._floor, expired)
        if not token:
            if found != value:
                self._seen = (found, before)
            return None
        self._seen, self._beat = (b"", 0.0), 0
        return Lease(int(token), before + TERM_SECONDS - MARGIN_SECONDS)

    async def renew(self, lease: Lease) -> None:
        """Prolongs the lease; raises LeaseLost if another instance has it or Redis has lost it, and RedisError."""
        before = seconds()
        self._beat += 1
        if not await self._run(_RENEW, 1, self._mark(lease), _milliseconds(TERM_SECONDS), self._beat):
            lease.end()
            raise LeaseLost("Redis does not know this holder any more")
        lease.prolong(before + TERM_SECONDS - MARGIN_SECONDS)

    async def release(self, lease: Lease) -> None:
        """Ends the lease and, if Redis answers, lets the next instance have it at once."""
        lease.end()
        try:
            await self._run(_RELEASE, 1, self._mark(lease))
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("lease.not_released", reason=reason_of(error))

    def raise_floor(self, token: int) -> None:
        """Makes the next token larger than one that the database has."""
        self._floor = max(self._floor, token)

    def _mark(self, lease: Lease) -> str:
        return f"{self._instance}:{lease.token}:"

    async def _run(self, script: str, count: int, *arguments: Any) -> Any:
        return await self._store.health(self._keys[0]).eval(script, count, *self._keys[:count], *arguments)


def _milliseconds(duration: float) -> int:
    return int(duration * 1000)
