"""What a client sends on an open socket, read by the library's parser: frames in, whole messages and due answers out. No I/O."""

from collections.abc import Iterator

from websockets.extensions import Extension
from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol


class Inbound:
    """The reading half of one socket. The library sees to masks, lengths, order, UTF-8 of close reasons and the size of a message."""

    __slots__ = ("_is_text", "_parts", "_protocol")

    def __init__(self, extension: Extension | None, max_size: int) -> None:
        self._protocol = ServerProtocol(state=State.OPEN, max_size=max_size)
        self._protocol.extensions = [] if extension is None else [extension]
        self._parts: list[bytes] = []
        self._is_text = False

    @property
    def ended(self) -> bool:
        """Whether the client has closed, or broken the protocol."""
        return self._protocol.close_rcvd is not None or self._protocol.parser_exc is not None

    def messages(self, data: bytes) -> Iterator[bytes | None]:
        """The messages that are whole with this data, None for a binary one."""
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode in CTRL_OPCODES:
                continue
            if frame.opcode is not Opcode.CONT:
                self._is_text = frame.opcode is Opcode.TEXT
            self._parts.append(bytes(frame.data))
            if frame.fin:
                parts, self._parts = self._parts, []
                yield b"".join(parts) if self._is_text else None

    def answers(self) -> bytes:
        """The pongs or the close frame that are due."""
        return b"".join(self._protocol.data_to_send())
