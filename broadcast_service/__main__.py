"""`python -m broadcast_service`: runs the broadcast service from the environment's settings."""

import functools
import resource
import socket
from typing import Final

import uvicorn

from broadcast_service.app import connection_limits, create_app
from broadcast_service.sessions.registry import Sessions
from broadcast_service.settings import BroadcastSettings
from broadcast_service.websocket.handshake_limiter import HandshakeLimiter
from broadcast_service.websocket.http_upgrade import PulseHttpProtocol
from broadcast_service.websocket.protocol import PulseProtocol
from shared.settings import SettingsError
from shared.store.redis import Store
from shared.studio.faults import StudioError
from shared.web.address_budget import AddressBudget
from shared.web.server import Server, config, run
from shared.web.startup import prepare, refuse

SHUTDOWN_SECONDS: Final = 3
MAX_MESSAGE_BYTES: Final = 4096
HANDSHAKES_PER_ITERATION: Final = 16  # they take some milliseconds
BACKLOG: Final = 4096  # all dashboards of a studio can reconnect together


class BroadcastServer(Server):
    """Drains the sessions before uvicorn's own shutdown, which would drop their connections."""

    def __init__(self, config: uvicorn.Config, metrics: uvicorn.Config, sessions: Sessions) -> None:
        super().__init__(config, metrics)
        self._sessions = sessions

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops listening, drains the sessions, then lets uvicorn end the other connections."""
        for server in self.servers:
            server.close()
        await self._sessions.drain()
        await super().shutdown(sockets)


def main() -> int:
    """Serves until SIGTERM or SIGINT; returns the exit status."""
    settings, metrics, spans = prepare("broadcast", BroadcastSettings)
    _raise_descriptor_limit()
    sessions = Sessions(connection_limits(settings))
    try:
        app = create_app(settings, Store(settings.redis_url), sessions, lambda: server.crash(), spans)
    except (StudioError, SettingsError) as error:
        refuse("broadcast", error.problems)
    options = config(
        app,
        host=settings.broadcast_host,
        port=settings.broadcast_port,
        http=functools.partial(
            PulseHttpProtocol,
            handshakes=HandshakeLimiter(HANDSHAKES_PER_ITERATION),
            budget=AddressBudget(settings.address_share, settings.forwarded_allow_ips.values),
        ),
        ws=PulseProtocol,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=settings.websocket_compression,
        ws_ping_interval=None,  # the heartbeat pings all clients with one timer
        backlog=BACKLOG,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        forwarded_allow_ips=settings.forwarded_allow_ips.values,
    )
    server = BroadcastServer(options, metrics, sessions)
    return run(server)


def _raise_descriptor_limit() -> None:
    """Raises the soft limit on descriptors, often 1,024, to the hard limit: each socket needs one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    raise SystemExit(main())
