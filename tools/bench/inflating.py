"""`python -m tools.bench.inflating URL TOKEN`: one dashboard that takes compression, since the crowd's C client only counts bytes.

Prints `up` when it has its snapshot; on SIGTERM it prints the number of events and their delays.
"""

import json
import signal
import sys
import time
from types import FrameType

from websockets.sync.client import connect
from websockets.typing import Subprotocol


class _Stopped(Exception):
    """The measurement is over."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


def main() -> None:
    """Listens until SIGTERM."""
    url, token = sys.argv[1:]
    delays: list[float] = []
    frames = 0
    signal.signal(signal.SIGTERM, _stop)
    with connect(url, subprotocols=[Subprotocol("pulse.v1"), Subprotocol(f"bearer.{token}")]) as socket:
        try:
            while "SYNC" not in str(socket.recv()):
                pass
            print("up", file=sys.stderr, flush=True)
            while True:
                lines, now = str(socket.recv()).split("\n"), time.time()
                found = [json.loads(line)["version"] for line in lines if "TELEMETRY_UPDATE" in line]
                frames += bool(found)
                delays += [(now - version / 1e6) * 1000 for version in found]
        except _Stopped:
            delays.sort()
    last = len(delays) - 1
    print(json.dumps({"events": len(delays), "frames": frames, "p50_ms": delays[last // 2], "p99_ms": delays[int(last * 0.99)]}))


if __name__ == "__main__":
    main()
