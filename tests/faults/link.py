"""A TCP link that can be cut: a proxy in a thread of its own, so that it lives before and after a story's event loop."""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from tools.processes import free_port

CHUNK: Final = 65536
THIN_CHUNK: Final = 2048


class Link:
    """Passes bytes between clients and a port behind it, until it is stopped."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._target = target
        self._passing = asyncio.Event()
        self._refusing = False
        self._bytes_per_second = 0
        self._delay = 0.0
        self._jitter = 0.0
        self._halving: frozenset[str] = frozenset()
        self._line = asyncio.Lock()
        self._writers: set[asyncio.StreamWriter] = set()

    @contextlib.contextmanager
    def running(self) -> Iterator["Link"]:
        """Serves until the end."""
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            self._in_loop(self._start())
            yield self
        finally:
            self._in_loop(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def _in_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        self._passing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _stop(self) -> None:
        self._server.close()
        self._abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what a story does ---

    def drop(self) -> None:
        """From now on nothing passes and no side is notified, as with an unplugged cable."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def reset(self) -> None:
        """Every connection is reset, and new ones at once: a firewall that rejects."""
        self._call(lambda: setattr(self, "_refusing", True))
        self._call(self._abort)

    def reset_once(self) -> None:
        """Every connection gets a real RST, idle ones too, and new ones pass: what a proxy, a firewall or a load balancer sends."""
        self._call(self._abort_with_rst)

    def delay(self, seconds: float) -> None:
        """From now on everything takes so much longer, in each direction."""
        self._call(lambda: setattr(self, "_delay", seconds))

    def jitter(self, seconds: float) -> None:
        """From now on everything takes up to so much longer, in each direction, at random; the order stays."""
        self._call(lambda: setattr(self, "_jitter", seconds))

    def halve(self, *directions: str) -> None:
        """From now on the first half of a `request` or a `reply` passes and then the connection is reset; no direction ends it."""
        self._call(lambda: setattr(self, "_halving", frozenset(directions)))

    def thin(self, bytes_per_second: int) -> None:
        """From now on all connections together carry so much, in each direction; 0 is as much as there is."""
        self._call(lambda: setattr(self, "_bytes_per_second", bytes_per_second))

    def restore(self) -> None:
        """The link works again."""
        self._call(lambda: setattr(self, "_refusing", False))
        self._call(self._passing.set)

    def lead_to(self, port: int) -> None:
        """From now on the link leads elsewhere, as an address does that moves with its primary; open connections are reset."""
        self._call(lambda: setattr(self, "_target", port))
        self._call(self._abort)

    def _call(self, action: Callable[[], Any]) -> None:
        self._loop.call_soon_threadsafe(action)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _abort_with_rst(self) -> None:
        for writer in self._writers:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._abort()

    # --- the proxy ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        self._writers |= ends
        try:
            if not self._refusing:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
                ends.add(far_writer)
                self._writers.add(far_writer)
                await asyncio.gather(self._pass(reader, far_writer, "request"), self._pass(far_reader, writer, "reply"))
        except OSError:
            pass  # no server listens behind the link
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(THIN_CHUNK if self._bytes_per_second else CHUNK):
                await self._passing.wait()
                if self._delay or self._jitter:
                    await asyncio.sleep(self._delay + random.uniform(0, self._jitter))
                if self._bytes_per_second:
                    async with self._line:
                        await asyncio.sleep(len(data) / self._bytes_per_second)
                if direction in self._halving:
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                    await asyncio.sleep(0.01)  # the peer reads the written bytes before the reset discards them
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
