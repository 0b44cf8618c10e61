"""The viewers of an hour are counted once for all who ask for them."""

import asyncio
import time
from collections import Counter
from typing import Any, cast

import pytest

from broadcast_service.reports.audience import Audiences
from shared.auth.scope import Scope

WEEK_SECONDS = 7 * 86_400


@pytest.mark.anyio
async def test_equal_requests_at_the_same_time_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dashboards that are reloaded together; another scope and another hour are counted by themselves."""
    counted: list[tuple[Scope, int, int]] = []

    async def sums(_self: Audiences, scope: Scope, start: int, end: int, _charge: object) -> Counter[int]:
        counted.append((scope, start, end))
        await asyncio.sleep(0)
        return Counter({0: 100, 1: 50})

    monkeypatch.setattr(Audiences, "_sums", sums)
    audiences = Audiences(cast("Any", None), cast("Any", None))
    end, everything = int(time.time()) - WEEK_SECONDS, Scope.of(["*"])
    asked = [(everything, end - 3600, end)] * 10 + [(Scope.of(["blue"]), end - 3600, end), (everything, end - 7200, end - 3600)]
    found = await asyncio.gather(*(audiences.mean(*one, lambda _price: None) for one in asked))
    assert sorted(Counter(counted).values()) == [1, 1, 1]
    assert {one.viewers for one in found} == {75}
