"""The ingest service's settings."""

from typing import Annotated

from msgspec import Meta

from shared.settings import Port, PositiveSeconds, ServiceSettings

Rate = Annotated[float, Meta(ge=0, le=1_000_000, description="readings per second up to 1000000, 0 for no limit")]


class IngestSettings(ServiceSettings, frozen=True, kw_only=True):
    """What the ingest service reads beside the common settings."""

    ingest_host: Annotated[str, Meta(description="an address to listen on")] = "127.0.0.1"
    ingest_port: Port = 8001
    metrics_port: Port = 9101
    rate_limit_room_per_second: Rate = 5
    rate_limit_token_per_second: Rate = 2000
    rate_limit_new_feeds_per_second: Annotated[
        float, Meta(ge=0, le=1_000_000, description="new feeds per second up to 1000000, 0 for no limit")
    ] = 1
    rate_limit_new_feeds_burst: Annotated[int, Meta(ge=1, le=1_000_000, description="a number of feeds from 1 to 1000000")] = 5000
    max_feeds_per_room: Annotated[int, Meta(ge=1, le=1000, description="a number of feeds from 1 to 1000")] = 16
    max_feeds_per_day: Annotated[int, Meta(ge=1, le=10_000_000, description="a number of feeds from 1 to 10000000")] = 20_000
    body_timeout_seconds: PositiveSeconds = 10
