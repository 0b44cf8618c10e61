"""The load generators written in C: the requests they send, their counts, and that they connect again."""

import asyncio
import json
import pathlib
import re
import shutil
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.support.needs import lacking
from tools.bench.processes import compiled
from tools.processes import free_port

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
DEADLINE_SECONDS = 60
PING = b"\x89\x00"
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: any\r\n\r\n"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where they are compiled."""
    if shutil.which("cc") is None:
        lacking("a C compiler")
    return tmp_path_factory.mktemp("programs")


async def started(program: pathlib.Path, *arguments: object) -> asyncio.subprocess.Process:
    """Runs it with pipes."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(program, *map(str, arguments), stdout=pipe, stderr=pipe)


async def test_posts_are_due_at_an_even_pace_and_accepted_readings_are_counted(programs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Each has the headers of the file, a room in turn and the time when it was due; every third reading is refused here."""
    bodies: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            assert b"X-API-Key: secret\r\n" in head
            length = re.search(rb"Content-Length: (\d+)", head)
            assert length is not None
            bodies.append(await reader.readexactly(int(length[1])))
            text = b"[]" if len(bodies) % 3 == 0 else b'["accepted","accepted"]'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))

    headers = tmp_path / "headers"
    headers.write_text("X-API-Key: secret\n")
    async with asyncio.timeout(DEADLINE_SECONDS), await asyncio.start_server(_until_closed(answer), "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        body, options = '{"room":"%r","at":%u,"s":%s,"n":%n}', ("-h", headers, "-r", 4, "-b", 2)
        load = await started(compiled("paced", programs), port, "/post/%r", 2, 0.3, 30, body, '"accepted"', *options)
        output, errors = await load.communicate()
    assert load.returncode == 0, errors
    figures = json.loads(output)
    assert figures["posts"] + figures["unsent"] == 9
    assert figures["posts"] == figures["answers"] == len(bodies)
    assert figures["accepted"] == 2 * (len(bodies) - len(bodies) // 3)
    readings = [reading for text in bodies for reading in json.loads(text)]
    assert sorted(reading["n"] for reading in readings) == list(range(len(readings)))
    assert all(reading["room"] == f"{reading['n'] % 4:05d}" for reading in readings)
    assert all(0 <= reading["at"] < 2**30 for reading in readings)


def _until_closed(serve: Serve) -> Serve:
    """Serves one connection until its client closes it."""

    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return serving


def _text_frame(text: bytes) -> bytes:
    return b"\x81" + bytes([len(text)]) + text


async def _masked_text(reader: asyncio.StreamReader) -> bytes:
    first, size = await reader.readexactly(2)
    assert first == 0x81
    assert size & 0x80
    mask = await reader.readexactly(4)
    return bytes(byte ^ mask[number % 4] for number, byte in enumerate(await reader.readexactly(size & 0x7F)))


async def test_clients_send_their_token_first_and_connect_again_when_a_server_ends(programs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Each event's age counts from the time that it carries."""
    firsts: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []
    pongs = asyncio.Semaphore(0)
    age_us = 400_000_000  # so old that no delay of a slow machine matters

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Authorization" not in await reader.readuntil(b"\r\n\r\n")
        writer.write(UPGRADE)
        firsts.append(await _masked_text(reader))
        writers.append(writer)
        writer.write(_text_frame(b'{"connect":{}}'))
        if len(firsts) > 2:
            assert (await reader.readexactly(6))[0] == 0x8A
            pongs.release()
        await reader.read()

    tokens = tmp_path / "tokens"
    tokens.write_text("token-1\ntoken-2")
    async with asyncio.timeout(DEADLINE_SECONDS), await asyncio.start_server(_until_closed(serve), "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        options = ("-t", tokens, "-s", '{"token":"TOKEN"}', "-r", '"connect":', "-e", '"EVENT"', "-k", "at", "-R", 10)
        fan = await started(compiled("wsfan", programs), port, "/", 2, *options)
        assert fan.stderr is not None
        assert (await fan.stderr.readline()).startswith(b"up 2 ")
        for writer in writers[:]:
            writer.close()
        assert (await fan.stderr.readline()).startswith(b"back 2 ")
        for writer in writers[2:]:
            at = (time.time_ns() // 1000 - age_us) & (2**30 - 1)
            writer.write(_text_frame(b'{"type":"EVENT","at":%d}' % at) + PING)
        for _ in range(2):
            await pongs.acquire()
        fan.terminate()
        output, errors = await fan.communicate()
    assert fan.returncode == 0, errors
    assert sorted(firsts) == 2 * [b'{"token":"token-1"}'] + 2 * [b'{"token":"token-2"}']
    figures = json.loads(output)
    assert figures["open"] == figures["events"] == 2
    assert figures["p50_ms"] >= age_us / 1000


async def test_the_bare_relay_sends_each_published_message_as_one_frame(programs: pathlib.Path) -> None:
    """Messages may arrive together or in pieces, and the last client to connect receives them."""
    channel, texts = b"telemetry:{0}:events", [b'{"version":%d,"x":"%b"}' % (number, b"y" * (130 + number)) for number in range(5)]
    messages = b"".join(b"*3\r\n$7\r\nmessage\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(channel), channel, len(t), t) for t in texts)
    may_publish = asyncio.Event()

    async def publish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"SUBSCRIBE %b\r\n" % channel
        writer.write(b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (len(channel), channel))
        await may_publish.wait()
        for piece in (messages[:7], messages[7:300], messages[300:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    port = free_port()
    async with asyncio.timeout(DEADLINE_SECONDS), await asyncio.start_server(_until_closed(publish), "127.0.0.1") as redis:
        redis_port = redis.sockets[0].getsockname()[1]
        relay = await started(compiled("wsrelay", programs), port, "127.0.0.1", redis_port, channel.decode())
        try:
            reader, writer = await _connected(port)
            writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"101 Switching Protocols" in await reader.readuntil(b"\r\n\r\n")
            may_publish.set()
            for text in texts:
                assert await reader.readexactly(4) == b"\x81\x7e" + len(text).to_bytes(2, "big")
                assert await reader.readexactly(len(text)) == text
            writer.close()
        finally:
            relay.kill()
            await relay.communicate()


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, as soon as the port is listened on."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
