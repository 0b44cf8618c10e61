"""Keeps the studio file of this process up to date. A changed file that is wrong is reported, and the one before it stays in use."""

import asyncio
import pathlib
from collections.abc import Callable
from typing import Final, TypeVar

import structlog

from broadcast_service import metrics
from shared.studio.config import Studio
from shared.studio.faults import Fault, StudioError
from shared.studio.file import read_file
from shared.studio.parse import parse_studio
from shared.web.jobs import report_alive, sleep

CHECK_SECONDS: Final = 1.0
MAX_LOGGED: Final = 3  # problems of one file

T = TypeVar("T")

log = structlog.get_logger()


class StudioFile:
    """The studio as its file describes it; without a path, a studio of which nothing is known.

    The file is read every second and compared by its content, so it does not matter how it was replaced. It is used once two reads found
    the same content: an editor may write it in parts, or remove it before it writes the next one.
    """

    def __init__(self, path: str) -> None:
        """Reads the file; raises StudioError."""
        self._path = path
        self._name = pathlib.Path(path).name
        self._used = self._seen = self._judged = read_file(path) if path else b""
        self.studio = parse_studio(self._used, self._name) if path else Studio()
        self.faults: list[Fault] = []
        metrics.studio_file_ok.set(1)

    @property
    def is_configured(self) -> bool:
        """Whether there is a file."""
        return bool(self._path)

    async def run(self) -> None:
        """Reads the file for ever."""
        while True:
            await sleep(CHECK_SECONDS)
            if self._path:
                await self.check()

    async def check(self) -> None:
        """Reads the file once, and accepts content that it has read twice in a row."""
        seen, faults = await _in_thread(self._read)
        settled, self._seen = seen == self._seen, seen
        if not settled or seen == self._judged:
            return
        self._judged = seen
        if seen == self._used:
            self._accept(self.studio, seen)
        elif faults:
            self._refuse(faults)
        else:
            await self._parse(seen)

    async def _parse(self, content: bytes) -> None:
        try:
            studio = await _in_thread(lambda: parse_studio(content, self._name))
        except StudioError as error:
            self._refuse(error.faults)
        else:
            self._accept(studio, content)

    def _read(self) -> tuple[bytes, list[Fault]]:
        """The content, or a substitute where the file cannot be read, with the faults."""
        try:
            return read_file(self._path), []
        except StudioError as error:
            return f"\0{error}".encode(), error.faults  # no studio file begins with a zero byte

    def _accept(self, studio: Studio, content: bytes) -> None:
        self.studio, self._used, self.faults = studio, content, []
        metrics.studio_file_ok.set(1)
        log.info("studio.loaded", file=self._name, shifts=len(studio.shifts), rooms=len(studio.rooms), accounts=len(studio.accounts))

    def _refuse(self, faults: list[Fault]) -> None:
        self.faults = faults
        problems = [fault.text() for fault in faults]
        metrics.studio_file_ok.set(0)
        log.error("studio.refused", file=self._name, problems=problems[:MAX_LOGGED], more=max(0, len(problems) - MAX_LOGGED))


async def _in_thread(work: Callable[[], T]) -> T:
    """The result of work in a thread; the job reports alive meanwhile, because a disk that does not answer is no reason to stop serving."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    while not future.done():
        report_alive()
        await asyncio.wait({future}, timeout=CHECK_SECONDS)
    return future.result()
