"""`python -m tests.bench.hearing HOST PORT CHANNEL`: a bare subscriber on the server's core, and how late it hears of commits.

No relay can be sooner: this is what the store, two sockets and waking up cost. On SIGTERM it prints what it measured.
"""

import json
import os
import signal
import socket
import sys
import time
from types import FrameType

from tests.bench.processes import SERVER_CORE

COMMITTED = b'"committed_at":'


class _Stopped(Exception):
    """The measurement is over."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


def main() -> None:
    """Listens until told to stop."""
    host, port, channel = sys.argv[1:]
    os.sched_setaffinity(0, {SERVER_CORE})
    signal.signal(signal.SIGTERM, _stop)
    delays: list[float] = []
    with socket.create_connection((host, int(port))) as server:
        server.sendall(f"SUBSCRIBE {channel}\r\n".encode())
        server.recv(1024)
        print("up", file=sys.stderr, flush=True)
        try:
            while data := server.recv(1 << 16):
                now, start = time.time(), data.index(COMMITTED) + len(COMMITTED)
                delays.append((now - int(data[start : data.index(b",", start)]) / 1e6) * 1000)
        except _Stopped:
            delays.sort()
    last = len(delays) - 1
    print(json.dumps({"events": len(delays), "p50_ms": delays[last // 2], "p99_ms": delays[int(last * 0.99)]}))


if __name__ == "__main__":
    main()
