"""The broadcast service's settings."""

from typing import Annotated

from msgspec import Meta

from shared.settings import OptionalDatabase, Port, PositiveSeconds, ServiceSettings

Cap = Annotated[int, Meta(ge=0, description="a number of connections, 0 for no cap")]


class BroadcastSettings(ServiceSettings, frozen=True, kw_only=True):
    """What the broadcast service reads beside the common settings."""

    broadcast_host: Annotated[str, Meta(description="an address to listen on")] = "127.0.0.1"
    broadcast_port: Port = 8002
    metrics_port: Port = 9102
    heartbeat_seconds: PositiveSeconds = 15
    flush_share: Annotated[float, Meta(gt=0, le=1, description="above 0, up to 1: the part of the loop's time that fan-out may take")] = 0.4
    flush_max_pause_ms: Annotated[float, Meta(ge=0, le=1000, description="milliseconds from 0 to 1000; 0 switches pacing off")] = 25
    websocket_compression: Annotated[bool, Meta(description="true or false: compress for clients that ask for it")] = False
    max_connections: Cap = 20_000
    max_connections_per_subject: Cap = 10_000
    max_connections_per_address: Cap = 10_000
    studio_file: Annotated[str, Meta(description="the path of a studio.toml")] = ""
    database_url: OptionalDatabase = None
    read_share: Annotated[float, Meta(ge=0, le=1, description="a part of a core from 0 to 1, 0 for no limit")] = 0.075
