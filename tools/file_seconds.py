"""How long the tests of a file take, which decides which files a run begins with."""

import json
import pathlib
from typing import Final, NamedTuple

SECONDS: Final = "tests/seconds.json"  # of the long files, in the directory that pytest calls the root; others are short
SPLIT: Final = 4  # processes that may share the tests of one file at the end of a run


class Seconds(NamedTuple):
    """How long a file takes: all of its tests, and the longest of them."""

    total: float
    longest: float

    def delay(self, share: float = 1) -> float:
        """How much later a run may end because of this share of the file, if it is begun last: its longest test runs in one process."""
        return max(self.longest, self.total * share / SPLIT)


def seconds_of_files(path: pathlib.Path) -> dict[str, Seconds]:
    """How long files take; nothing where that is not kept."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    return {file: Seconds(*seconds) for file, seconds in kept.items()}
