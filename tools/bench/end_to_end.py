"""One producer and one dashboard in one Python process: from sending a POST to having its event.

The client's own cost is in it.
"""

import http.client
import json
import time
import urllib.parse

from websockets.sync.client import ClientConnection, connect

from shared.contract.codec import encode
from shared.contract.readings import Reading

EVERY_SECONDS = 0.05


def post_to_socket_ms(ingest_url: str, broadcast_url: str, producer: str, dashboard: str, *, count: int) -> list[float]:
    """The delays of so many readings, in order of size."""
    url = broadcast_url.replace("http", "ws", 1) + "/ws/dashboard"
    ingest = http.client.HTTPConnection(urllib.parse.urlsplit(ingest_url).netloc)
    with connect(url, additional_headers={"Authorization": f"Bearer {dashboard}"}) as socket:
        return sorted(_one(ingest, socket, producer, number) for number in range(count))


def _one(ingest: http.client.HTTPConnection, socket: ClientConnection, token: str, number: int) -> float:
    time.sleep(EVERY_SECONDS)
    now_ms = int(time.time() * 1000)
    body = encode(Reading("end-to-end", "chaturbate", now_ms // 1000, number, now_ms))
    start = time.perf_counter()
    ingest.request("POST", "/api/tracking/telemetry", body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    while json.loads(socket.recv(timeout=5))["data"]["tokens"] != number:
        pass
    taken = time.perf_counter() - start
    ingest.getresponse().read()
    return taken * 1000
