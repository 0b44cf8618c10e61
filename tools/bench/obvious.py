"""`python -m tools.bench.obvious`: the same service as most people would write it, for comparison.

One process does both jobs: a POST verifies its token, then sets and publishes in one redis-py pipeline; a dashboard is a queue and a task
that awaits `send_text` for each event. No group commit, no script, no history, no rate limit, no conflation. uvicorn runs it as it
comes with uvloop and httptools.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

CHANNEL = "telemetry:{0}:events"
SECRET = os.environ["TOKEN_KEYS"].partition(":")[2]

redis = Redis.from_url(os.environ["REDIS_URL"])
queues: set[asyncio.Queue[str]] = set()


def verify(authorization: str, audience: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(authorization.removeprefix("Bearer "), SECRET, ["HS256"], audience=audience)
    return claims


def event_of(line: bytes) -> str:
    stored = json.loads(line)
    data = {"platform": stored["platform"], "tokens": stored["tokens_count"], "tips": stored["tips_count"]}
    data |= {"viewers": stored["viewers_count"], "goal": stored["goal_tokens"], "timestamp": stored["timestamp"]}
    event = {"event_type": "TELEMETRY_UPDATE", "room_id": stored["room_id"], "data": data}
    return json.dumps(event | {"timestamp": int(time.time()), "version": stored["version"]}, separators=(",", ":"))


async def listen() -> None:
    pubsub = redis.pubsub()
    await pubsub.subscribe(CHANNEL)
    async for message in pubsub.listen():
        if message["type"] == "message":
            for line in message["data"].split(b"\n"):
                event = event_of(line)
                for queue in queues:
                    queue.put_nowait(event)


async def relay(websocket: WebSocket, queue: asyncio.Queue[str]) -> None:
    while True:
        await websocket.send_text(await queue.get())


async def socket(websocket: WebSocket) -> None:
    verify(websocket.headers["authorization"], "dashboard")
    await websocket.accept()
    queue: asyncio.Queue[str] = asyncio.Queue()
    queues.add(queue)
    sender = asyncio.create_task(relay(websocket, queue))
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        sender.cancel()
        queues.discard(queue)


async def post(request: Request) -> JSONResponse:
    verify(request.headers["authorization"], "ingest")
    reading = await request.json()
    version = time.time_ns() // 1000
    stored = json.dumps(reading | {"version": version, "committed_at": version})
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.set(f"telemetry:{{0}}:{reading['room_id']}:{reading['platform']}", stored, ex=3600)
        pipeline.publish(CHANNEL, stored)
        await pipeline.execute()
    return JSONResponse({"status": "success", "result": "accepted", "version": version})


async def ready(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ready"})


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    listener = asyncio.create_task(listen())
    yield
    listener.cancel()


app = Starlette(
    routes=[
        WebSocketRoute("/ws/dashboard", socket),
        Route("/api/tracking/telemetry", post, methods=["POST"]),
        Route("/readyz", ready),
    ],
    lifespan=lifespan,
)

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["OBVIOUS_PORT"]), log_level="warning", access_log=False, backlog=4096)
