"""Reads what a client sends on an open socket with the library's parser: from bytes to complete messages and control frames. No I/O."""

from collections.abc import Iterator
from typing import Final

from websockets.extensions import Extension
from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

FRAMES_PER_MINUTE: Final = 600  # of any kind: pings and empty fragments cost as much as messages
STRIDE_BYTES: Final = 4096  # parsed at a time; one read can contain tens of thousands of frames


class MessageReader:
    """The receiving side of one socket. The library checks masks, lengths, order, UTF-8 of close reasons and the size of a message.

    `flooded`: the client has sent more frames within a minute than the limit. `frames` is the number of all frames so far.
    """

    __slots__ = ("_counted_from", "_counted_since", "_is_text", "_parts", "_protocol", "flooded", "frames")

    def __init__(self, extension: Extension | None, max_size: int) -> None:
        self._protocol = ServerProtocol(state=State.OPEN, max_size=max_size)
        self._protocol.extensions = [] if extension is None else [extension]
        self._parts: list[bytes] = []
        self._is_text = False
        self.frames = 0
        self._counted_since = 0.0
        self._counted_from = 0
        self.flooded = False

    @property
    def ended(self) -> bool:
        """Whether the client has closed the connection or violated the protocol."""
        return self._protocol.close_rcvd is not None or self._protocol.parser_exc is not None

    def messages(self, data: bytes, now: float) -> Iterator[bytes | None]:
        """The messages that this data completes, None for a binary one. Data after a flood or after the end is ignored."""
        if now - self._counted_since > 60:
            self._counted_since, self._counted_from = now, self.frames
        for start in range(0, len(data), STRIDE_BYTES):
            if self.flooded or self.ended:
                return
            self._protocol.receive_data(data[start : start + STRIDE_BYTES])
            frames = self._protocol.events_received()
            self.frames += len(frames)
            self.flooded = self.frames - self._counted_from > FRAMES_PER_MINUTE
            for frame in frames:
                assert isinstance(frame, Frame)
                yield from self._completed(frame)

    def _completed(self, frame: Frame) -> Iterator[bytes | None]:
        """The message that this frame completes, if it does."""
        if frame.opcode in CTRL_OPCODES:
            return
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        if frame.data:
            self._parts.append(bytes(frame.data))
        if frame.fin:
            parts, self._parts = self._parts, []
            yield b"".join(parts) if self._is_text else None

    def answers(self) -> bytes:
        """The pongs or the close frame to send."""
        return b"".join(self._protocol.data_to_send())
