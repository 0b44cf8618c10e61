"""The list of tokens ended before their time: one sorted set in Redis, a copy in every process.

Each process reads the (short) list every second, so a revocation takes effect everywhere within about two seconds. Each read also confirms
that Redis answers, for readiness. No token is accepted before the first read. While Redis does not answer, or if it has lost its data, the
list that this process has read stays in force.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog

from shared.auth.audit import Audit
from shared.contract.keys import REVOKED_TOKENS
from shared.contract.problems import Problem
from shared.store.reasons import reason_of
from shared.store.redis import RedisError, Store
from shared.web.jobs import sleep

REFRESH_SECONDS = 1.0

log = structlog.get_logger()


# A full store refuses ZADD, and a script without the flag; ending the token that filled it has to work. A time is never lowered.
_REVOKE: Final = """#!lua flags=allow-oom
redis.call('ZADD', KEYS[1], 'GT', ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
"""


async def revoke(store: Store, token_id: str, until_seconds: int) -> None:
    """Ends a token; it stays in the list until it would have expired, or longer if an earlier call said so."""
    await store.owner(REVOKED_TOKENS).eval(_REVOKE, 1, REVOKED_TOKENS, until_seconds, token_id, int(time.time()) - 60)


async def listed(store: Store) -> dict[str, float]:
    """Every ended token that has not expired by itself, with the second at which it would; raises RedisError."""
    redis = store.health(REVOKED_TOKENS)
    found: list[tuple[bytes, float]] = await redis.zrangebyscore(REVOKED_TOKENS, int(time.time()), "+inf", withscores=True)  # type: ignore[assignment]
    return {token_id.decode(errors="replace"): until for token_id, until in found}


class Revocations:
    """This process' copy of the list. `on_change` is called with every token newly revoked."""

    def __init__(self, store: Store, audit: Audit, on_change: Callable[[set[str]], None] = lambda _ended: None) -> None:
        self._store = store
        self._audit = audit
        self._on_change = on_change
        self._ended: dict[str, float] = {}
        self._confirmed_at = float("-inf")

    def __contains__(self, token_id: object) -> bool:
        """Whether a token was ended; raises a 503 Problem before the list was read for the first time."""
        if self._confirmed_at == float("-inf"):
            raise Problem(503, "the list of revoked tokens has not been read yet", retry_after_seconds=1)
        return token_id in self._ended

    def seconds_since_confirmed(self) -> float:
        """How long ago Redis last answered; infinite before the first answer."""
        return time.monotonic() - self._confirmed_at

    async def refresh(self) -> None:
        """Reads the list once; raises RedisError."""
        ended, now = await listed(self._store), time.time()
        self._confirmed_at = time.monotonic()
        new = ended.keys() - self._ended.keys()
        # A Redis that lost its data has forgotten the list; this process has not.
        self._ended = {token_id: until for token_id, until in self._ended.items() if until >= now} | ended
        if new:
            self._report(set(new))

    def _report(self, ended: set[str]) -> None:
        self._audit.record_revoked(ended)
        self._on_change(ended)

    async def run(self) -> None:
        """Refreshes for ever. An outage of Redis is an expected state and is logged once."""
        away = False
        while True:
            try:
                await self.refresh()
                away = False
            except (RedisError, OSError, TimeoutError) as error:
                if not away:
                    log.warning("revocations.unavailable", error=type(error).__name__, reason=reason_of(error))
                away = True
            await sleep(REFRESH_SECONDS)
