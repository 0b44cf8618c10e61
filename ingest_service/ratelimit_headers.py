"""Rate limits as producers read them: the fields of draft-ietf-httpapi-ratelimit-headers, revision 10.

A policy says how many readings GCRA lets come at once, and in how many seconds that many come back: `"room";q=20;w=4`. It is on every
answer, at no cost. The remaining quota is reported only with a refusal, where it is 0.
"""

import math

from ingest_service.limits import Limits


def policies(limits: Limits) -> dict[str, str]:
    """The `RateLimit-Policy` field of the limits that are on; empty without any."""
    rates = {
        "room": (limits.room_per_second, limits.room_burst_seconds),
        "token": (limits.token_per_second, limits.token_burst_seconds),
    }
    listed = [_policy(name, per_second, burst) for name, (per_second, burst) in rates.items() if per_second > 0]
    return {"RateLimit-Policy": ", ".join(listed)} if listed else {}


def _policy(name: str, per_second: float, burst_seconds: float) -> str:
    quota = max(1, int(per_second * burst_seconds))
    return f'"{name}";q={quota};w={math.ceil(quota / per_second)}'


def exhausted(name: str, seconds: int) -> dict[str, str]:
    """The `RateLimit` field of a refusal: nothing is left, and when some is again."""
    return {"RateLimit": f'"{name}";r=0;t={seconds}'}
