"""The interface that receives the events of a connection that was taken over."""

from typing import Protocol


class Receiver(Protocol):
    """Receives the events of a connection that was taken over."""

    def on_text(self, data: bytes) -> None:
        """A complete text message was received."""

    def on_binary(self) -> None:
        """A binary message was received."""

    def is_over_budget(self) -> bool:
        """Whether nothing more should be read of this client for now."""

    def on_flood(self) -> None:
        """More frames were received than the limit."""

    def on_crash(self) -> None:
        """Handling a message raised an exception."""

    def on_pause(self) -> None:
        """The socket has not taken everything that was written."""

    def on_resume(self) -> None:
        """The socket has taken everything."""

    def on_lost(self) -> None:
        """The connection is gone."""
