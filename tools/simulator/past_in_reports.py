"""Measures when reports of the broadcast service have the past that an archive was given."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import urlencode

from shared.contract.history_record import DAY_SECONDS

WITHIN_SECONDS: Final = 300.0
POLL_SECONDS: Final = 0.25


def query(days: int, now_seconds: int, attempt: int) -> str:
    """Asks for so many days before today, by day. Each attempt begins a minute earlier, so that none gets a report that is kept."""
    today = now_seconds // DAY_SECONDS * DAY_SECONDS
    return urlencode({"from": today - days * DAY_SECONDS - 60 * attempt, "to": today - 60 * attempt, "step": DAY_SECONDS})


def has_all(report: dict[str, list[int]]) -> bool:
    """Whether every day of a report was measured."""
    return all(report["measured_minutes"])


async def seconds_until_reported(url: str, token: str, days: int, began: float) -> float | None:
    """How long after a moment of the monotonic clock reports have the days before today; None if that takes minutes."""
    attempt = 0
    while time.monotonic() - began < WITHIN_SECONDS:
        address = f"{url}/api/tracking/analytics?{query(days, int(time.time()), attempt % 360)}"
        try:
            if has_all(await asyncio.to_thread(_answer, address, token)):
                return time.monotonic() - began
        except (urllib.error.URLError, OSError):
            pass  # the service is busy, or the budget of reads is used up; a later attempt counts
        await asyncio.sleep(POLL_SECONDS)
        attempt += 1
    return None


def _answer(address: str, token: str) -> dict[str, list[int]]:
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        found: dict[str, list[int]] = json.load(response)
        return found
