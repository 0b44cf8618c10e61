"""The HTTP protocol of the broadcast service, which turns a connection into a WebSocket."""

from typing import Any

from broadcast_service.websocket.handshake_limiter import HandshakeLimiter
from broadcast_service.websocket.protocol import PulseProtocol
from shared.web.address_budget import HANDSHAKE
from shared.web.http_protocol import ACCOUNT, HttpProtocol


class PulseHttpProtocol(HttpProtocol):
    """uvicorn's HTTP protocol; it passes an upgrade on as parsed, instead of serializing it to be parsed again."""

    def __init__(self, *arguments: Any, handshakes: HandshakeLimiter, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._handshakes = handshakes

    def handle_websocket_upgrade(self) -> None:
        """Gives the transport to a `PulseProtocol`."""
        self.connections.discard(self)
        account = self.scope[ACCOUNT]  # type: ignore[typeddict-item]
        self._budget.charge(account, HANDSHAKE, self.loop.time())
        socket_protocol = PulseProtocol(
            self.config, self.server_state, self.transport, self._handshakes, budget=self._budget, account=account
        )
        self.transport.set_protocol(socket_protocol)
        self.parser = None  # type: ignore[assignment]  # breaks the reference cycle of parser and protocol
        socket_protocol.open(self.scope, self.url)
