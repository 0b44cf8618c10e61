"""Speed: every run measures and saves it; only `make bench-page` checks it, because a busy machine is no defect."""

import contextlib
import json
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any, Final

from tools.processes import ROOT

RESULTS: Final = ROOT / "test-results"
JUDGES: Final = bool(os.environ.get("JUDGE_SPEED"))


def record(name: str, figures: dict[str, Any], *, is_good: bool) -> None:
    """Prints and saves figures; fails where speed is checked and they are not good."""
    print(f"\n{name}: {json.dumps(figures)}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"speed-{name}.json").write_text(json.dumps(figures, indent=1))
    assert is_good or not JUDGES, figures


def _delays(pid: int) -> Iterator[tuple[str, float]]:
    """For how many seconds each thread of a process has been ready to run without a core."""
    for file in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # the thread has just ended
            yield file.parent.name, int(file.read_text().split()[1]) / 1e9


class Stopwatch:
    """The time since it was made, less the time in which a thread of this process or of the given ones waited for a core.

    On an idle machine that is the time of the clock on the wall; on a busy one it is what the answer takes without the neighbours.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = (os.getpid(), *pids)
        self._delays = dict(self._all_delays())
        self._started = time.monotonic()

    def _all_delays(self) -> Iterator[tuple[str, float]]:
        for pid in self._pids:
            yield from _delays(pid)

    @property
    def seconds(self) -> float:
        """The time so far."""
        elapsed = time.monotonic() - self._started
        return elapsed - sum(delay - self._delays.get(thread, 0) for thread, delay in self._all_delays())
