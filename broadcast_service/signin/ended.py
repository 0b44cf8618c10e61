"""Which screens were signed out before their time: one sorted set in Redis, a copy in every process, as for revoked tokens."""

import contextlib
import time
from collections.abc import Callable, Container
from typing import Final

from shared.auth.screens import all_screens, end_screens
from shared.contract import keys
from shared.store.redis import RedisError, Store
from shared.web.jobs import sleep

REFRESH_SECONDS: Final = 1.0


class EndedScreens:
    """This process' copy of the list; `run` is the task that keeps it.

    `tokens` is the list of revoked tokens, `on_change` is called with every screen newly ended. What this process has read stays in force
    while Redis does not answer, or has lost its data.
    """

    def __init__(self, store: Store, tokens: Container[str], on_change: Callable[[set[str]], None]) -> None:
        self._store = store
        self._tokens = tokens
        self._on_change = on_change
        self._ended: dict[str, float] = {}
        self._revoked: set[str] = set()

    def __contains__(self, token_id: object) -> bool:
        """Whether a screen or a token was ended."""
        return token_id in self._ended or token_id in self._tokens

    def end_derived(self, token_ids: set[str]) -> None:
        """Ends the screens that came from tokens which were just revoked, so that they stay ended when the list forgets the tokens."""
        self._revoked |= token_ids

    async def refresh(self) -> None:
        """Reads the list once and ends the screens that are due; raises RedisError, OSError or TimeoutError."""
        now = int(time.time())
        redis = self._store.health(keys.ENDED_SCREENS)
        found: list[tuple[bytes, float]] = await redis.zrangebyscore(keys.ENDED_SCREENS, now, "+inf", withscores=True)  # type: ignore[assignment]
        ended = {screen_id.decode(errors="replace"): until for screen_id, until in found}
        new = ended.keys() - self._ended.keys()
        self._ended = {screen_id: until for screen_id, until in self._ended.items() if until >= now} | ended
        if new:
            self._on_change(set(new))
        if self._revoked:
            due = self._revoked.copy()
            await end_screens(self._store, [s for s in await all_screens(self._store, now) if due & {s.screen_id, *s.derived_from}])
            self._revoked -= due

    async def run(self) -> None:
        """Refreshes for ever. The list of revoked tokens reports an outage of Redis; this one only waits it out."""
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self.refresh()
            await sleep(REFRESH_SECONDS)
