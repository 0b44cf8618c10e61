"""A name server for a few names, like Docker's: it answers a service's name with the addresses of its replicas."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Final

HEADER_BYTES: Final = 12
TYPE_A: Final = 1
RESPONSE: Final = b"\x85\x80"  # authoritative, recursion available


class Names:
    """Answers over UDP from `addresses`, which a test may change at any time."""

    def __init__(self, **addresses: Sequence[str]) -> None:
        self.addresses = dict(addresses)
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])

    @contextlib.contextmanager
    def running(self) -> Iterator["Names"]:
        """Serves until the end."""
        thread = threading.Thread(target=self._serve)
        thread.start()
        try:
            yield self
        finally:
            with socket.socket(type=socket.SOCK_DGRAM) as last:
                last.sendto(b"", ("127.0.0.1", self.port))
            thread.join()
            self._socket.close()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                return
            self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        """Addresses for a question of type A; none for any other, which says that the name exists."""
        length = query[HEADER_BYTES]
        name = query[HEADER_BYTES + 1 : HEADER_BYTES + 1 + length].decode().lower()
        end = query.index(0, HEADER_BYTES) + 5
        question, kind = query[HEADER_BYTES:end], int.from_bytes(query[end - 4 : end - 2])
        found = self.addresses.get(name, ()) if kind == TYPE_A else ()
        records = b"".join(b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04" + socket.inet_aton(address) for address in found)
        return query[:2] + RESPONSE + b"\0\x01" + len(found).to_bytes(2) + b"\0\0\0\0" + question + records
