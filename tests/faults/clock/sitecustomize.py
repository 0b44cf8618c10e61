"""A wrong clock for one process: Python imports this as it starts where PYTHONPATH leads here.

The file that CLOCK_FILE names holds how many seconds the clock is off, and may change at any time. The monotonic clock stays as it is.
"""

import os
import pathlib
import time

_file = pathlib.Path(os.environ["CLOCK_FILE"])
_true = time.time_ns
_last = "0"


def _shifted_ns() -> int:
    global _last  # noqa: PLW0603
    _last = _file.read_text() or _last  # a file is empty for a moment while it is written
    return _true() + int(_last) * 1_000_000_000


time.time_ns = _shifted_ns
time.time = lambda: _shifted_ns() / 1e9
