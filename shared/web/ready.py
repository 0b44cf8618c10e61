"""`python -I -S shared/web/ready.py PORT`: the images' health check. It prints why the service of this container is not ready.

It runs every five seconds in every container, so it imports little: `urllib.request` alone takes longer than all of this.
"""

import socket
import sys

TIMEOUT_SECONDS = 2


def reason(port: int) -> str:
    """Why the service that listens there is not ready, in its own words; empty if it is. Raises OSError."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
        connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return "" if head.split(maxsplit=2)[1:2] == [b"200"] else body.decode(errors="replace") or "no answer"


if __name__ == "__main__":
    try:
        sys.exit(reason(int(sys.argv[1])) or 0)
    except OSError as error:
        sys.exit(f"no answer: {error}")
