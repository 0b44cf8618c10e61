"""Centrifugo with Redis as a peer: where it is installed, its configuration, the tokens of its clients and its version."""

import json
import pathlib
import re
import shutil
import subprocess
from typing import Any, Final, NamedTuple

import jwt

CHANNEL: Final = "wall"
KEPT: Final = "kept"  # the namespace whose channels keep their latest message
SOCKET_PATH: Final = "/connection/uni_websocket"
POST_PATH: Final = "/api/publish"
FIRST_TEXT: Final = '{"token":"TOKEN"}'  # the connect command of the unidirectional transport
CONNECTED: Final = '"connect":'
MISSING: Final = (
    "Centrifugo is not measured: there is no `centrifugo` on the PATH (build it outside of this repository: "
    "GOBIN=… go install github.com/centrifugal/centrifugo/v6@v6.9.1)."
)


class Found(NamedTuple):
    """The program and its version."""

    program: pathlib.Path
    version: str


def configuration(*, port: int, redis_url: str, api_key: str, token_secret: str) -> dict[str, Any]:
    """The options that are no defaults: Redis, tokens, an API key, the transport, and the options that make it faster or quieter."""
    return {
        "http_server": {"address": "127.0.0.1", "port": port},
        "log": {"level": "error"},
        "engine": {"type": "redis", "redis": {"address": redis_url}},
        "client": {"token": {"hmac_secret_key": token_secret}},
        "http_api": {"key": api_key},
        "uni_websocket": {"enabled": True, "join_push_messages": True},
        "channel": {"namespaces": [{"name": KEPT, "history_size": 1, "history_ttl": "1h"}]},
        "health": {"enabled": True},
        "usage_stats": {"disabled": True},
    }


def connection_token(secret: str, *, number: int, now_seconds: int) -> str:
    """A token that connects one user and subscribes it to the wall."""
    claims = {"sub": f"user-{number}", "channels": [CHANNEL], "iat": now_seconds, "exp": now_seconds + 3600}
    return jwt.encode(claims, secret, "HS256")


def publication(event: str, *, channel: str = CHANNEL) -> str:
    """The body of a post that publishes an event, which is JSON."""
    return f'{{"channel":"{channel}","data":{event}}}'


def find() -> Found | None:
    """Where it is; None if it is not on the PATH."""
    program = shutil.which("centrifugo")
    if program is None:
        return None
    asked = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    return Found(pathlib.Path(program), version(asked.stdout + asked.stderr, _build_information(program)))


def version(output: str, build_information: str) -> str:
    """What a report calls it, from `centrifugo version`, or from `go version -m` for a program that was built as a module."""
    module = re.search(r"^\s*mod\s+github\.com/centrifugal/centrifugo/\S+\s+v(\d\S*)", build_information, re.MULTILINE)
    own = re.search(r"v?(\d+\.\d+\.\d+\S*)", output)
    number = module[1] if module else own[1] if own and own[1] != "0.0.0" else "(version unknown)"
    return f"Centrifugo {number}"


def _build_information(program: str) -> str:
    if shutil.which("go") is None:
        return ""
    return subprocess.run(["go", "version", "-m", program], capture_output=True, text=True, check=False).stdout


def write(path: pathlib.Path, settings: dict[str, Any]) -> None:
    """Writes a configuration that only this user can read: it has the key and the secret of the run."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(settings, indent=1))
