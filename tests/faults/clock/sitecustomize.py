"""A wrong clock for one process: Python imports this as it starts where PYTHONPATH leads here.

The file that CLOCK_FILE names holds how many seconds the clock is off, and may change at any time. The monotonic clock stays as it is.
"""

import os
import pathlib
import time

_file = pathlib.Path(os.environ["CLOCK_FILE"])
_true = time.time_ns


def _shifted_ns() -> int:
    return _true() + int(_file.read_text()) * 1_000_000_000


time.time_ns = _shifted_ns
time.time = lambda: _shifted_ns() / 1e9
