"""`python -m tools.bench.subscriber HOST PORT CHANNEL`: a bare subscriber on the server's core, and the delay of its events.

No relay can be faster: the delay is that of the store, two sockets and waking up. On SIGTERM it prints its figures.
"""

import contextlib
import json
import os
import re
import signal
import socket
import sys
import time
from types import FrameType

import hiredis

from tools.bench.processes import SERVER_CORE

COMMITTED = re.compile(rb'"committed_at":([0-9]+)')


class _Stopped(Exception):
    """The measurement is over."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


def main() -> None:
    """Listens until SIGTERM."""
    host, port, channel = sys.argv[1:]
    os.sched_setaffinity(0, {SERVER_CORE})
    signal.signal(signal.SIGTERM, _stop)
    delays: list[float] = []
    reader = hiredis.Reader()
    with socket.create_connection((host, int(port))) as server:
        server.sendall(f"SUBSCRIBE {channel}\r\n".encode())
        if not server.recv(1024).startswith(b"*3"):
            sys.exit("subscriber: the server refuses the subscription")
        print("up", file=sys.stderr, flush=True)
        with contextlib.suppress(_Stopped):
            while data := server.recv(1 << 16):
                now = time.time()
                reader.feed(data)
                while message := reader.gets():
                    delays += [(now - committed_us / 1e6) * 1000 for committed_us in map(int, COMMITTED.findall(message[2]))]
    if not delays:
        sys.exit("subscriber: no event was received")
    delays.sort()
    last = len(delays) - 1
    print(json.dumps({"events": len(delays), "p50_ms": delays[last // 2], "p99_ms": delays[int(last * 0.99)]}))


if __name__ == "__main__":
    main()
